"""Where the simulated exchange's market events come from."""

from collections.abc import Iterator
from typing import Protocol

from app.domain.market import Bar, MarketEvent, MarkPrice
from app.exchanges.matching import PriceRange


class MarketSource(Protocol):
    """A deterministic sequence of market events, in the order of their times."""

    @property
    def start_ns(self) -> int:
        """Time before the first event."""

    @property
    def events(self) -> Iterator[MarketEvent]:
        """The events that are still to come; ``restore`` makes it another iterator."""

    def mark_range(self, mark: MarkPrice) -> tuple[PriceRange, bool] | None:
        """Return the marks of the bar that ``mark`` closes, and whether they are known; None for a single price."""

    def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return up to ``count`` bars that closed before the first event, oldest first."""

    def state(self) -> bytes:
        """Return where it is."""

    def restore(self, payload: bytes) -> None:
        """Go on where ``state`` was taken."""
