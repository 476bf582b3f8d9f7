"""Realized volatility."""

from decimal import Decimal
from math import log, sqrt

import msgspec

from app.indicators.period import check_period

YEAR_S = 365 * 86_400


class Volatility(msgspec.Struct):
    """Yearly volatility of log returns over a window of prices: their root mean square, times the periods of a year.

    The mean is taken as zero, as is usual for short windows. float64; None until the window is full.
    """

    window: int
    interval_s: float
    value: float | None = None
    last: float | None = None
    squares: list[float] = []
    total: float = 0.0

    def __post_init__(self) -> None:
        check_period(self.window, "window")

    def update(self, price: Decimal | float) -> float | None:
        """Take the next price in; return the volatility."""
        latest = float(price)
        if self.last is not None:
            square = log(latest / self.last) ** 2
            self.squares.append(square)
            self.total += square
            if len(self.squares) > self.window:
                self.total -= self.squares.pop(0)
            if len(self.squares) == self.window:
                self.value = sqrt(max(0.0, self.total) / self.window * YEAR_S / self.interval_s)
        self.last = latest
        return self.value
