"""Market data: what can be traded, and what its prices were."""

from typing import Protocol

from app.domain.instrument import Instrument
from app.domain.market import Bar


class MarketData(Protocol):
    """Read-only. Never returns an empty answer for "could not read": it raises."""

    async def instruments(self) -> tuple[Instrument, ...]:
        """Return the instruments of the configured symbols."""

    async def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return up to ``count`` closed bars before now, oldest first; fewer when there are no more."""
