"""The edges of a bot's process, with every call across them counted: where a crash can come between two steps.

A step is an append to the journal, a commit, a request to the venue, a question about the account, or an event that is
taken in. Each has a moment right before it and one right after it.
"""

from collections.abc import Callable
from decimal import Decimal
from random import Random

from app.domain.events import StreamEvent
from app.domain.order import Order
from app.domain.records import Record
from app.simulation.link import VenueLink
from app.simulation.store import SimulatedJournal, SimulatedStore, SimulatedTicket
from app.storage.fold import recovered_from

IDLE = frozenset({"MarkPrice", "Trade", "Timer"})


class Moments:
    """Counts the moments of a run, and crashes the process at one of them."""

    def __init__(self, crash_at: int | None) -> None:
        self._crash_at = crash_at
        self._is_idle = False
        self.names: list[str] = []
        self.crash: Callable[[], None] = lambda: None
        """Kills the process that runs; set at each start."""

    def come(self, name: str) -> None:
        """Be at a moment: ``before`` or ``after`` something.

        Between one price and the next nothing has happened that a crash could take: they are one moment.
        """
        was_idle, self._is_idle = self._is_idle, name.partition(" ")[2] in IDLE
        if was_idle and self._is_idle:
            return
        self.names.append(name)
        if len(self.names) - 1 == self._crash_at:
            self.crash()

    @property
    def crashed_at(self) -> str | None:
        """Where the process was killed; None when it was not."""
        at = self._crash_at
        return self.names[at] if at is not None and at < len(self.names) else None


class SteppedStore(SimulatedStore):
    """What is on disk, behind a journal whose appends and commits are steps."""

    def __init__(self, random: Random, moments: Moments) -> None:
        super().__init__(random)
        self._moments = moments

    def begin(self) -> "SteppedJournal":
        """Return the journal of one more start."""
        self.epoch += 1
        last_ns = self.records[-1].time_ns if self.records else None
        return SteppedJournal(self, recovered_from(self._fold, self.epoch, last_ns), self._moments)


class SteppedJournal(SimulatedJournal):
    """A crash before a commit loses its records, one after it keeps them and tells nobody."""

    def __init__(self, store: SteppedStore, recovered, moments: Moments) -> None:
        super().__init__(store, recovered, lambda _: None, lambda: self._step("after commit"))
        self._moments = moments

    def append(self, first: Record, /, *rest: Record) -> SimulatedTicket:
        name = "append " + ", ".join(type(record).__name__ for record in (first, *rest))
        self._step(f"before {name}")
        ticket = super().append(first, *rest)
        self._step(f"after {name}")
        return ticket

    def _commit(self) -> None:
        if self._queue:
            self._step("before commit")
        super()._commit()

    def _step(self, name: str) -> None:
        if not self._dead:
            self._moments.come(name)


class SteppedLink(VenueLink):
    """What was sent before the crash travels on; what comes after it never left."""

    def __init__(self, venue, random: Random, valid_s: float, moments: Moments) -> None:
        super().__init__(venue, random, lambda *_: None, valid_s)
        self._moments = moments

    def next_event(self) -> StreamEvent | None:
        event = super().next_event()
        if event is not None:
            self._step(f"before {type(event).__name__}")
        return event

    def submit(self, order: Order) -> None:
        self._step(f"before submit {order.purpose}")
        super().submit(order)
        self._step(f"after submit {order.purpose}")

    def cancel(self, order: Order, reason: str) -> None:
        self._step(f"before cancel {order.purpose}")
        super().cancel(order, reason)
        self._step(f"after cancel {order.purpose}")

    async def configure(self, symbol: str, margin_mode, leverage: Decimal) -> None:
        await self._asked("configure", super().configure(symbol, margin_mode, leverage))

    async def connect(self) -> None:
        await self._asked("connect", super().connect())

    async def instruments(self):
        return await self._asked("instruments", super().instruments())

    async def balance(self):
        return await self._asked("balance", super().balance())

    async def positions(self):
        return await self._asked("positions", super().positions())

    async def open_orders(self):
        return await self._asked("open_orders", super().open_orders())

    async def order(self, symbol, client_order_id):
        return await self._asked("order", super().order(symbol, client_order_id))

    async def fills_since(self, time_ns):
        return await self._asked("fills_since", super().fills_since(time_ns))

    async def funding_since(self, time_ns):
        return await self._asked("funding_since", super().funding_since(time_ns))

    async def _asked(self, name: str, answer):
        self._step(f"before {name}")
        value = await answer
        self._step(f"after {name}")
        return value

    def _step(self, name: str) -> None:
        if not self.is_dead:
            self._moments.come(name)
