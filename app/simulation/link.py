"""A bot's connection to the simulated venue: the four ports of an exchange, with seeded latency and what goes wrong.

It dies with the bot's process; what it has sent travels on.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Protocol, TypeVar

from app.domain.events import BookStale, CancelRejected, Fill, FundingPaid, OrderRejected, OrderUnknown, StreamEvent
from app.domain.events import StreamReset as Reset
from app.domain.instrument import Instrument
from app.domain.margin import MarginMode
from app.domain.market import SECOND_NS, Bar, FundingRate, MarkPrice, Quote, Trade
from app.domain.order import Order
from app.domain.position import Position
from app.domain.records import OrderRecord
from app.ports.account import AccountPort
from app.ports.connection import Capabilities, Connection, ExchangeUnavailable
from app.ports.market_data import MarketData
from app.simulation.faults import Fault, FaultKind
from app.simulation.venue import Venue

ANSWER_S = 5.0
"""After which an unanswered request has an unknown outcome."""
READ_S = 3.0
ONE_WAY_S = (0.005, 0.12)
"""Between which a message travels, when nothing is wrong. Messages of one kind do not overtake each other."""
MARKET = (Bar, Trade, Quote, MarkPrice, FundingRate)

T = TypeVar("T")
Take = Callable[..., Fault | None]
"""Gives the fault of one of the kinds that is due, once; None when none is."""


class Link(Connection, MarketData, AccountPort, Protocol):
    """What the world may disturb of a bot's exchange, and what tells it what the bot does."""

    is_dead: bool
    on_submit: Callable[[Order], None]
    """Called with each order before anything of it leaves."""
    on_sent: Callable[[], None]
    """Called when an order has left."""
    on_taken: Callable[[StreamEvent], None]
    """Called with each event before the bot sees it."""
    on_positions: Callable[[float], None]
    """Called when the positions were read, with the time at which the reading began."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing is told at this moment."""

    def die(self) -> None:
        """The process is gone."""

    def fail_next_read(self) -> None:
        """Have whoever reads next meet an error that no adapter should raise."""

    def hang_next_read(self, seconds: float) -> None:
        """Have whoever reads next wait for ``seconds``."""

    def refuse_next(self) -> None:
        """Have the venue refuse the next order."""

    def break_stream(self) -> None:
        """Have whoever asks for the next event meet an error that no adapter should raise."""

    def interrupt(self, seconds: float, why: str) -> None:
        """Lose everything that is told from now on, for a while."""

    def distrust(self, symbol: str) -> None:
        """Say that a symbol's book cannot be trusted."""


MakeLink = Callable[[Venue, Random, Take, float], Link]
"""Makes the link of a life, given its chance, its faults, and how long a request is valid in seconds."""


