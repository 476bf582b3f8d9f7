"""The account port with a deadline for each answer: an exchange that hangs must not hang whoever asks."""

from collections.abc import Awaitable
from decimal import Decimal
from typing import TypeVar

from app.domain.events import Fill, FundingPaid
from app.domain.position import Position
from app.domain.records import OrderRecord
from app.lifecycle.patience import each_answer_within
from app.ports.account import AccountPort
from app.ports.connection import ExchangeUnavailable

T = TypeVar("T")


class BoundedAccount:
    """Implements ``AccountPort``. No answer in time is an account that cannot be read, never an empty one."""

    def __init__(self, account: AccountPort, timeout_s: float) -> None:
        self._account = account
        self._timeout_s = timeout_s

    async def balance(self) -> Decimal:
        """Return the wallet balance."""
        return await self._in_time(self._account.balance())

    async def positions(self) -> tuple[Position, ...]:
        """Return all positions that are not flat."""
        return await self._in_time(self._account.positions())

    async def open_orders(self) -> tuple[OrderRecord, ...]:
        """Return all working orders."""
        return await self._in_time(self._account.open_orders())

    async def order(self, symbol: str, client_order_id: str) -> OrderRecord | None:
        """Return one order; None only when the exchange definitely does not know it."""
        return await self._in_time(self._account.order(symbol, client_order_id))

    async def fills_since(self, time_ns: int) -> tuple[Fill, ...]:
        """Return the fills at or after ``time_ns``."""
        return await self._in_time(self._account.fills_since(time_ns))

    async def funding_since(self, time_ns: int) -> tuple[FundingPaid, ...]:
        """Return the funding settlements at or after ``time_ns``."""
        return await self._in_time(self._account.funding_since(time_ns))

    async def _in_time(self, answer: Awaitable[T]) -> T:
        try:
            async with each_answer_within(self._timeout_s):
                return await answer
        except TimeoutError:
            raise ExchangeUnavailable(f"no answer within {self._timeout_s:g} s (execution.query_timeout_s)") from None
