"""A simulated hour: one venue, one store, and the lives of a bot between them."""

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random

import msgspec
from loguru import logger

from app.domain.client_order_id import INSTANCE_DIGITS
from app.domain.events import StreamEvent, Timer
from app.domain.order import Order
from app.domain.records import Record
from app.exchanges.simulated.translate import instrument_from
from app.lifecycle import StartFailed
from app.lifecycle.deadlines import now_s
from app.settings import LoadedSettings
from app.simulation.course import Course
from app.simulation.faults import HOUR_S, FaultKind, Plan
from app.simulation.invariants import PUMP, Watch
from app.simulation.life import Life
from app.simulation.link import MakeLink, VenueLink
from app.simulation.store import SimulatedStore
from app.simulation.trace import Trace
from app.simulation.venue import STEP_S, Venue
from app.simulation.violation import Violation
from app.simulation.watched_figures import WatchedFigures
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
FLAT_EVERY_S = 1.0
"""Between looks for a moment without positions: the market moves every five seconds, and a strategy may enter again."""


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


class World:
    """Runs a plan, in the loop that it is made in."""

    def __init__(
        self,
        plan: Plan,
        loaded: LoadedSettings,
        show: Callable[[str], None] | None = None,
        make_link: MakeLink = VenueLink,
    ) -> None:
        self._plan = plan
        self._make_link = make_link
        self._loaded = loaded
        self._random = Random(f"world:{plan.seed}")  # noqa: S311 - a simulation
        self._trace = Trace(now_s, show)
        instruments = {item.symbol: instrument_from(item) for item in loaded.settings.exchange.simulated.instruments}
        traded = {symbol for strategy in loaded.settings.strategies.values() for symbol in strategy.symbols}
        self._venue = Venue(
            Random(f"venue:{plan.seed}"),  # noqa: S311 - as above
            loaded.settings,
            {symbol: instrument for symbol, instrument in instruments.items() if symbol in traded},
            holds_trailing_stops=plan.holds_trailing_stops,
        )
        self._store = SimulatedStore(
            Random(f"store:{plan.seed}"),  # noqa: S311 - as above
            instance=f"{plan.seed % 16**INSTANCE_DIGITS:0{INSTANCE_DIGITS}x}",
        )
        self._watch = Watch(self._venue, self._store, now_s, loaded.settings)
        self._course = Course(plan, self._venue, self._store, self._watch, self)
        self._life: Life | None = None
        self._ending = asyncio.Event()
        self._crashed = False
        self._stop_asked = self._refused = ""
        self._violation: Violation | None = None
        self._events = self._starts = self._crashes = 0

    @property
    def present(self) -> Life | None:
        """The bot that is up; None while none is."""
        return self._life

    async def run(self) -> Outcome:
        """Let the hour go by; return what came of it."""
        helpers = [asyncio.ensure_future(work) for work in (self._trade(), self._course.unfold(), self._look())]
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
                why = f"every start was refused when no fault was left, the last one so: {self._refused}"
                raise Violation("bot_comes_up", why)
        await self._come_to_rest(self._life)
        await self._wind_up(self._life)

    async def _one_life(self, *, resting: bool = False) -> None:
        """Start the bot, and live until it ends; with ``resting`` only until it is up."""
        life = self._born()
        try:
            await life.begin()
        except StartFailed as refusal:
            self._refused = str(refusal)
            self.note(f"start refused: {self._refused}")
            await life.die()
            self._raise_broken()
            await asyncio.sleep(RETRY_START_S)
            return
        if self._crashed:
            await self._bury(life)
            return
        self.note("ready")
        self._life = life
        self._watch.on_ready(life)
        self._course.catch_up(life)
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
            self._watch.turns.on_end_by_itself(life.container.stop_request(), planned=self._course.breaks)
            await self._stop(life)

    def _born(self) -> Life:
        """Return a process that is about to start."""
        self._starts += 1
        self._crashed, self._stop_asked = False, ""
        self._course.breaks = False
        self._watch.on_born()
        self._ending.clear()
        valid_s = self._loaded.settings.execution.request_valid_s
        chance = Random(f"link:{self._plan.seed}:{self._starts}")  # noqa: S311 - a simulation
        link = self._make_link(self._venue, chance, self._course.take, valid_s)
        journal = self._store.open(lambda records: self._on_append(life, records), self._on_commit)
        figures = WatchedFigures(self._on_event)
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
        self.note(f"stopping: {self._stop_asked or request.reason}")
        request.request(self._stop_asked)
        self._life = None
        self._watch.turns.before_stop()
        errors = await life.end()
        self._raise_broken()
        self._watch.turns.on_stop(life, errors, at_peace=self._course.at_peace)
        await life.die()
        self.note(f"stopped with {len(errors)} errors, code {request.exit_code}")
        self._store.failure = None
        await asyncio.sleep(self._random.uniform(*DOWN_S))

    def die_now(self, how: str) -> None:
        """Kill the process, in the middle of whatever it does."""
        life = self._newborn
        if self._crashed or life.link.is_dead:
            return
        self.note(f"crash: {how}")
        self._crashed = True
        self._crashes += 1
        life.link.die()
        life.journal.die()
        self._ending.set()

    # -- what the bot does, and what it meets --------------------------------------------------------------------

    def _on_submit(self, life: Life, order: Order) -> None:
        self.judge(lambda: self._watch.on_submit(life, order))
        self.note(f"submit {order.client_order_id} {order.side} {order.contracts} {order.symbol} {order.purpose}")
        self._crash_if_armed(FaultKind.CRASH_AT_SUBMIT)

    def _on_append(self, life: Life, records: tuple[Record, ...]) -> None:
        self.judge(lambda: self._watch.on_append(life, records))
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
        self.note(f"event {name} {getattr(event, 'client_order_id', '') or getattr(event, 'symbol', '')}")
        self.judge(lambda: self._watch.on_event(life, event))
        if name == "Fill":
            self._crash_if_armed(FaultKind.CRASH_AT_FILL)

    def judge(self, rule: Callable[[], None]) -> None:
        """Have a rule judged in the bot's own call, without a verdict disturbing the bot."""
        try:
            rule()
        except Violation as violation:
            self._broken(violation)
            self._ending.set()

    def _crash_if_armed(self, kind: FaultKind) -> None:
        if self._course.take(kind) is not None:
            self.die_now(kind)

    # -- the world's own course ----------------------------------------------------------------------------------

    async def _trade(self) -> None:
        while True:
            await asyncio.sleep(STEP_S)
            self._venue.step()

    def ask_to_stop(self, why: str) -> None:
        """Have the bot stopped cleanly."""
        self._stop_asked = why
        self._ending.set()

    async def _look(self) -> None:
        """Ask the bot how it is, from time to time."""
        looks, pump = 0, None
        while True:
            await asyncio.sleep(LOOK_S)
            life = self._life
            if life is None or life.link.is_dead:
                continue
            self.judge(partial(self._watch.on_look, life))
            looks += 1
            if pump is None or pump.done():
                pump = next((task for task in asyncio.all_tasks() if task.get_name() == PUMP), None)
            runs = pump is not None
            if runs and life.journal.failure is None and looks % LOOKS_PER_HEALTH:
                continue
            report = await life.health()
            if self._life is life and not self._crashed:
                self.judge(partial(self._watch.turns.on_health, life, report, pump_runs=runs))

    # -- the end -------------------------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        """Let nothing go wrong any more."""
        self.note("calm")
        self._course.calm_down()
        life = self._life
        if life is not None and (life.journal.failure is not None or life.link.is_dead):
            self._life = None

    async def _come_to_rest(self, life: Life) -> None:
        """Wait until books and venue agree, twice in a row."""
        agreed, apart, bare, held_back, lagging = 0, *[["not looked at"]] * 4
        ends = now_s() + REST_S
        while agreed < 2 and now_s() < ends:
            await asyncio.sleep(LOOK_EVERY_S)
            self._raise_broken()
            apart, bare = self._watch.positions.differences(life), self._watch.positions.unprotected()
            held_back, lagging = self._watch.turns.held_back(life), self._watch.trailing.lagging()
            agreed = 0 if apart or bare or held_back or lagging else agreed + 1
        if apart:
            raise Violation("books_equal_the_venue", "; ".join(apart))
        if bare:
            raise Violation("positions_are_protected", "; ".join(bare))
        if lagging:
            raise Violation("stops_trail", "; ".join(lagging))
        if held_back:
            raise Violation("bot_comes_up", f"nothing is wrong, and trading is held back: {'; '.join(held_back)}")
        self._watch.on_rest(life)

    async def _wind_up(self, life: Life) -> None:
        """Flatten, in one of three seeds from a halt, in one of two with the first exit refused; and stop."""
        if self._plan.seed % 3 == 0:
            life.bot.halt("the hour is over")
            self.judge(partial(self._watch.turns.on_halt, life))
        if self._plan.seed % 2 == 0:
            life.link.refuse_next()
        self._course.flatten(life, "the hour is over")
        ends = now_s() + FLATTEN_S
        while self._venue.positions and now_s() < ends:
            await asyncio.sleep(FLAT_EVERY_S)
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
            self.note(f"VIOLATION {violation}")

    def _raise_broken(self) -> None:
        if self._violation is not None:
            raise self._violation

    def note(self, what: str) -> None:
        """Put something on the trace."""
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
            faults=sum(self._course.fired.values()),
            crashes=self._crashes,
            starts=self._starts,
            virtual_seconds=now_s(),
            fired=dict(sorted(self._course.fired.items())),
        )


def run_plan(
    plan: Plan,
    loaded: LoadedSettings,
    show: Callable[[str], None] | None = None,
    make_link: MakeLink = VenueLink,
) -> Outcome:
    """Run a plan in a loop of its own, whose time is virtual.

    Args:
        plan: What goes wrong.
        loaded: The settings of the bot.
        show: Takes the lines of the trace.
        make_link: Makes the exchange of each life.
    """

    async def run() -> Outcome:
        return await World(plan, loaded, show, make_link).run()

    logger.disable("app")
    try:
        return run_virtual(run())
    finally:
        logger.enable("app")
