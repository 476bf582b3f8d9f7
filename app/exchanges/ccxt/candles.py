"""Closed candles out of candles that still move. Pure."""

from collections.abc import Iterable

from app.domain.market import SECOND_NS, Bar

GRACE_NS = SECOND_NS
"""After the end of a candle that nothing follows: its last update may be on its way."""


class Candles:
    """Hands out each candle of one symbol once, when it is over, in order."""

    def __init__(self, interval_s: int) -> None:
        self._interval_ns = interval_s * SECOND_NS
        self._open: Bar | None = None
        self.closed_ns: int | None = None
        """When the last candle that was handed out closed."""

    def is_over(self, candle: Bar) -> bool:
        """Whether a candle, or a later one, was handed out."""
        return self.closed_ns is not None and candle.time_ns <= self.closed_ns

    def take(self, candles: Iterable[Bar]) -> list[Bar]:
        """Take candles as they are now; return those that are over because a later one has begun."""
        over = []
        for candle in sorted(candles, key=lambda item: item.time_ns):
            if self.is_over(candle):
                continue
            if self._open is not None and candle.time_ns > self._open.time_ns:
                over.append(self._close(self._open))
            self._open = candle
        return over

    def due(self, now_ns: int) -> list[Bar]:
        """Return the candle whose time is over, though nothing was traded since."""
        if self._open is None or now_ns < self._open.time_ns + GRACE_NS:
            return []
        return [self._close(self._open)]

    def _close(self, candle: Bar) -> Bar:
        self._open = None
        self.closed_ns = candle.time_ns
        return candle
