"""Reads the account at the exchange and brings the books to it. What cannot be read changes nothing."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import msgspec

from app.coordinators.bounded_account import BoundedAccount
from app.coordinators.takeover import Takeover
from app.domain.events import Severity, StreamEvent
from app.domain.market import SECOND_NS
from app.domain.money import plain
from app.domain.order import CONFIRMED, OrderStatus
from app.domain.records import MemoryLost, Mismatch, PositionChanged, StateSaved
from app.execution import (
    AccountBooks,
    TrackedOrder,
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
ABSENT_NS = 60 * SECOND_NS
"""Where an exchange takes orders however late they come: how long one must be absent before anything is made of it."""
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


FLAWED_KEPT_MAX = 200
"""Fills that could not be booked and are remembered: a venue that tells more of them needs its operator."""


class _Flawed(msgspec.Struct):
    """A fill that could not be booked as it was told."""

    symbol: str
    is_explained: bool = False
    """Whether exchange and books have agreed since: what it did is in the books, adopted or as nothing."""


class _Memory(msgspec.Struct):
    """What outlives a restart."""

    seen_ns: int
    """Up to here nothing can have been missed."""
    opened_ns: int = 0
    """What was filled before is part of the opening balance: an account may be older than its books."""
    left_out: dict[str, str | None] = {}
    """Symbols of which a fill could not be booked since the last agreement, with its client order id."""
    flawed: dict[str, _Flawed] = {}
    """Those fills, and the latest before them, by trade id."""


class Reconciler:
    """Compares orders, fills, funding, positions and balance."""

    def __init__(
        self,
        context: CoordinatorContext,
        books: AccountBooks,
        apply: Callable[[StreamEvent], None],
        record: Callable[..., None],
    ) -> None:
        self._context = context
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
        self._absent_ns_max = max(ABSENT_NS, self._valid_ns)
        self._noted: set[str] = set()
        """Symbols of which a fill could not be booked since the comparison that is under way began."""
        self.difference = ""
        """What the last comparison found apart, in words; nothing when it found agreement."""
        self._absent: dict[str, int] = {}
        """Since when an order that should be there is not, by its id."""
        self._given_up: set[str] = set()
        """Absent orders that the operator has given up."""
        self._memory = self._recall()

    def _recall(self) -> _Memory:
        """Return what an earlier run saved. What cannot be read is told, and done without: the exchange is asked."""
        journal = self._context.journal
        saved, last_ns = journal.state_of(OWNER), journal.recovered().last_time_ns or 0
        try:
            return _Memory(last_ns) if saved is None else msgspec.json.decode(saved, type=_Memory)
        except msgspec.MsgspecError as error:
            self._context.facts.publish(MemoryLost(last_ns, "what the comparison with the exchange knew", str(error)))
            return _Memory(last_ns)

    def note_left_out(self, symbol: str, client_order_id: str | None, trade_id: str | None) -> None:
        """Remember that a fill could not be booked: what is held of ``symbol`` the exchange alone can say."""
        self._noted.add(symbol)
        self._memory.left_out[symbol] = client_order_id
        if trade_id is not None and not self.is_explained(trade_id):
            flawed = self._memory.flawed
            flawed[trade_id] = _Flawed(symbol)
            if len(flawed) > FLAWED_KEPT_MAX:
                del flawed[next(iter(flawed))]
        self._save()

    def note_booked(self, trade_id: str) -> None:
        """Forget that a fill could not be booked: it was told right, and is in the books under its own name."""
        if self._memory.flawed and self._memory.flawed.pop(trade_id, None) is not None:
            self._save()

    def is_explained(self, trade_id: str) -> bool:
        """Whether a fill could once not be booked, and what it did is in the books all the same."""
        flawed = self._memory.flawed.get(trade_id)
        return flawed is not None and flawed.is_explained

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
            self._open_books(await account.balance())
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
        self._noted.clear()
        self._agree()

    async def compare(self) -> bool:
        """Compare during a run; return whether exchange and books agree.

        What is still on its way to us looks like a difference, so only what differs twice in a row counts.
        """
        self._noted.clear()
        found = await self._lasting_differences()
        if found:
            self._report(found)
            self.takeover.take_orders(await self._account.open_orders())
            found = await self._take_left_out(found)
        self.difference = words_of(found)
        if not found:
            self._agree()
        return not found

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
        """Forget what agreement has explained: a stranger's position in that symbol is one again."""
        memory = self._memory
        memory.left_out = {symbol: cid for symbol, cid in memory.left_out.items() if symbol in self._noted}
        for flawed in memory.flawed.values():
            flawed.is_explained = flawed.is_explained or flawed.symbol not in memory.left_out
        self._save()

    async def resolve_unknown(self) -> None:
        """Ask for every order of unknown outcome, for those that were not there, and for those never answered."""
        overdue_ns = self._context.clock.now_ns - self._valid_ns
        working = self._tracker.all_working()
        ids = {tracked.order.client_order_id for tracked in working}
        self._absent = {key: since for key, since in self._absent.items() if key in ids}
        for tracked in working:
            order = tracked.order
            unanswered = tracked.status is OrderStatus.SENT and order.created_ns < overdue_ns
            if unanswered or tracked.status is OrderStatus.UNKNOWN or order.client_order_id in self._absent:
                await self._resolve(order.symbol, order.client_order_id)

    def lost(self) -> list[str]:
        """Return the orders that are absent for long and may still arrive: only the operator can give them up."""
        return [
            tracked.order.client_order_id
            for tracked in self._tracker.all_working()
            if not self._refuses_late(tracked)
            and not tracked.order.reduce_only
            and self._absent_ns(tracked) >= self._absent_ns_max
            and tracked.order.client_order_id not in self._given_up
        ]

    def give_up_lost(self) -> None:
        """Take the operator's word that what is lost never arrives: it is asked for once more, and then ended."""
        self._given_up.update(self.lost())

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
        portfolio, now_ns = self._portfolio, self._context.clock.now_ns
        theirs, balance = await self._account.positions(), await self._account.balance()
        ours = portfolio.positions
        moves = counted_otherwise(ours, theirs, balance - portfolio.balance, self._books.instruments)
        for symbol, amount in moves.items():
            entry = portfolio.recount(symbol, amount, f"recount:{symbol}:{now_ns}", now_ns)
            self._record(entry, PositionChanged(portfolio.position(symbol), now_ns))
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
            takeover.take_balance(await account.balance())
        return await self._differences()

    async def _take_left_out(self, found: list[Mismatch]) -> list[Mismatch]:
        """Adopt what fills that could not be booked have made of the account, as nothing else explains it.

        Args:
            found: What differs, and has differed for a while.

        Returns:
            What differs now.
        """
        if not self._memory.left_out:
            return await self._differences()
        takeover, account = self.takeover, self._account
        taken = [
            f"the position of {plain(self._portfolio.position(symbol).contracts)} {symbol}"
            for symbol in takeover.take_left_out(await account.positions(), self._memory.left_out)
        ]
        lasting = [mismatch.theirs for mismatch in found if mismatch.kind == "balance"]
        balance = await account.balance()
        if lasting == [plain(balance)] and takeover.take_balance(balance):
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
        if theirs is None:
            self._absent.setdefault(client_order_id, self._context.clock.now_ns)
            if self._may_still_arrive(tracked):
                return
        self._absent.pop(client_order_id, None)
        self._given_up.discard(client_order_id)
        event = outcome(tracked.record(), theirs, self._context.clock.now_ns)
        if event is not None:
            self._apply(event)

    def _may_still_arrive(self, tracked: TrackedOrder) -> bool:
        """Whether an order that is not there may be on its way: its request travels on when its sender has died.

        It was sent before its outcome became unknown, so before anybody asked for it: what is still absent a whole
        validity window after the first question never arrives any more. Nor does a venue that answers from a copy
        which lags behind make us forget an order that works.

        Where the venue does not enforce that window, absence proves nothing. One that only reduces is given up after a
        while all the same, for an exit must not wait for anybody, and what comes late can open nothing; any other one
        holds growth back until the operator gives it up.
        """
        if self._refuses_late(tracked):
            return self._absent_ns(tracked) < self._valid_ns
        if self._absent_ns(tracked) < self._absent_ns_max:
            return True
        return not tracked.order.reduce_only and tracked.order.client_order_id not in self._given_up

    def _refuses_late(self, tracked: TrackedOrder) -> bool:
        """Whether an order cannot arrive late: the exchange would refuse it, or has had it already."""
        has_arrived = tracked.status in CONFIRMED or bool(tracked.filled)
        return has_arrived or self._context.capabilities.refuses_late_orders

    def _absent_ns(self, tracked: TrackedOrder) -> int:
        now_ns = self._context.clock.now_ns
        return now_ns - self._absent.get(tracked.order.client_order_id, now_ns)

    def _save(self) -> None:
        """Remember up to when the books are complete, so that a restart asks for all that came later."""
        self._record(StateSaved(OWNER, msgspec.json.encode(self._memory), self._context.clock.now_ns))

    def _open_books(self, balance: Decimal) -> None:
        """Begin the ledger with what the exchange says is in the account."""
        self._record(self._portfolio.deposit("opening balance", balance, self._context.clock.now_ns))
