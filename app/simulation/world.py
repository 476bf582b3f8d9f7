"""A simulated hour: one venue, one store, and the lives of a bot between them."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from random import Random

import msgspec
from loguru import logger

from app.domain.events import ResumeCommand, StreamEvent, Timer
from app.domain.order import Order
from app.domain.records import Record
from app.domain.trading_state import HALT, OPERATOR
from app.exchanges.simulated.translate import instrument_from
from app.lifecycle import StartFailed
from app.lifecycle.deadlines import now_s
from app.settings import LoadedSettings
from app.simulation.faults import HOUR_S, Fault, FaultKind, Plan
from app.simulation.invariants import PUMP, Watch
from app.simulation.life import Life
from app.simulation.link import VenueLink
from app.simulation.store import SimulatedStore
from app.simulation.trace import Trace
from app.simulation.venue import STEP_S, Venue
from app.simulation.violation import Violation
from app.telemetry import RunFigures
from app.timing import run_virtual

DOWN_S = (0.2, 8.0)
"""Between which the process stays down after it has died."""
STARTS_REFUSED_MAX = 40
RETRY_START_S = 5.0
LOOK_S = 5.0
"""Between two looks at what must be so at any time."""
LOOKS_PER_HEALTH = 4
REST_S = 240.0
"""In which books and venue must come to agree once nothing goes wrong any more."""
LOOK_EVERY_S = 5.0
FLATTEN_S = 90.0
RESTARTED_S = 25.0
HALTED_S = 150.0
"""After which the operator lifts a halt, or starts a bot anew that has set a strategy aside."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of a seed."""

    seed: int
    rule: str
    """The rule that was broken; empty for none."""
    what: str
    digest: str
    events: int
    orders: int
    fills: int
    faults: int
    crashes: int
    starts: int
    virtual_seconds: float
    fired: dict[str, int]
    """How often each kind of fault came to pass."""


class _Figures(RunFigures):
    """Shows each event, once all stages have taken it in, to the world."""

    def __init__(self, on_event: Callable[[StreamEvent], None]) -> None:
        super().__init__()
        self._on_event = on_event

    def observe(self, event: StreamEvent) -> None:
        super().observe(event)
        self._on_event(event)


