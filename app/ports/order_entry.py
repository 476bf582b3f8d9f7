"""Order entry. Only the one send point and the adapters may import this."""

from decimal import Decimal
from typing import Protocol

from app.domain.margin import MarginMode
from app.domain.order import Order


class OrderEntry(Protocol):
    """Requests never suspend: the adapter owns the network, and what became of a request comes back on the stream."""

    def submit(self, order: Order) -> None:
        """Send an order."""

    def cancel(self, order: Order, reason: str) -> None:
        """Ask for what is left of an order to be canceled."""

    async def configure(self, symbol: str, margin_mode: MarginMode, leverage: Decimal) -> None:
        """Set margin mode and leverage of a symbol; already set is success."""
