"""What a strategy may see."""

from decimal import Decimal
from typing import Protocol

from app.domain.instrument import Instrument
from app.domain.position import Position


class StrategyView(Protocol):
    """Read-only. Sizes in contracts, prices in quote currency, money in the settlement currency."""

    @property
    def equity(self) -> Decimal:
        """Balance plus unrealized PnL."""

    def position(self, symbol: str) -> Position:
        """Return the position in ``symbol``; flat when there is none."""

    def mark(self, symbol: str) -> Decimal | None:
        """Return the last mark price; None when none has been seen."""

    def instrument(self, symbol: str) -> Instrument:
        """Return the instrument ``symbol``."""