class World:
    """Runs a plan, in the loop that it is made in."""

    def __init__(self, plan: Plan, loaded: LoadedSettings, show: Callable[[str], None] | None = None) -> None:
        self._plan = plan
        self._loaded = loaded
        self._random = Random(f"world:{plan.seed}")  # noqa: S311 - a simulation
        self._trace = Trace(now_s, show)
        instruments = {item.symbol: instrument_from(item) for item in loaded.settings.exchange.simulated.instruments}
        traded = {symbol for strategy in loaded.settings.strategies.values() for symbol in strategy.symbols}
        self._venue = Venue(
            Random(f"venue:{plan.seed}"),  # noqa: S311 - as above
            loaded.settings,
            {symbol: instrument for symbol, instrument in instruments.items() if symbol in traded},
        )
        self._store = SimulatedStore(Random(f"store:{plan.seed}"))  # noqa: S311 - as above
        self._watch = Watch(self._venue, self._store, now_s, loaded.settings)
        self._armed: deque[Fault] = deque()
        self._postponed: list[Fault] = []
        """What could not happen to a bot that was not up; it happens to the next."""
        self._breaks = False
        """Whether the plan broke the stream of the present life."""
        self._at_peace = False
        self._fired: Counter[str] = Counter()
        self._life: Life | None = None
        self._ending = asyncio.Event()
        self._crashed = False
        self._stop_asked = ""
        self._violation: Violation | None = None
        self._events = self._starts = self._crashes = 0
        self._acts: dict[FaultKind, Callable[[Fault], None]] = {
            FaultKind.CLOCK_SKEW: self._shift_clock,
            FaultKind.PARTIAL_FILLS: self._change_fills,
            FaultKind.PRICE_SHOCK: lambda fault: self._venue.shock(fault.number),
            FaultKind.STRANGE_FILL: lambda fault: self._venue.trade_by_hand(fault.number),
            FaultKind.STORE_SLOW: self._slow_store,
            FaultKind.STORE_FULL: self._fail_store,
            FaultKind.STORE_LOCKED: self._fail_store,
        }
        self._acts_on_bot: dict[FaultKind, Callable[[Life, Fault], None]] = {
            FaultKind.STREAM_SILENT: lambda life, fault: life.link.interrupt(fault.seconds, "no heartbeat"),
            FaultKind.STREAM_RESET: lambda life, fault: life.link.interrupt(min(fault.seconds, 5.0), "connection lost"),
            FaultKind.STREAM_BREAKS: self._break_stream,
            FaultKind.BOOK_STALE: self._distrust_book,
            FaultKind.STRATEGY_RAISES: self._break_strategy,
            FaultKind.TASK_DIES: lambda life, _: life.link.fail_next_read(),
            FaultKind.TASK_HANGS: lambda life, fault: life.link.hang_next_read(10 * fault.seconds),
            FaultKind.CRASH: lambda _, fault: self._die_now(fault.kind),
            FaultKind.STOP: lambda _, fault: self._ask_to_stop(fault.kind),
            FaultKind.HALT: self._halt,
            FaultKind.FLATTEN: lambda life, fault: self._flatten(life, fault.kind),
        }
        """What the plan does at its time; the other kinds wait for the call or event that they are about."""

    async def run(self) -> Outcome:
        """Let the hour go by; return what came of it."""
        helpers = [asyncio.ensure_future(work) for work in (self._trade(), self._unfold(), self._look())]
        try:
            await self._live_through()
        except Violation as violation:
            self._broken(violation)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.wait(helpers)
            for helper in helpers:
                if not helper.cancelled() and isinstance(error := helper.exception(), Exception):
                    self._broken(error if isinstance(error, Violation) else Violation("world", repr(error)))
            if self._life is not None:
                await self._life.die()
        return self._outcome()

    # -- lives ---------------------------------------------------------------------------------------------------

    async def _live_through(self) -> None:
        while now_s() < HOUR_S:
            await self._one_life()
        self._calm_down()
        refused = 0
        while self._life is None:
            await self._one_life(resting=True)
            refused += 1
            if refused > STARTS_REFUSED_MAX:
                raise Violation("bot_comes_up", "every start was refused, and nothing was wrong any more")
        await self._come_to_rest(self._life)
        await self._wind_up(self._life)

    async def _one_life(self, *, resting: bool = False) -> None:
        """Start the bot, and live until it ends; with ``resting`` only until it is up."""
        life = self._born()
        try:
            await life.begin()
        except StartFailed as refusal:
            self._note(f"start refused: {refusal}")
            await life.die()
            self._raise_broken()
            await asyncio.sleep(RETRY_START_S)
            return
        if self._crashed:
            await self._bury(life)
            return
        self._note("ready")
        self._life = life
        self._watch.on_ready(life)
        self._catch_up(life)
        if resting:
            return
        asked = asyncio.ensure_future(life.container.stop_request().wait())
        over = asyncio.ensure_future(self._ending.wait())
        await asyncio.wait({asked, over}, timeout=max(0.0, HOUR_S - now_s()), return_when=asyncio.FIRST_COMPLETED)
        for waiting in (asked, over):
            waiting.cancel()
        self._raise_broken()
        if self._crashed:
            await self._bury(life)
        elif self._stop_asked:
            await self._stop(life)
        elif life.container.stop_request().reason:
            self._watch.turns.on_end_by_itself(life.container.stop_request(), planned=self._breaks)
            await self._stop(life)

    def _born(self) -> Life:
        """Return a process that is about to start."""
        self._starts += 1
        self._crashed, self._breaks, self._stop_asked = False, False, ""
        self._watch.on_born()
        self._ending.clear()
        valid_s = self._loaded.settings.execution.request_valid_s
        link = VenueLink(self._venue, Random(f"link:{self._plan.seed}:{self._starts}"), self._take, valid_s)  # noqa: S311
        journal = self._store.open(lambda records: self._on_append(life, records), self._on_commit)
        figures = _Figures(self._on_event)
        random = Random(f"life:{self._plan.seed}:{self._starts}")  # noqa: S311 - a simulation
        life = Life(self._loaded, link, journal, figures, random)
        link.on_submit = lambda order: self._on_submit(life, order)
        link.on_taken = self._watch.sending.on_taken
        link.on_positions = self._watch.sending.on_positions
        link.on_sent = lambda: self._crash_if_armed(FaultKind.CRASH_AFTER_SUBMIT)
        self._newborn = life
        return life

    async def _bury(self, life: Life) -> None:
        self._life = None
        await life.die()
        self._store.failure = None
        await asyncio.sleep(self._random.uniform(*DOWN_S))

    async def _stop(self, life: Life) -> None:
        request = life.container.stop_request()
        self._note(f"stopping: {self._stop_asked or request.reason}")
        request.request(self._stop_asked)
        self._life = None
        self._watch.turns.before_stop()
        errors = await life.end()
        self._raise_broken()
        self._watch.turns.on_stop(life, errors, at_peace=self._at_peace)
        await life.die()
        self._note(f"stopped with {len(errors)} errors, code {request.exit_code}")
        self._store.failure = None
        await asyncio.sleep(self._random.uniform(*DOWN_S))

    def _die_now(self, how: str) -> None:
        """Kill the process, in the middle of whatever it does."""
        life = self._newborn
        if self._crashed or life.link.is_dead:
            return
        self._note(f"crash: {how}")
        self._crashed = True
        self._crashes += 1
        life.link.die()
        life.journal.die()
        self._ending.set()

    # -- what the bot does, and what it meets --------------------------------------------------------------------

    def _on_submit(self, life: Life, order: Order) -> None:
        self._guard(lambda: self._watch.on_submit(life, order))
        self._note(f"submit {order.client_order_id} {order.side} {order.contracts} {order.symbol} {order.purpose}")
        self._crash_if_armed(FaultKind.CRASH_AT_SUBMIT)

    def _on_append(self, life: Life, records: tuple[Record, ...]) -> None:
        self._guard(lambda: self._watch.on_append(life, records))
        self._crash_if_armed(FaultKind.CRASH_AT_APPEND)

    def _on_commit(self) -> None:
        self._crash_if_armed(FaultKind.CRASH_AFTER_COMMIT)

    def _on_event(self, event: StreamEvent) -> None:
        self._events += 1
        life = self._life
        if life is None or self._crashed or type(event) is Timer:
            # Of its timers, half of all events, nothing follows that the next look would not see.
            return
        name = type(event).__name__
        self._note(f"event {name} {getattr(event, 'client_order_id', '') or getattr(event, 'symbol', '')}")
        self._guard(lambda: self._watch.on_event(life, event))
        if name == "Fill":
            self._crash_if_armed(FaultKind.CRASH_AT_FILL)

    def _guard(self, judge: Callable[[], None]) -> None:
        """Have a rule judged in the bot's own call, without a verdict disturbing the bot."""
        try:
            judge()
        except Violation as violation:
            self._broken(violation)
            self._ending.set()

    def _crash_if_armed(self, kind: FaultKind) -> None:
        if self._take(kind) is not None:
            self._die_now(kind)

    def _take(self, *kinds: FaultKind) -> Fault | None:
        """Return the first armed fault of one of ``kinds``, once."""
        for fault in self._armed:
            if fault.kind in kinds:
                self._armed.remove(fault)
                self._fire(fault)
                return fault
        return None

    # -- the world's own course ----------------------------------------------------------------------------------

    async def _trade(self) -> None:
        while True:
            await asyncio.sleep(STEP_S)
            self._venue.step()

    async def _unfold(self) -> None:
        """Bring the plan's faults, each at its time."""
        for fault in self._plan.faults:
            await asyncio.sleep(max(0.0, fault.at_s - now_s()))
            if fault.kind in self._acts or fault.kind in self._acts_on_bot:
                self._happen(fault)
            else:
                self._armed.append(fault)

    def _happen(self, fault: Fault) -> None:
        act = self._acts.get(fault.kind)
        if act is not None:
            act(fault)
            self._fire(fault)
            return
        life = self._life
        if life is None or life.link.is_dead:
            self._postponed.append(fault)
            return
        self._acts_on_bot[fault.kind](life, fault)
        self._fire(fault)

    def _catch_up(self, life: Life) -> None:
        """Have come to pass what waited for a bot that is up."""
        postponed, self._postponed = self._postponed, []
        for fault in postponed if not self._at_peace else ():
            if not life.link.is_dead:
                self._acts_on_bot[fault.kind](life, fault)
                self._fire(fault)

    def _shift_clock(self, fault: Fault) -> None:
        self._venue.skew_ns = (fault.number % 9_001 - 4_500) * 1_000_000

    def _change_fills(self, fault: Fault) -> None:
        del fault
        self._venue.fills_part_of_volume = not self._venue.fills_part_of_volume

    def _slow_store(self, fault: Fault) -> None:
        self._store.slow_until_s = self._store.healthy_since_s = now_s() + fault.seconds

    def _fail_store(self, fault: Fault) -> None:
        self._store.failure = "disk full" if fault.kind is FaultKind.STORE_FULL else "database is locked"
        asyncio.get_running_loop().call_later(fault.seconds, self._mend_store)

    def _distrust_book(self, life: Life, fault: Fault) -> None:
        symbols = tuple(self._venue.instruments)
        life.link.distrust(symbols[fault.number % len(symbols)])

    def _break_stream(self, life: Life, fault: Fault) -> None:
        del fault
        self._breaks = True
        life.link.break_stream()

    def _flatten(self, life: Life, why: str) -> None:
        self._watch.seen.note_flatten()
        life.bot.execution.flatten(why)

    def _break_strategy(self, life: Life, fault: Fault) -> None:
        life.break_strategy(fault.number)
        asyncio.get_running_loop().call_later(HALTED_S, self._ask_to_stop, "a strategy was set aside")

    def _halt(self, life: Life, fault: Fault) -> None:
        life.bot.halt("planned")
        self._guard(partial(self._watch.turns.on_halt, life))
        loop = asyncio.get_running_loop()
        loop.call_later(HALTED_S, self._resume)
        if fault.number % 2:
            # Whoever halts a bot often starts it anew, to see whether that helps.
            loop.call_later(RESTARTED_S, self._ask_to_stop, "halted, and to be started anew")

    def _resume(self) -> None:
        """Lift the operator's halt, as the operator would."""
        life = self._life
        if life is None or life.link.is_dead:
            if not self._at_peace:
                asyncio.get_running_loop().call_later(RETRY_START_S, self._resume)
            return
        if not life.context.trading_state.current.holds(OPERATOR, HALT):
            return
        self._watch.turns.on_resume()
        life.bot.runtime.post(ResumeCommand(life.context.clock.now_ns, ((OPERATOR, HALT),)))

    def _mend_store(self) -> None:
        """Make room. The bot that ran meanwhile writes no more: its operator starts it anew."""
        self._store.failure, self._store.healthy_since_s = None, max(self._store.healthy_since_s, now_s())
        if self._life is not None and self._life.journal.failure is not None:
            self._ask_to_stop("the store has failed")

    def _ask_to_stop(self, why: str) -> None:
        self._stop_asked = why
        self._ending.set()

    async def _look(self) -> None:
        """Ask the bot how it is, from time to time."""
        looks = 0
        while True:
            await asyncio.sleep(LOOK_S)
            life = self._life
            if life is None or life.link.is_dead:
                continue
            self._guard(partial(self._watch.on_look, life))
            looks += 1
            runs = any(task.get_name() == PUMP and not task.done() for task in asyncio.all_tasks())
            if runs and life.journal.failure is None and looks % LOOKS_PER_HEALTH:
                continue
            report = await life.health()
            if self._life is life and not self._crashed:
                self._guard(partial(self._watch.turns.on_health, life, report, pump_runs=runs))

    # -- the end -------------------------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        """Let nothing go wrong any more."""
        self._note("calm")
        self._at_peace = True
        self._armed.clear()
        self._postponed.clear()
        self._store.failure, self._store.slow_until_s = None, 0.0
        self._venue.is_calm = True
        self._venue.fills_part_of_volume = False
        life = self._life
        if life is not None and (life.journal.failure is not None or life.link.is_dead):
            self._life = None

    async def _come_to_rest(self, life: Life) -> None:
        """Wait until books and venue agree, twice in a row."""
        agreed, apart, bare, held_back = 0, ["not looked at"], ["not looked at"], ["not looked at"]
        ends = now_s() + REST_S
        while agreed < 2 and now_s() < ends:
            await asyncio.sleep(LOOK_EVERY_S)
            self._raise_broken()
            apart, bare = self._watch.positions.differences(life), self._watch.positions.unprotected(life)
            held_back = self._watch.turns.held_back(life)
            agreed = 0 if apart or bare or held_back else agreed + 1
        if apart:
            raise Violation("books_equal_the_venue", "; ".join(apart))
        if bare:
            raise Violation("positions_are_protected", "; ".join(bare))
        if held_back:
            raise Violation("bot_comes_up", f"nothing is wrong, and trading is held back: {'; '.join(held_back)}")
        self._watch.on_rest(life)

    async def _wind_up(self, life: Life) -> None:
        """Flatten, in one of three seeds from a halt, in one of two with the first exit refused; and stop."""
        if self._plan.seed % 3 == 0:
            life.bot.halt("the hour is over")
        if self._plan.seed % 2 == 0:
            life.link.refuse_next()
        self._flatten(life, "the hour is over")
        ends = now_s() + FLATTEN_S
        while self._venue.positions and now_s() < ends:
            await asyncio.sleep(LOOK_EVERY_S)
            self._raise_broken()
        if self._venue.positions:
            raise Violation(
                "exits_get_through", f"{FLATTEN_S:g} s after a flatten: {self._watch.positions.differences(life)}"
            )
        self._stop_asked = "the hour is over"
        await self._stop(life)

    def _broken(self, violation: Violation) -> None:
        if self._violation is None:
            self._violation = violation
            self._note(f"VIOLATION {violation}")

    def _raise_broken(self) -> None:
        if self._violation is not None:
            raise self._violation

    def _fire(self, fault: Fault) -> None:
        self._fired[fault.kind] += 1
        self._note(f"fault {fault.kind} {fault.seconds} {fault.number}")

    def _note(self, what: str) -> None:
        self._trace.note(what)

    def _outcome(self) -> Outcome:
        broken = self._violation
        return Outcome(
            seed=self._plan.seed,
            rule="" if broken is None else broken.rule,
            what="" if broken is None else str(broken),
            digest=self._trace.digest(),
            events=self._events,
            orders=sum(self._venue.arrived.values()),
            fills=len(self._venue.fills),
            faults=sum(self._fired.values()),
            crashes=self._crashes,
            starts=self._starts,
            virtual_seconds=now_s(),
            fired=dict(sorted(self._fired.items())),
        )


def run_plan(plan: Plan, loaded: LoadedSettings, show: Callable[[str], None] | None = None) -> Outcome:
    """Run a plan in a loop of its own, whose time is virtual."""
    logger.disable("app")

    async def run() -> Outcome:
        return await World(plan, loaded, show).run()

    return run_virtual(run())
