"""The account as the exchange sees it. "Cannot read" is an error, never an empty answer."""

from decimal import Decimal
from typing import Protocol

from app.domain.events import Fill, FundingPaid
from app.domain.position import Position
from app.domain.records import OrderRecord


class AccountPort(Protocol):
    """Queries for reconciliation."""

    async def balance(self) -> Decimal:
        """Return the wallet balance in the settlement currency, without unrealized PnL."""

    async def positions(self) -> tuple[Position, ...]:
        """Return all positions that are not flat."""

    async def open_orders(self) -> tuple[OrderRecord, ...]:
        """Return all working orders, foreign ones included."""

    async def order(self, symbol: str, client_order_id: str) -> OrderRecord | None:
        """Return one order, working or ended; None only when the exchange definitely does not know it."""

    async def fills_since(self, time_ns: int) -> tuple[Fill, ...]:
        """Return the fills at or after ``time_ns``, oldest first.

        Whoever asks waits so long for each answer of the exchange (``execution.query_timeout_s``). Where this takes
        several, as pages do, call ``lifecycle.patience.note_answer`` after each of them.
        """

    async def funding_since(self, time_ns: int) -> tuple[FundingPaid, ...]:
        """Return the funding settlements of our positions at or after ``time_ns``, oldest first; as with fills."""
