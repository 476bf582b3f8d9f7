"""What a replayed bot asks about market and account, answered as it was then."""

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import Any

from app.domain.events import Fill, FundingPaid
from app.domain.instrument import Instrument
from app.domain.margin import MarginMode
from app.domain.market import Bar
from app.domain.position import Position
from app.domain.records import OrderRecord


class PlayedAccount(ABC):
    """Implements ``MarketData``, ``AccountPort`` and the part of ``OrderEntry`` that is answered."""

    @abstractmethod
    async def ask(self, question: str, kind: Any) -> Any:  # noqa: ANN401 - a type expression for msgspec, and its value
        """Return the answer of the record to a question; raises what was raised then."""

    async def instruments(self) -> tuple[Instrument, ...]:
        """Return what was listed."""
        answer: tuple[Instrument, ...] = await self.ask("instruments", tuple[Instrument, ...])
        return answer

    async def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return the closed bars of then."""
        del symbol, interval_s, count
        answer: tuple[Bar, ...] = await self.ask("history", tuple[Bar, ...])
        return answer

    async def balance(self) -> Decimal:
        """Return the wallet balance of then."""
        answer: Decimal = await self.ask("balance", Decimal)
        return answer

    async def positions(self) -> tuple[Position, ...]:
        """Return the positions of then."""
        answer: tuple[Position, ...] = await self.ask("positions", tuple[Position, ...])
        return answer

    async def open_orders(self) -> tuple[OrderRecord, ...]:
        """Return the working orders of then."""
        answer: tuple[OrderRecord, ...] = await self.ask("open_orders", tuple[OrderRecord, ...])
        return answer

    async def order(self, symbol: str, client_order_id: str) -> OrderRecord | None:
        """Return an order as it was then."""
        del symbol
        answer: OrderRecord | None = await self.ask(f"order {client_order_id}", OrderRecord | None)
        return answer

    async def fills_since(self, time_ns: int) -> tuple[Fill, ...]:
        """Return the fills that were told then."""
        del time_ns
        answer: tuple[Fill, ...] = await self.ask("fills_since", tuple[Fill, ...])
        return answer

    async def funding_since(self, time_ns: int) -> tuple[FundingPaid, ...]:
        """Return the settlements that were told then."""
        del time_ns
        answer: tuple[FundingPaid, ...] = await self.ask("funding_since", tuple[FundingPaid, ...])
        return answer

    async def configure(self, symbol: str, margin_mode: MarginMode, leverage: Decimal) -> None:
        """Wait for the answer of then."""
        del symbol, margin_mode, leverage
        await self.ask("configure", None)
