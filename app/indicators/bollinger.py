"""Bollinger bands."""

from collections.abc import Sequence
from decimal import Decimal
from math import sqrt

import msgspec

from app.indicators.period import check_period


def mean_and_deviation(window: Sequence[float]) -> tuple[float, float]:
    """Return mean and population standard deviation. Compiled, too, as it stands here.

    Summed from the oldest on: ``sum`` rounds in one way up to Python 3.11 and in another from 3.12 on, and a decision
    must not depend on that. And anew each time: a running sum of squares loses its digits on prices that hardly move.
    """
    total = 0.0
    for value in window:
        total += value
    mean, squares = total / len(window), 0.0
    for value in window:
        squares += (value - mean) * (value - mean)
    return mean, sqrt(squares / len(window))


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

    def __post_init__(self) -> None:
        check_period(self.period)

    def update(self, price: Decimal | float) -> float | None:
        """Take the next price in; return the mean."""
        window = self.window
        window.append(float(price))
        if len(window) > self.period:
            del window[0]
        if len(window) == self.period:
            mean, deviation = mean_and_deviation(window)
            self.middle, self.upper, self.lower = mean, mean + self.width * deviation, mean - self.width * deviation
        return self.middle
