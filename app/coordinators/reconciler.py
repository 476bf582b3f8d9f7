"""Reads the account at the exchange and brings the books to it. What cannot be read changes nothing."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

from app.domain.events import StreamEvent
from app.domain.market import SECOND_NS
from app.domain.order import OrderStatus
from app.domain.portfolio import Portfolio
from app.domain.records import Mismatch, Record
from app.execution import OrderTracker, compare_balance, compare_positions, foreign_orders, outcome
from app.lifecycle import CoordinatorContext

LOOK_BACK_NS = 60 * SECOND_NS
"""Fills are asked for from a little before the last record: venue clocks and ours differ, and duplicates do no harm."""


SETTLING_S = 1.0
"""Wall time after which a difference that was only on its way has arrived."""


class ReconciliationFailed(Exception):
    """At the start, the exchange and the books do not agree."""

    def __init__(self, found: list[Mismatch]) -> None:
        self.found = found
        text = "; ".join(f"{m.kind} {m.symbol}: ours {m.ours or 'none'}, theirs {m.theirs}" for m in found)
        super().__init__(
            f"the exchange and the journal do not agree ({text}): close or cancel by hand what is not the bot's, "
            "or start with an empty state folder and a flat account"
        )


class Reconciler:
    """Compares orders, fills, funding, positions and balance."""

    def __init__(
        self,
        context: CoordinatorContext,
        portfolio: Portfolio,
        tracker: OrderTracker,
        apply: Callable[[StreamEvent], None],
        record: Callable[..., None],
    ) -> None:
        self._context = context
        self._portfolio = portfolio
        self._tracker = tracker
        self._apply = apply
        self._record: Callable[[Record], None] = record
        self._requested = asyncio.Event()
        self._last_ns = context.journal.recovered().last_time_ns

    def request(self) -> None:
        """Have the next comparison come at once."""
        self._requested.set()

    async def wait(self, seconds: float) -> None:
        """Return when a comparison was requested, or after ``seconds``."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._requested.wait(), seconds)
        self._requested.clear()

    async def open(self) -> None:
        """Bring the books to the exchange at the start of a run.

        Raises:
            ReconciliationFailed: They do not agree after everything that was missed has been taken in.
        """
        account = self._context.account
        if not self._context.journal.recovered().ledger_totals:
            # Nothing was ever posted: not by a first start, nor by one that failed before it came to this.
            self._open_books(await account.balance())
        await self._catch_up()
        for tracked in self._tracker.all_working():
            await self._resolve(tracked.order.symbol, tracked.order.client_order_id)
        found = await self._differences()
        self._report(found)
        if found:
            raise ReconciliationFailed(found)

    async def compare(self) -> bool:
        """Compare during a run; return whether exchange and books agree.

        What is still on its way to us looks like a difference, so only what differs twice in a row counts.
        """
        await self._catch_up()
        first = await self._differences()
        if not first:
            return True
        await asyncio.sleep(SETTLING_S)
        await self._catch_up()
        seen = {(mismatch.kind, mismatch.symbol, mismatch.ours, mismatch.theirs) for mismatch in first}
        found = [m for m in await self._differences() if (m.kind, m.symbol, m.ours, m.theirs) in seen]
        self._report(found)
        return not found

    async def resolve_unknown(self) -> None:
        """Ask for every order of unknown outcome."""
        for tracked in self._tracker.all_working():
            if tracked.status is OrderStatus.UNKNOWN:
                await self._resolve(tracked.order.symbol, tracked.order.client_order_id)

    async def _catch_up(self) -> None:
        """Take in fills and funding that the stream may have missed; what it told already counts once."""
        since = 0 if self._last_ns is None else self._last_ns - LOOK_BACK_NS
        self._last_ns = self._context.clock.now_ns
        for fill in await self._context.account.fills_since(since):
            self._apply(fill)
        for paid in await self._context.account.funding_since(since):
            self._apply(paid)

    async def _differences(self) -> list[Mismatch]:
        account, now_ns = self._context.account, self._context.clock.now_ns
        positions, balance, orders = await account.positions(), await account.balance(), await account.open_orders()
        known = [item.order.client_order_id for item in self._tracker.all_working()]
        return [
            *compare_positions(self._portfolio.positions, positions, now_ns),
            *compare_balance(self._portfolio.balance, balance, self._portfolio.currency, now_ns),
            *foreign_orders(known, orders, now_ns),
        ]

    def _report(self, found: list[Mismatch]) -> None:
        for mismatch in found:
            self._record(mismatch)
            self._context.facts.publish(mismatch)

    async def _resolve(self, symbol: str, client_order_id: str) -> None:
        theirs = await self._context.account.order(symbol, client_order_id)
        tracked = self._tracker.find(client_order_id)
        if tracked is None or not tracked.is_working:
            # Its own event came while we asked.
            return
        event = outcome(tracked.record(), theirs, self._context.clock.now_ns)
        if event is not None:
            self._apply(event)

    def _open_books(self, balance: Decimal) -> None:
        """Begin the ledger with what the exchange says is in the account."""
        self._record(self._portfolio.deposit("opening balance", balance, self._context.clock.now_ns))
