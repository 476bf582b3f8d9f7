"""What can be told before the data is read, and what depends on the length of its bars."""

from app.backtest.compiled.eligibility import refusal_on_bars
from app.settings import load_settings


def test_a_rate_that_cannot_bind_on_long_bars_binds_on_short_ones():
    """Ten orders a bar at most: within a minute that is ten on bars of an hour, and twenty on bars of a minute."""
    settings = load_settings("backtest", ["risk.orders_per_minute_max=12"]).settings
    assert refusal_on_bars(settings, 3600) is None
    assert refusal_on_bars(settings, 60) == "risk.orders_per_minute_max could bind on bars of 60 s"
