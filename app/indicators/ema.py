"""Exponential moving average."""

from decimal import Decimal

import msgspec


class Ema(msgspec.Struct):
    """EMA with alpha = 2 / (period + 1), seeded with the first value. float64.

    >>> ema = Ema(period=3)
    >>> [ema.update(price) for price in (10.0, 12.0, 11.0)]
    [10.0, 11.0, 11.0]
    """

    period: int
    value: float | None = None

    def update(self, price: Decimal | float) -> float:
        """Take the next price in; return the average."""
        value = self.value
        latest = price if type(price) is float else float(price)
        self.value = latest if value is None else value + (latest - value) * 2.0 / (self.period + 1)
        return self.value
