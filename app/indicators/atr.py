"""Average true range."""

import msgspec

from app.domain.market import Bar


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

    def update(self, bar: Bar) -> float | None:
        """Take the next bar in; return the average."""
        high, low = float(bar.high), float(bar.low)
        last = self.last_close
        true_range = high - low if last is None else max(high, last) - min(low, last)
        self.last_close = float(bar.close)
        self.seen += 1
        if self.value is None:
            self.total += true_range
            if self.seen == self.period:
                self.value = self.total / self.period
        else:
            self.value += (true_range - self.value) / self.period
        return self.value
