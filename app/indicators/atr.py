"""Average true range."""

import msgspec

from app.domain.market import Bar
from app.indicators.period import check_period


def true_range(high: float, low: float, last_close: float) -> float:
    """Return the range of a bar, the move from the close before it included. Compiled, too, as it stands here."""
    return max(high, last_close) - min(low, last_close)


def wilder_step(average: float, latest: float, period: int) -> float:
    """Return Wilder's average after ``latest``. Compiled, too, as it stands here."""
    return average + (latest - average) / period


class Atr(msgspec.Struct):
    """Wilder's average true range: the mean of the first ``period`` ranges, then smoothed by 1 / period.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978. float64; None until ``period`` bars
    were seen.
    """

    period: int
    value: float | None = None
    last_close: float | None = None
    seen: int = 0
    total: float = 0.0

    def __post_init__(self) -> None:
        check_period(self.period)

    def update(self, bar: Bar) -> float | None:
        """Take the next bar in; return the average."""
        high, low = float(bar.high), float(bar.low)
        last = self.last_close
        latest = high - low if last is None else true_range(high, low, last)
        self.last_close = float(bar.close)
        self.seen += 1
        if self.value is None:
            self.total += latest
            if self.seen == self.period:
                self.value = self.total / self.period
        else:
            self.value = wilder_step(self.value, latest, self.period)
        return self.value
