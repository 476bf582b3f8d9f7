"""Exponential moving average."""

from decimal import Decimal

import msgspec

from app.indicators.period import check_period


def ema_step(value: float, latest: float, period: int) -> float:
    """Return the average after ``latest``. The compiled backtest compiles this very function."""
    return value + (latest - value) * 2.0 / (period + 1)


class Ema(msgspec.Struct):
    """EMA with alpha = 2 / (period + 1), seeded with the first value. float64.

    >>> ema = Ema(period=3)
    >>> [ema.update(price) for price in (10.0, 12.0, 11.0)]
    [10.0, 11.0, 11.0]
    """

    period: int
    value: float | None = None

    def __post_init__(self) -> None:
        check_period(self.period)

    def update(self, price: Decimal | float) -> float:
        """Take the next price in; return the average."""
        value, latest = self.value, float(price)
        self.value = value = latest if value is None else ema_step(value, latest, self.period)
        return value
