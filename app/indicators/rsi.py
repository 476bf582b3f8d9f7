"""Relative strength index."""

from decimal import Decimal

import msgspec

from app.indicators.period import check_period


def rsi_of(gain: float, loss: float) -> float:
    """Return the index of an average gain and an average loss. Compiled, too, as it stands here."""
    moved = gain + loss
    return 100.0 * gain / moved if moved else 50.0


class Rsi(msgspec.Struct):
    """Wilder's relative strength index, 0 to 100; 50 where the price has not moved at all.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978. float64; None until ``period`` changes were
    seen, which takes one price more.
    """

    period: int
    value: float | None = None
    last: float | None = None
    changes: int = 0
    gain: float = 0.0
    loss: float = 0.0

    def __post_init__(self) -> None:
        check_period(self.period)

    def update(self, price: Decimal | float) -> float | None:
        """Take the next price in; return the index."""
        latest = float(price)
        if self.last is not None:
            change = latest - self.last
            self.changes += 1
            weight = 1.0 / min(self.changes, self.period)
            self.gain += (max(change, 0.0) - self.gain) * weight
            self.loss += (max(-change, 0.0) - self.loss) * weight
            if self.changes >= self.period:
                self.value = rsi_of(self.gain, self.loss)
        self.last = latest
        return self.value
