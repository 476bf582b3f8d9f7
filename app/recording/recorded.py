"""Clock, journal and exchange of a bot, each of which tells a recorder what crosses it, and changes nothing else."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from app.domain.events import Fill, FundingPaid, StreamEvent
from app.domain.instrument import Instrument
from app.domain.margin import MarginMode
from app.domain.market import Bar
from app.domain.order import Order
from app.domain.position import Position
from app.domain.records import OrderIntended, OrderRecord, Record
from app.ports.clock import Clock
from app.ports.connection import Capabilities
from app.ports.journal import Journal, JournalFailed, Recovered, Ticket
from app.recording.tape import Canceled, Durable, Handed, Memory, Submitted

if TYPE_CHECKING:
    from app.recording.recorder import Recorder


class RecordedClock:
    """Implements ``Clock``: the time of what came in last."""

    def __init__(self, clock: Clock, *, is_virtual: bool) -> None:
        self._clock = clock
        self._is_virtual = is_virtual
        self.now_ns = clock.now_ns

    def step(self) -> int:
        """Read the real clock; return what it says."""
        self.now_ns = self._clock.now_ns
        return self.now_ns

    def advance_to(self, time_ns: int) -> None:
        """Move with the stream, where the stream is the clock."""
        self._clock.advance_to(time_ns)
        if self._is_virtual:
            self.now_ns = self._clock.now_ns

    def follow(self, time_ns: int) -> None:
        """Have the real clock go by the exchange's; what it says comes with what comes in next."""
        self._clock.follow(time_ns)
        if self._is_virtual:
            self.now_ns = self._clock.now_ns


class RecordedJournal:
    """Implements ``Journal``: what it remembers and when it is durable comes in, the rest follows from the stream."""

    def __init__(self, recorder: "Recorder", journal: Journal) -> None:
        self._recorder = recorder
        self._journal = journal

    def append(self, first: Record, /, *rest: Record) -> Ticket:
        """Take records in, together."""
        try:
            ticket = self._journal.append(first, *rest)
        except JournalFailed as error:
            self._recorder.cut(f"the store failed, which a replay does not know: {error}")
            raise
        for record in (first, *rest):
            if isinstance(record, OrderIntended):
                return RecordedTicket(self._recorder, ticket, record.order.client_order_id)
        return ticket

    def ticket(self) -> Ticket:
        """Return the promise for all that was taken in before."""
        return self._journal.ticket()

    def recovered(self) -> Recovered:
        """Return what was on record when the journal was opened."""
        return self._journal.recovered()

    def state_of(self, owner: str) -> bytes | None:
        """Return what ``owner`` saved last."""
        payload = self._journal.state_of(owner)
        if payload is not None:
            self._recorder.put(Memory(owner, payload))
        return payload

    def digest(self) -> str:
        """Return a digest of this run's orders and fills."""
        return self._journal.digest()

    @property
    def failure(self) -> JournalFailed | None:
        """Why the store cannot be written any more."""
        failure = self._journal.failure
        if failure is not None:
            self._recorder.cut(f"the store failed, which a replay does not know: {failure}")
        return failure


class RecordedTicket:
    """A promise whose keeping is taken down."""

    __slots__ = ("_client_order_id", "_recorder", "_ticket")

    def __init__(self, recorder: "Recorder", ticket: Ticket, client_order_id: str) -> None:
        self._recorder = recorder
        self._ticket = ticket
        self._client_order_id = client_order_id

    @property
    def durable(self) -> bool:
        """Whether the intent is on disk."""
        durable = self._ticket.durable
        if durable:
            self._note(at_once=True)
        return durable

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once it is."""

        def tell() -> None:
            self._note(at_once=False)
            callback()

        self._ticket.when_durable(tell)

    def _note(self, *, at_once: bool) -> None:
        recorder = self._recorder
        recorder.put(Durable(recorder.at_s, recorder.clock.step(), self._client_order_id, at_once))


class RecordedExchange:
    """Implements all four ports of an exchange, and passes everything on."""

    def __init__(self, recorder: "Recorder", exchange: Any) -> None:  # noqa: ANN401 - an adapter implements four ports at once
        self._recorder = recorder
        self._exchange = exchange

    # -- Connection ----------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter can do."""
        capabilities: Capabilities = self._exchange.capabilities
        return capabilities

    @property
    def now_ns(self) -> int:
        """The exchange's time."""
        now_ns: int = self._exchange.now_ns
        return now_ns

    @property
    def ended(self) -> bool:
        """Whether no event will come any more."""
        ended: bool = self._exchange.ended
        return ended

    async def connect(self) -> None:
        """Open the connection; its time is part of the answer."""

        async def connected() -> int:
            await self._exchange.connect()
            return self.now_ns

        await self._recorder.ask("connect", connected())

    async def close(self) -> None:
        """Close the connection: nothing that matters can happen any more."""
        self._recorder.end()
        await self._exchange.close()

    def next_event(self) -> StreamEvent | None:
        """Return the next event, taken down."""
        event: StreamEvent | None = self._exchange.next_event()
        if event is not None:
            self._recorder.put(Handed(self._recorder.at_s, self._recorder.clock.step(), event))
        return event

    async def wait(self) -> None:
        """Return when there may be an event."""
        await self._exchange.wait()

    def wake(self) -> None:
        """Have a ``wait`` return."""
        self._exchange.wake()

    # -- MarketData and AccountPort ------------------------------------------------------------------------------

    async def instruments(self) -> tuple[Instrument, ...]:
        """Return what is listed."""
        return await self._recorder.ask("instruments", self._exchange.instruments())

    async def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return closed bars."""
        return await self._recorder.ask("history", self._exchange.history(symbol, interval_s, count))

    async def balance(self) -> Decimal:
        """Return the wallet balance."""
        return await self._recorder.ask("balance", self._exchange.balance())

    async def positions(self) -> tuple[Position, ...]:
        """Return all positions that are not flat."""
        return await self._recorder.ask("positions", self._exchange.positions())

    async def open_orders(self) -> tuple[OrderRecord, ...]:
        """Return all working orders."""
        return await self._recorder.ask("open_orders", self._exchange.open_orders())

    async def order(self, symbol: str, client_order_id: str) -> OrderRecord | None:
        """Return one order."""
        return await self._recorder.ask(f"order {client_order_id}", self._exchange.order(symbol, client_order_id))

    async def fills_since(self, time_ns: int) -> tuple[Fill, ...]:
        """Return the fills at or after ``time_ns``."""
        return await self._recorder.ask("fills_since", self._exchange.fills_since(time_ns))

    async def funding_since(self, time_ns: int) -> tuple[FundingPaid, ...]:
        """Return the settlements at or after ``time_ns``."""
        return await self._recorder.ask("funding_since", self._exchange.funding_since(time_ns))

    # -- OrderEntry ----------------------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        """Send an order."""
        self._recorder.put(Submitted(order))
        self._exchange.submit(order)

    def cancel(self, order: Order, reason: str) -> None:
        """Ask for an order to be canceled."""
        self._recorder.put(Canceled(order.client_order_id))
        self._exchange.cancel(order, reason)

    async def configure(self, symbol: str, margin_mode: MarginMode, leverage: Decimal) -> None:
        """Set margin mode and leverage."""
        await self._recorder.ask("configure", self._exchange.configure(symbol, margin_mode, leverage))
