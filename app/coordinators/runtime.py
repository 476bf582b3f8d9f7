"""Connects the exchange, loads instruments, and pumps the one stream through the stages."""

import asyncio
from collections import deque
from collections.abc import Callable

from app.coordinators.operator_desk import COMMANDS, OperatorDesk
from app.coordinators.trading_state import TradingStateOwner
from app.domain.events import InstrumentChanged, StreamEvent, Timer
from app.domain.instrument import listed_anew
from app.domain.market import SECOND_NS, Bar, MarkPrice
from app.domain.price_sieve import PriceSieve
from app.lifecycle import BaseCoordinator, CoordinatorContext, HealthState, HealthStatus, RestartPolicy, Supervisor
from app.lifecycle.deadlines import now_s
from app.ports.account import AccountPort
from app.ports.connection import Connection
from app.ports.control import ControlSurface
from app.ports.market_data import MarketData

BREATH_S = 0.01
"""Seconds of the loop after which the pump lets the event loop run: signals, the live view, deadlines."""
EVENTS_BETWEEN_LOOKS = 64
"""Reading the wall clock at every event would cost more than most events do."""
STREAM_ENDED = "stream ended"
"""Why a bot stops whose exchange has no more to tell."""


class RuntimeCoordinator(BaseCoordinator):
    """Owns the exchange connection, the stream, its pump, and the trading state."""

    name = "runtime"
    critical = True

    def __init__(
        self,
        connection: Connection,
        market_data: MarketData,
        account: AccountPort,
        on_stream_end: Callable[[str], None],
        command: Callable[[str], str],
        control: ControlSurface | None = None,
        on_post: Callable[[StreamEvent], None] | None = None,
        *,
        ticks: bool = True,
    ) -> None:
        super().__init__()
        self._on_post = on_post
        self._ticks = ticks
        self._control = control
        self._desk = OperatorDesk(lambda: self.context, self.post, command)
        self._connection = connection
        self._market_data = market_data
        self._account = account
        self._on_stream_end = on_stream_end
        # Without a bound: a halt that is dropped is none. A pump that stands still is told by its own health.
        self._inbox: deque[StreamEvent] = deque()
        self._events = 0
        self._posted = self._heard = 0
        self._heard_s: float | None = None
        self._told_end = False

    @property
    def events(self) -> int:
        """Events pumped in this run."""
        return self._events

    @property
    def silence_s(self) -> float | None:
        """Seconds of the event loop since the exchange last told something; None while it is nobody's to tell.

        What the bot puts on the stream itself breaks no silence: its timers would hide every one. A stream of virtual
        time is as silent as it was recorded.
        """
        if self._heard_s is None or self._connection.capabilities.is_virtual:
            return None
        return now_s() - self._heard_s

    def post(self, event: StreamEvent) -> None:
        """Put an event of the bot's own on the stream."""
        if self._on_post is not None:
            self._on_post(event)
        self._posted += 1
        self._inbox.append(event)
        self._connection.wake()

    def halt(self, reason: str) -> None:
        """Let nothing grow any more, from this call on, until the operator resumes: see ``OperatorDesk.halt``."""
        self._desk.halt(reason)

    async def initialize(self, context: CoordinatorContext) -> CoordinatorContext:
        """Connect, and load the instruments that the strategies trade."""
        journal = context.journal
        context.facts.subscribe(self._desk.on_fact, COMMANDS)
        context.facts.subscribe(self._on_instrument, {InstrumentChanged})
        await self._connection.connect()
        context.clock.follow(self._connection.now_ns)
        trading_state = TradingStateOwner(context.clock, journal, self.post, journal.recovered().reasons)
        instruments = {instrument.symbol: instrument for instrument in await self._market_data.instruments()}
        return context.evolve(
            self.name,
            capabilities=self._connection.capabilities,
            market_data=self._market_data,
            account=self._account,
            instruments=instruments,
            trading_state=trading_state,
        )

    async def start_background_tasks(self, context: CoordinatorContext, supervisor: Supervisor) -> None:
        """Start the pump, and listen to the operator.

        An event that a stage could not take in leaves the books in doubt: the bot stops. Without the control surface
        trading goes on, degraded.
        """
        del context
        supervisor.spawn("runtime.pump", self._pump, restart=RestartPolicy.temporary(), critical=True, owner=self.name)
        if self._ticks and not self._connection.capabilities.is_virtual:
            supervisor.spawn(
                "runtime.timer", self._tick, restart=RestartPolicy.permanent(), critical=True, owner=self.name
            )

        control = self._control
        if control is not None:
            supervisor.spawn(
                "runtime.control",
                lambda: control.serve(self._desk.answer),
                restart=RestartPolicy.permanent(),
                critical=False,
                owner=self.name,
            )

    async def shutdown(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def health_check(self) -> HealthStatus:
        """Healthy while events come in."""
        return self.status(
            HealthState.HEALTHY,
            details={"events": str(self._events), "stream": "ended" if self._connection.ended else "open"},
        )

    def _on_instrument(self, change: InstrumentChanged) -> None:
        self.revise(instruments=listed_anew(self.context.instruments, change.instrument))

    async def _tick(self) -> None:
        every_s = self.context.settings.execution.timer_every_s
        while True:
            await asyncio.sleep(every_s)
            self.post(Timer(self.context.clock.now_ns))

    async def _pump(self) -> None:
        context = self.context
        advance = context.clock.advance_to
        taker, pursue = context.execution.takes.get, context.execution.pursue
        asker, settle = context.strategy.asks.get, context.strategy.settle
        observe = context.telemetry.observe
        next_event, inbox = self._source(), self._inbox
        timed = self._connection.capabilities.is_virtual
        timer_due_ns, advanced_ns, self._told_end = 0, -1, False
        clock = asyncio.get_running_loop().time
        breathed, countdown, events = clock(), EVENTS_BETWEEN_LOOKS, self._events
        self._heard_s = breathed
        context.execution.begin()
        while True:
            event = inbox.popleft() if inbox else next_event()
            if event is None:
                self._events = events
                await self._wait(clock())
                breathed, countdown = clock(), EVENTS_BETWEEN_LOOKS
                continue
            time_ns, kind = event.time_ns, type(event)
            if timed and time_ns >= timer_due_ns:
                timer_due_ns = time_ns + SECOND_NS
                # A bar or a mark makes the guards look by itself.
                if kind is not Bar and kind is not MarkPrice:
                    inbox.append(Timer(time_ns))
            if time_ns != advanced_ns:
                # What happened within a bar has the bar's time: nearly every fact of an order.
                advanced_ns = time_ns
                advance(time_ns)
            take, ask = taker(kind), asker(kind)
            if take is not None:
                take(event)
            if ask is not None and (targets := ask(event)):
                pursue(settle(targets))
            observe(event)
            events += 1
            countdown -= 1
            if not countdown:
                countdown, self._events = EVENTS_BETWEEN_LOOKS, events
                now = clock()
                if now - breathed >= BREATH_S:
                    self._listen(now)
                    await asyncio.sleep(0)
                    breathed = clock()

    async def _wait(self, at_s: float) -> None:
        """Wait for the next event; tell of the stream's end, once."""
        if self._connection.ended and not self._told_end:
            self._told_end = True
            self._on_stream_end(STREAM_ENDED)
        self._listen(at_s)
        # Nothing can have been posted since the inbox was looked into: nobody else has run.
        await self._connection.wait()

    def _source(self) -> Callable[[], StreamEvent | None]:
        """Return where events come from. What is recorded or generated was checked when it was loaded."""
        told = self._connection.next_event
        return told if self._connection.capabilities.is_virtual else PriceSieve(told).next_event

    def _listen(self, at_s: float) -> None:
        """Note that the pump runs, and whether the exchange has told it anything since it was here."""
        self.beat()
        heard = self._events - self._posted
        if heard != self._heard:
            self._heard, self._heard_s = heard, at_s
