"""The fills that were booked last, for comparison with what is told under the same trade id."""

from app.domain.events import Fill

KEPT_MAX = 1_000
"""A fill is told again within minutes; the books themselves know far older trade ids."""


class RecentFills:
    """As they were booked, by trade id; the oldest are forgotten."""

    __slots__ = ("_fills", "find")

    def __init__(self) -> None:
        self._fills: dict[str, Fill] = {}
        self.find = self._fills.get
        """Return the fill that was booked under a trade id; None when there is none, or it was long ago."""

    def add(self, fill: Fill) -> None:
        """Keep a fill that was booked."""
        fills = self._fills
        fills[fill.trade_id] = fill
        if len(fills) > KEPT_MAX:
            del fills[next(iter(fills))]
