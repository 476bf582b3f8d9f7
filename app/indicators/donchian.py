"""Donchian channel."""

import msgspec

from app.domain.market import Bar
from app.indicators.period import check_period


class Donchian(msgspec.Struct):
    """Highest high and lowest low of the last ``period`` bars. float64; None until they were seen.

    Source: R. Donchian's four-week rule.
    """

    period: int
    highs: list[float] = []
    lows: list[float] = []
    upper: float | None = None
    lower: float | None = None

    def __post_init__(self) -> None:
        check_period(self.period)

    def update(self, bar: Bar) -> None:
        """Take the next bar in."""
        self.highs.append(float(bar.high))
        self.lows.append(float(bar.low))
        if len(self.highs) > self.period:
            del self.highs[0], self.lows[0]
        if len(self.highs) == self.period:
            self.upper, self.lower = max(self.highs), min(self.lows)
