"""Reads the account at the exchange and brings the books to it. What cannot be read changes nothing."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec

from app.coordinators.bookkeeper import Bookkeeper
from app.coordinators.bounded_account import BoundedAccount
from app.coordinators.takeover import Takeover
from app.domain.events import Severity, StreamEvent
from app.domain.market import SECOND_NS
from app.domain.money import plain
from app.domain.order import CONFIRMED, OrderStatus
from app.domain.records import MemoryLost, Mismatch, StateSaved
from app.execution import (
    AbsentOrders,
    AccountBooks,
    FlawedFills,
    compare_balance,
    compare_positions,
    counted_otherwise,
    foreign_orders,
    outcome,
)
from app.lifecycle import CoordinatorContext

OWNER = "reconciler"
ADOPTED = "position_adopted"
LOOK_BACK_NS = 60 * SECOND_NS
"""Fills are asked for from a little before the last agreement: clocks differ, and duplicates do no harm."""
SETTLING_S = 1.0
"""Wall time after which a difference that was only on its way has arrived."""
OPENING_LOOKS = 5
"""How often the start looks again within it: the market does not stop for us."""


class ReconciliationFailed(Exception):
    """At the start, the exchange and the books do not agree."""

    def __init__(self, found: list[Mismatch]) -> None:
        self.found = found
        super().__init__(
            f"the exchange and the journal do not agree ({words_of(found)}): close or cancel by hand "
            "what is not the bot's, or start with an empty state folder and a flat account"
        )


def words_of(found: list[Mismatch]) -> str:
    """Return what differs, in words for people."""
    return "; ".join(f"{m.kind} {m.symbol}: ours {m.ours or 'none'}, theirs {m.theirs}" for m in found)


class _Memory(msgspec.Struct):
    """What outlives a restart."""

    seen_ns: int
    """Up to here nothing can have been missed."""
    opened_ns: int = 0
    """What was filled before is part of the opening balance: an account may be older than its books."""


class Reconciler:
    """Compares orders, fills, funding, positions and balance."""

    def __init__(
        self,
        context: CoordinatorContext,
        books: AccountBooks,
        bookkeeper: Bookkeeper,
        flawed: FlawedFills,
        apply: Callable[[StreamEvent], None],
        record: Callable[..., None],
    ) -> None:
        self._context = context
        self._bookkeeper = bookkeeper
        self._flawed = flawed
        self._books = books
        self._portfolio = books.portfolio
        self._tracker = books.tracker
        self._apply = apply
        self._record = record
        self._account = BoundedAccount(context.account, context.settings.execution.query_timeout_s)
        self.takeover = Takeover(context, books, apply, record)
        """What was taken over, and is to be closed."""
        self._requested = asyncio.Event()
        self._valid_ns = int(context.settings.execution.request_valid_s * SECOND_NS)
        self.absent = AbsentOrders(
            books.tracker,
            context.clock,
            valid_ns=self._valid_ns,
            refuses_late=context.capabilities.refuses_late_orders,
        )
        self._memory = _Memory(context.journal.recovered().last_time_ns or 0)

    def recall(self) -> None:
        """Take over what an earlier run saved. What cannot be read is told, and done without: the exchange is asked."""
        saved, known_ns = self._context.journal.state_of(OWNER), self._memory.seen_ns
        try:
            self._memory = self._memory if saved is None else msgspec.json.decode(saved, type=_Memory)
        except msgspec.MsgspecError as error:
            self._context.facts.publish(MemoryLost(known_ns, "what the comparison with the exchange knew", str(error)))

    def request(self) -> None:
        """Have the next comparison come at once."""
        self._requested.set()

    @property
    def is_requested(self) -> bool:
        """Whether there is a request that no comparison has begun to answer."""
        return self._requested.is_set()

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
        account = self._account
        if not self._context.journal.recovered().ledger_totals:
            # Nothing was ever posted: not by a first start, nor by one that failed before it came to this.
            self._memory.opened_ns = self._context.clock.now_ns
            self._save()
            self._bookkeeper.open(await account.balance())
        await self._catch_up()
        for tracked in self._tracker.all_working():
            await self._resolve(tracked.order.symbol, tracked.order.client_order_id)
        found = await self._differences()
        for _ in range(OPENING_LOOKS):
            if not found:
                break
            # Between one answer and the next something was filled, or an order ended.
            await asyncio.sleep(SETTLING_S / OPENING_LOOKS)
            await self._catch_up()
            await self.resolve_unknown()
            found = await self._differences()
        found = await self._recount(found)
        if found:
            self._report(found)
            found = await self._take_left_out(found)
        if found:
            found = await self._take_over()
        if found:
            raise ReconciliationFailed(found)
        self._flawed.begin_comparison()
        self._agree()

    async def compare(self) -> str:
        """Compare during a run; return what differs, in words, and nothing where exchange and books agree.

        What is still on its way to us looks like a difference, so only what differs twice in a row counts.
        """
        self._flawed.begin_comparison()
        found = await self._lasting_differences()
        if found:
            self._report(found)
            self.takeover.take_orders(await self._account.open_orders())
            found = await self._take_left_out(found)
        if not found:
            self._agree()
        return words_of(found)

    async def _lasting_differences(self) -> list[Mismatch]:
        await self._catch_up()
        first = await self._differences()
        if not first:
            return []
        await asyncio.sleep(SETTLING_S)
        await self._catch_up()
        seen = {(mismatch.kind, mismatch.symbol, mismatch.ours, mismatch.theirs) for mismatch in first}
        found = [m for m in await self._differences() if (m.kind, m.symbol, m.ours, m.theirs) in seen]
        return await self._recount(found)

    def _agree(self) -> None:
        self._flawed.agree()
        self._save()

    async def resolve_unknown(self) -> None:
        """Ask for every order of unknown outcome, for those that were not there, and for those never answered."""
        overdue_ns, absent = self._context.clock.now_ns - self._valid_ns, self.absent.ids()
        for tracked in self._tracker.all_working():
            order = tracked.order
            unanswered = tracked.status is OrderStatus.SENT and order.created_ns < overdue_ns
            if unanswered or tracked.status is OrderStatus.UNKNOWN or order.client_order_id in absent:
                await self._resolve(order.symbol, order.client_order_id)

    async def _catch_up(self) -> None:
        """Take in what the stream may have missed: fills, funding, ends of orders. What it told already counts once."""
        account, began_ns = self._account, self._context.clock.now_ns
        since = max(self._memory.opened_ns, self._memory.seen_ns - LOOK_BACK_NS)
        for fill in await account.fills_since(since):
            self._apply(fill)
        for paid in await account.funding_since(since):
            self._apply(paid)
        # Only now: an exchange that could not be asked is asked for the whole time the next time.
        self._memory.seen_ns = began_ns
        listed = {record.order.client_order_id for record in await account.open_orders()}
        for tracked in self._tracker.all_working():
            if tracked.status in CONFIRMED and tracked.order.client_order_id not in listed:
                await self._resolve(tracked.order.symbol, tracked.order.client_order_id)

    async def _differences(self) -> list[Mismatch]:
        account, now_ns = self._account, self._context.clock.now_ns
        positions, balance, orders = await account.positions(), await account.balance(), await account.open_orders()
        known = [item.order.client_order_id for item in self._tracker.all_working()]
        return [
            *compare_positions(self._portfolio.positions, positions, now_ns),
            *compare_balance(self._portfolio.balance, balance, self._portfolio.currency, now_ns),
            *foreign_orders(known, orders, self._context.ids.is_of_another_journal, now_ns),
        ]

    async def _recount(self, found: list[Mismatch]) -> list[Mismatch]:
        """Divide profit as the exchange does, when that is all that differs; return what differs then."""
        if [mismatch.kind for mismatch in found] != ["balance"]:
            return found
        portfolio = self._portfolio
        theirs, balance = await self._account.positions(), await self._account.balance()
        moves = counted_otherwise(portfolio.positions, theirs, balance - portfolio.balance, self._books.instruments)
        for symbol, amount in moves.items():
            self._bookkeeper.recount(symbol, amount)
        if not moves:
            return found
        self._tell(found, "recounted")
        return await self._differences()

    async def _take_over(self) -> list[Mismatch]:
        """Adopt what the settings say is to be adopted; return what still differs."""
        takeover, account = self.takeover, self._account
        takeover.take_orders(await account.open_orders())
        if takeover.takes_strangers:
            takeover.take_positions(await account.positions())
            self._bookkeeper.adopt_balance(await account.balance())
        return await self._differences()

    async def _take_left_out(self, found: list[Mismatch]) -> list[Mismatch]:
        """Adopt what fills that could not be booked have made of the account, as nothing else explains it.

        Args:
            found: What differs, and has differed for a while.

        Returns:
            What differs now.
        """
        if not self._flawed.left_out:
            return await self._differences()
        takeover, account = self.takeover, self._account
        taken = [
            f"the position of {plain(self._portfolio.position(symbol).contracts)} {symbol}"
            for symbol in takeover.take_left_out(await account.positions(), self._flawed.left_out)
        ]
        lasting = [mismatch.theirs for mismatch in found if mismatch.kind == "balance"]
        balance = await account.balance()
        if lasting == [plain(balance)] and self._bookkeeper.adopt_balance(balance):
            # Its fee, and what it realized, only the exchange knows.
            taken.append(f"the balance of {plain(balance)}")
        if taken:
            detail = (
                f"a fill could not be booked as it was told, so {' and '.join(taken)} was taken from the exchange: "
                "compare with its own list of fills, and resume"
            )
            self._context.trading_state.raise_reason(OWNER, ADOPTED, Severity.REDUCE_ONLY, detail, latched=True)
        return await self._differences()

    def _report(self, found: list[Mismatch]) -> None:
        self._tell(found, self.takeover.action)

    def _tell(self, found: list[Mismatch], action: str) -> None:
        for mismatch in found:
            told = msgspec.structs.replace(mismatch, action=action)
            self._record(told)
            self._context.facts.publish(told)

    async def _resolve(self, symbol: str, client_order_id: str) -> None:
        theirs = await self._account.order(symbol, client_order_id)
        tracked = self._tracker.find(client_order_id)
        if tracked is None or not tracked.is_working:
            # Its own event came while we asked.
            return
        if theirs is None and self.absent.note(tracked):
            return
        self.absent.forget(client_order_id)
        event = outcome(tracked.record(), theirs, self._context.clock.now_ns)
        if event is not None:
            self._apply(event)

    def _save(self) -> None:
        """Remember up to when the books are complete, so that a restart asks for all that came later."""
        self._record(StateSaved(OWNER, msgspec.json.encode(self._memory), self._context.clock.now_ns))
