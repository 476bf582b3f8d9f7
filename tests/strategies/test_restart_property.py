"""Saved and restored at any moment, a strategy decides as if it had never stopped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from app.domain.order import Side
from app.strategies.breakout import Breakout
from app.strategies.funding_carry import FundingCarry
from app.strategies.mean_reversion import MeanReversion
from app.strategies.trend import Trend
from tests.builders import BTC, bar, fill, funding_rate, number
from tests.properties import BRIEF
from tests.strategies.account import FakeView, made

PARAMS = {
    Trend: {"fast": 2, "slow": 4},
    Breakout: {"channel": 3, "atr": 3},
    MeanReversion: {"period": 4, "width": 1, "rsi": 3, "oversold": 45},
    FundingCarry: {},
}
SIZINGS = [{"model": "fixed_notional"}, {"model": "volatility_target"}]
moments = st.lists(
    st.tuples(st.integers(900, 1100), st.integers(0, 20), st.integers(-30, 30), st.booleans()), max_size=30
)


def event(kind, index, moment):
    """Return the bar or the funding rate of a moment."""
    close, spread, rate, _ = moment
    if kind is FundingCarry:
        return funding_rate(number(rate) / 100_000, index * 60)
    return bar(close / 10, index, high=(close + spread) / 10, low=(close - spread) / 10)


def decide(strategy, view, index, moment):
    """Show a strategy a moment, and now and then a stop; return what it wants."""
    target = strategy.on_event(event(type(strategy), index, moment), view)
    if moment[3] and strategy.wanted:
        strategy.on_fill(fill(side=Side.SELL if strategy.wanted > 0 else Side.BUY), view)
    return target


@pytest.mark.parametrize("sizing", SIZINGS, ids=["fixed", "volatility"])
@pytest.mark.parametrize("kind", PARAMS)
@BRIEF
@given(moments=moments, cut=st.integers(0, 30))
def test_a_restart_changes_no_decision(kind, sizing, moments, cut):
    view = FakeView()
    view.marks[BTC] = number(100)
    going_on, restarted = (made(kind, sizing, **PARAMS[kind]) for _ in range(2))
    for index, moment in enumerate(moments):
        if index == cut:
            restarted = made(kind, sizing, **PARAMS[kind])
            restarted.restore(going_on.snapshot())
        assert decide(going_on, view, index, moment) == decide(restarted, view, index, moment)
    assert json.decode(going_on.snapshot()) == json.decode(restarted.snapshot())