class VenueLink:
    """Sends at once and never waits; what became of a request comes back on the stream."""

    def __init__(self, venue: Venue, random: Random, take: Take, valid_s: float) -> None:
        self._venue = venue
        self._random = random
        self._take = take
        self._valid_s = valid_s
        self._loop = asyncio.get_running_loop()
        self._queue: deque[StreamEvent] = deque()
        self._on_way: deque[StreamEvent] = deque()
        self._filled = asyncio.Event()
        self._told_s = 0.0
        self._silent_until_s = 0.0
        self._connected = False
        self._read_fails = False
        self._read_hangs_s = 0.0
        self._breaks = False
        self._refuses = False
        self.is_dead = False
        self.ended = False
        self.on_submit: Callable[[Order], None] = lambda _: None
        self.on_sent: Callable[[], None] = lambda: None
        self.on_taken: Callable[[StreamEvent], None] = lambda _: None
        self.on_positions: Callable[[float], None] = lambda _: None

    # -- Connection ----------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """Real time, which here is the loop's."""
        return Capabilities(
            name="simulation",
            refuses_late_orders=True,
            is_virtual=False,
            holds_trailing_stops=self._venue.holds_trailing_stops,
        )

    @property
    def now_ns(self) -> int:
        """The venue's time."""
        return self._venue.now_ns

    async def connect(self) -> None:
        """Listen to the stream."""
        await self._read(lambda: None)
        self._connected = True
        self._venue.on_event = self._hear

    async def close(self) -> None:
        """Hang up."""
        if self._connected and not self.is_dead:
            self._connected = False
            self._venue.on_event = lambda _: None

    def next_event(self) -> StreamEvent | None:
        """Return the next event of the stream."""
        if self._breaks:
            self._breaks = False
            raise ArithmeticError("a bug in the adapter's stream")
        if not self._queue:
            return None
        event = self._queue.popleft()
        self.on_taken(event)
        return event

    async def wait(self) -> None:
        """Return when there is an event."""
        self._filled.clear()
        if not self._queue:
            await self._filled.wait()

    def wake(self) -> None:
        """Have a ``wait`` that is under way return."""
        self._filled.set()

    # -- MarketData and AccountPort ------------------------------------------------------------------------------

    async def instruments(self) -> tuple[Instrument, ...]:
        """Return all that is listed."""
        return await self._read(lambda: tuple(self._venue.instruments.values()))

    async def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return nothing: the world has just begun."""
        del symbol, interval_s, count
        return ()

    async def balance(self) -> Decimal:
        """Return the wallet balance."""
        return await self._read(lambda: self._venue.balance)

    async def positions(self) -> tuple[Position, ...]:
        """Return all that are not flat."""
        began = self._loop.time()
        positions = await self._read(lambda: self._venue.positions)
        self.on_positions(began)
        return positions

    async def open_orders(self) -> tuple[OrderRecord, ...]:
        """Return the working orders."""
        return await self._read(self._venue.open_orders)

    async def order(self, symbol: str, client_order_id: str) -> OrderRecord | None:
        """Return one order."""
        del symbol
        return await self._read(lambda: self._venue.order(client_order_id))

    async def fills_since(self, time_ns: int) -> tuple[Fill, ...]:
        """Return the fills at or after ``time_ns``."""
        return await self._read(lambda: tuple(fill for fill in self._venue.fills if fill.time_ns >= time_ns))

    async def funding_since(self, time_ns: int) -> tuple[FundingPaid, ...]:
        """Return the settlements at or after ``time_ns``."""
        return await self._read(lambda: tuple(paid for paid in self._venue.settlements if paid.time_ns >= time_ns))

    # -- OrderEntry ----------------------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        """Send an order."""
        if self.is_dead:
            return
        self.on_submit(order)
        if self.is_dead:
            # The process died before a byte had left.
            return
        fault = None if self._refuses else self._take(*ORDER_FATES)
        fate = None if fault is None else fault.kind
        if self._refuses or fate is FaultKind.ORDER_REJECTED:
            self._refuses = False
            self._after(2 * self._one_way_s(), self._say, _refused(order, self.now_ns, "rejected"))
        elif fate is FaultKind.ORDER_RATE_LIMITED:
            self._after(2 * self._one_way_s(), self._say, _refused(order, self.now_ns, "429: too many requests"))
        elif fate is FaultKind.ORDER_NEVER_ARRIVED:
            self._after(ANSWER_S, self._lose, order, "no answer")
        elif fate is FaultKind.ORDER_ARRIVES_LATE:
            self._send_off(self._random.uniform(1.0, self._valid_s), order)
            self._after(min(ANSWER_S, 0.5), self._lose, order, "no answer")
        else:
            self._send_off(self._one_way_s(), order)
            if fate is FaultKind.ORDER_EXECUTED_NO_ANSWER:
                self._after(ANSWER_S, self._lose, order, "no answer")
            elif fate is FaultKind.ORDER_ANSWER_UNREADABLE:
                self._after(2 * self._one_way_s(), self._lose, order, "unreadable answer")
            elif fate is FaultKind.ORDER_EXECUTED_THEN_RESET:
                self._after(self._one_way_s(), self._lose, order, "connection reset")
                self.interrupt(self._one_way_s(), "connection reset")
        self.on_sent()

    def cancel(self, order: Order, reason: str) -> None:
        """Ask for what is left of an order to be canceled."""
        if self.is_dead:
            return
        fault = self._take(FaultKind.CANCEL_REFUSED, FaultKind.CANCEL_LOST)
        if fault is None:
            self._loop.call_later(self._one_way_s(), self._venue.cancel, order, reason)
            return
        delay = ANSWER_S if fault.kind is FaultKind.CANCEL_LOST else 2 * self._one_way_s()
        self._after(delay, self._say, CancelRejected(order.client_order_id, order.symbol, self.now_ns, fault.kind))

    async def configure(self, symbol: str, margin_mode: MarginMode, leverage: Decimal) -> None:
        """Have it set already."""
        del symbol, margin_mode, leverage
        await self._read(lambda: None)

    # -- the world -----------------------------------------------------------------------------------------------

    def die(self) -> None:
        """The process is gone."""
        self.is_dead = True
        self._venue.on_event = lambda _: None

    def fail_next_read(self) -> None:
        """Have whoever reads next meet an error that no adapter should raise."""
        self._read_fails = True

    def hang_next_read(self, seconds: float) -> None:
        """Have whoever reads next wait for ``seconds``."""
        self._read_hangs_s = seconds

    def refuse_next(self) -> None:
        """Have the venue refuse the next order."""
        self._refuses = True

    def break_stream(self) -> None:
        """Have whoever asks for the next event meet an error that no adapter should raise."""
        self._breaks = True
        self._filled.set()

    @property
    def is_silent(self) -> bool:
        """Whether nothing is told at this moment."""
        return self._loop.time() < self._silent_until_s

    def interrupt(self, seconds: float, why: str) -> None:
        """Lose everything that is told from now on, for a while."""
        self._silent_until_s = self._loop.time() + seconds
        self._after(seconds, self._say_at_last, why)

    def distrust(self, symbol: str) -> None:
        """Say that a symbol's book cannot be trusted."""
        self._say(BookStale(symbol, self.now_ns, "a gap in its updates"))

    # -- inside --------------------------------------------------------------------------------------------------

    def _one_way_s(self) -> float:
        return self._random.uniform(*ONE_WAY_S)

    async def _read(self, value: Callable[[], T]) -> T:
        """Return what the venue says, after the way there and back."""
        fault = self._take(FaultKind.QUERY_FAILS, FaultKind.QUERY_SLOW)
        if fault is not None and fault.kind is FaultKind.QUERY_FAILS:
            await asyncio.sleep(self._one_way_s())
            raise ExchangeUnavailable("the venue answers 503")
        if self._read_fails:
            self._read_fails = False
            raise ArithmeticError("a bug in the adapter")
        hangs_s, self._read_hangs_s = self._read_hangs_s, 0.0
        slow = hangs_s if fault is None else min(fault.seconds, READ_S)
        await asyncio.sleep(self._one_way_s() + slow)
        answer = value()
        await asyncio.sleep(self._one_way_s())
        return answer

    def _send_off(self, seconds: float, order: Order) -> None:
        self._venue.travelling.add(order.client_order_id)
        self._loop.call_later(seconds, self._arrive, order)

    def _arrive(self, order: Order) -> None:
        """Let an order come to the venue; whether its sender lives on does not matter."""
        self._venue.travelling.discard(order.client_order_id)
        if self._venue.now_ns - self._venue.skew_ns > order.created_ns + int(self._valid_s * SECOND_NS):
            self._venue.refused.add(order.client_order_id)
            self._say(_refused(order, self.now_ns, "the request is not valid any more"))
            return
        self._venue.submit(order)

    def _hear(self, event: StreamEvent) -> None:
        """Bring an event of the venue, after its way here."""
        now = self._loop.time()
        if now < self._silent_until_s:
            return
        delay, times = self._one_way_s(), 1
        if not isinstance(event, MARKET):
            fault = self._take(FaultKind.EVENT_TWICE, FaultKind.EVENT_LATE, FaultKind.EVENT_MISSING)
            if fault is not None and fault.kind is FaultKind.EVENT_MISSING:
                return
            if fault is not None and fault.kind is FaultKind.EVENT_LATE:
                # It is overtaken by what comes after it.
                self._after(delay + min(fault.seconds, ANSWER_S), self._say, event)
                return
            times = 1 if fault is None else 2
        # A stream keeps its order, also of what it tells at one moment, which a loop does not.
        self._told_s = max(self._told_s, now + delay)
        for _ in range(times):
            self._on_way.append(event)
            self._loop.call_at(self._told_s, self._arrives)

    def _arrives(self) -> None:
        self._say(self._on_way.popleft())

    def _say(self, event: StreamEvent) -> None:
        if not self.is_dead:
            self._queue.append(event)
            self._filled.set()

    def _say_at_last(self, why: str) -> None:
        if self._loop.time() >= self._silent_until_s:
            self._say(Reset(self.now_ns, why))

    def _lose(self, order: Order, why: str) -> None:
        self._say(OrderUnknown(order.client_order_id, order.symbol, self.now_ns, why))

    def _after(self, seconds: float, call: Callable[..., None], *args: object) -> None:
        self._loop.call_later(seconds, call, *args)


ORDER_FATES = (
    FaultKind.ORDER_REJECTED,
    FaultKind.ORDER_EXECUTED_NO_ANSWER,
    FaultKind.ORDER_NEVER_ARRIVED,
    FaultKind.ORDER_ARRIVES_LATE,
    FaultKind.ORDER_EXECUTED_THEN_RESET,
    FaultKind.ORDER_ANSWER_UNREADABLE,
    FaultKind.ORDER_RATE_LIMITED,
)


def _refused(order: Order, time_ns: int, why: str) -> OrderRejected:
    return OrderRejected(order.client_order_id, order.symbol, time_ns, why)
