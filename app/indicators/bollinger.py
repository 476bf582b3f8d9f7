"""Bollinger bands."""

from decimal import Decimal
from math import sqrt

import msgspec


class Bollinger(msgspec.Struct):
    """Mean of a window, and bands at a multiple of its population standard deviation.

    Source: J. Bollinger, Bollinger on Bollinger Bands, 2001. float64; None until the window is full.
    """

    period: int
    width: float = 2.0
    window: list[float] = []
    middle: float | None = None
    upper: float | None = None
    lower: float | None = None

    def update(self, price: Decimal | float) -> float | None:
        """Take the next price in; return the mean."""
        window = self.window
        window.append(float(price))
        if len(window) > self.period:
            del window[0]
        if len(window) == self.period:
            # Summed anew each time: a running sum of squares loses its digits on prices that hardly move.
            mean = sum(window) / self.period
            deviation = sqrt(sum([(value - mean) ** 2 for value in window]) / self.period)
            self.middle, self.upper, self.lower = mean, mean + self.width * deviation, mean - self.width * deviation
        return self.middle
