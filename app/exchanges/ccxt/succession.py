"""The order in which streams tell of the market. What repeats, or goes back, is counted and told once in a while."""

from loguru import logger

from app.domain.market import SECOND_NS

TOLD_EVERY_NS = 60 * SECOND_NS
LATE_NS_MAX = 5 * SECOND_NS
"""By how much a message goes back that is late. By more, it is the venue's clock that was set back: it is gone by."""


class Succession:
    """Of one stream."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._latest: dict[str, tuple[int, int | None]] = {}
        self._count = 0
        self._told_ns: int | None = None

    def follows(self, symbol: str, time_ns: int, number: int | None, now_ns: int) -> bool:
        """Return whether a message comes after those before it, of its symbol; one that does not is counted.

        Args:
            symbol: What it is of.
            time_ns: Of which moment it is, by the venue's clock.
            number: Its number among those of the same moment, which grows; None where the venue gives none.
            now_ns: The venue's clock: what claims to be of later makes nothing late.
        """
        latest_ns, latest = self._latest.get(symbol, (time_ns, None))
        behind_ns = min(latest_ns, now_ns) - time_ns
        repeats = time_ns == latest_ns and number is not None and latest is not None and number <= latest
        if repeats or 0 < behind_ns <= LATE_NS_MAX:
            self.count(now_ns)
            return False
        self._latest[symbol] = (time_ns, number)
        return True

    def count(self, now_ns: int) -> None:
        """Count a message that was left out; the first is told at once, the others a minute later."""
        self._count += 1
        if self._told_ns is None or now_ns - self._told_ns >= TOLD_EVERY_NS:
            logger.bind(stream=self._stream).warning(f"{self._count} messages left out that repeat, or go back")
            self._told_ns, self._count = now_ns, 0

    def begin_anew(self) -> None:
        """Compare with nothing that was told before: the stream was broken."""
        self._latest.clear()
