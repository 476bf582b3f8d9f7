"""A venue, a store and the lives of a bot between them, led by a script in virtual time."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random

from app.domain.events import FlattenCommand, StreamEvent
from app.domain.market import MarkPrice, Trade
from app.domain.order import Purpose, Side
from app.domain.reasons import HALT, OPERATOR
from app.exchanges.simulated.translate import instrument_from
from app.lifecycle import StartFailed
from app.lifecycle.deadlines import now_s
from app.ports.control import Request
from app.ports.exit_codes import ExitCode
from app.settings import load_settings
from app.simulation.invariants import Violation, Watch
from app.simulation.life import Life
from app.simulation.venue import Venue
from app.simulation.watched_figures import WatchedFigures
from tests.crash.steps import Moments, SteppedLink, SteppedStore

SYMBOL = "BTC/USDT:USDT"
WANTED = Decimal(1)
PROFILE = str(Path(__file__).with_name("profile.toml"))
DOWN_S = 1.3
"""How long a process that was killed stays down. The script goes on meanwhile."""
REST_S = 60.0
STARTS_MAX = 5

Act = tuple[float, str, tuple]


class ScriptedVenue(Venue):
    """Its market does what the script says; a mark and a trade at the current price come each second."""

    def __init__(self, settings) -> None:
        [listed] = settings.exchange.simulated.instruments
        super().__init__(Random(1), settings, {SYMBOL: instrument_from(listed)})
        self.price = Decimal(98)

    def tick(self) -> None:
        """Show the current price."""
        self._meet(MarkPrice(SYMBOL, self.now_ns, self.price))
        self._meet(Trade(SYMBOL, self.now_ns, self.price, Decimal(1), Side.SELL))

    def dip(self, price: str, contracts: str | None = None) -> None:
        """Trade once below the current price; ``contracts`` is what an order gets of it, None all that it wants."""
        self.fills_part_of_volume = contracts is not None
        volume = Decimal(contracts or "1") / Decimal("0.4")
        self._meet(Trade(SYMBOL, self.now_ns, Decimal(price), volume, Side.SELL))
        self.fills_part_of_volume = False


class Stage:
    """Runs a script, and restarts the bot whenever it is not there and shall be."""

    def __init__(self, script: Sequence[Act], moments: Moments, overrides: Iterable[str] = ()) -> None:
        self._script = script
        self.moments = moments
        self._loaded = load_settings(PROFILE, tuple(overrides))
        self.venue = ScriptedVenue(self._loaded.settings)
        self.store = SteppedStore(Random(2), moments)
        self._watch = Watch(self.venue, self.store, now_s, self._loaded.settings)
        self._life: Life | None = None
        self._crashed = asyncio.Event()
        self._may_run = asyncio.Event()
        self._may_run.set()
        self._asked_to_stop = asyncio.Event()
        self._halted_for_certain = False
        self._broken: Violation | None = None
        self.starts = 0
        self.crashes = 0
        self._most_held = Decimal(0)

    async def play(self) -> None:
        """Play the script to its end, let the bot come to rest, and judge what there is."""
        helpers = [asyncio.ensure_future(self._market()), asyncio.ensure_future(self._lead())]
        lives = asyncio.ensure_future(self._live())
        try:
            script = helpers[1]
            await asyncio.wait({script, lives}, return_when=asyncio.FIRST_COMPLETED)
            if lives.done():
                lives.result()
            script.result()
            await self._come_to_rest()
        finally:
            for task in (*helpers, lives):
                task.cancel()
            await asyncio.wait({*helpers, lives})
            if self._life is not None:
                await self._life.die()

    # -- lives ---------------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        """Have one life after another."""
        while True:
            await self._may_run.wait()
            self.starts += 1
            if self.starts > STARTS_MAX:
                raise Violation("bot_comes_up", f"{STARTS_MAX} starts were not enough")
            await self._one_life()

    async def _one_life(self) -> None:
        self._crashed.clear()
        self._asked_to_stop.clear()
        life = self._born()
        starting = asyncio.ensure_future(self._begin(life))
        if not await self._until_crash(starting):
            starting.result()
            stopping = asyncio.ensure_future(self._stop_when_asked(life))
            if not await self._until_crash(stopping):
                stopping.result()
        self._life = None
        await life.die()
        if self._crashed.is_set():
            self.crashes += 1
            await asyncio.sleep(DOWN_S)

    async def _begin(self, life: Life) -> None:
        """Start, and judge what was found again before anything new comes in."""
        try:
            await life.begin()
        except StartFailed as refusal:
            if self._crashed.is_set():
                return
            raise Violation("bot_comes_up", str(refusal)) from refusal
        if self._crashed.is_set():
            return
        self._life = life
        self._judge(lambda: self._watch.on_ready(life))
        self._judge(self._halt_is_kept)

    async def _until_crash(self, task: asyncio.Future) -> bool:
        """Wait for a task; return whether the process was killed meanwhile."""
        crashed = asyncio.ensure_future(self._crashed.wait())
        await asyncio.wait({task, crashed}, return_when=asyncio.FIRST_COMPLETED)
        crashed.cancel()
        return self._crashed.is_set()

    async def _stop_when_asked(self, life: Life) -> None:
        await self._asked_to_stop.wait()
        policy = life.container.settings().execution.stop_policy
        errors = await life.end()
        if self._crashed.is_set():
            return
        self._judge(lambda: self._stopped(policy, errors))

    def _born(self) -> Life:
        valid_s = self._loaded.settings.execution.request_valid_s
        link = SteppedLink(self.venue, Random(f"link {self.starts}"), valid_s, self.moments)
        life = Life(
            self._loaded, link, self.store.begin(), WatchedFigures(lambda event: self._on_event(life, event)), Random(3)
        )
        self._watch.on_born()
        link.on_taken = self._watch.sending.on_taken
        link.on_positions = self._watch.sending.on_positions
        link.on_submit = lambda order: self._judge(lambda: self._watch.on_submit(life, order))
        life.journal._on_append = lambda records: self._judge(lambda: self._watch.on_append(life, records))
        self.moments.crash = lambda: self._kill(life)
        return life

    def _kill(self, life: Life) -> None:
        life.link.die()
        life.journal.die()
        self._crashed.set()

    def _on_event(self, life: Life, event: StreamEvent) -> None:
        if life.link.is_dead:
            return
        if self._life is life:
            self._judge(lambda: self._watch.on_event(life, event))
        self.moments.come(f"after {type(event).__name__}")

    # -- the script ----------------------------------------------------------------------------------------------

    async def _market(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.venue.tick()
            self._most_held = max(self._most_held, self.held)

    async def _lead(self) -> None:
        for at_s, name, arguments in self._script:
            await asyncio.sleep(max(0.0, at_s - now_s()))
            result = getattr(self, f"_do_{name}")(*arguments)
            if result is not None:
                await result

    def _do_price(self, price: str) -> None:
        self.venue.price = Decimal(price)

    def _do_dip(self, price: str, contracts: str | None = None) -> None:
        self.venue.dip(price, contracts)

    async def _do_ask(self, command: str) -> None:
        """Have the operator ask for something; nobody answers when the process is down, or dies while it is asked."""
        life = self._life
        if life is None:
            return
        # In the operator's own process, so to speak: it does not die with the bot.
        answering = asyncio.ensure_future(life.bot.runtime._desk.answer(Request(command, wait_s=5.0)))
        life._before.add(answering)
        await asyncio.wait({answering, asyncio.ensure_future(asyncio.sleep(6.0))}, return_when=asyncio.FIRST_COMPLETED)
        if life.link.is_dead or not answering.done():
            answering.cancel()
            return
        if command == "halt" and answering.result().code is ExitCode.CLEAN:
            self._halted_for_certain = True

    def _do_stop(self) -> None:
        self._may_run.clear()
        self._asked_to_stop.set()

    def _do_start(self, *overrides: str) -> None:
        self._loaded = load_settings(PROFILE, overrides)
        self._may_run.set()

    def _do_wait(self) -> None:
        """Do nothing: the script is this long."""

    # -- judging -------------------------------------------------------------------------------------------------

    def _judge(self, judge: Callable[[], None]) -> None:
        """Note the first rule that is broken, without disturbing the bot whose call this is."""
        try:
            judge()
        except Violation as violation:
            self._broken = self._broken or violation

    def _halt_is_kept(self) -> None:
        if self._halted_for_certain and not self._life.context.trading_state.current.holds(OPERATOR, HALT):
            raise Violation("halt_is_kept", "the operator was told that it is halted, and a restart is not")

    def _stopped(self, policy: str, errors: list[Exception]) -> None:
        """Judge what a clean stop has left at the venue."""
        if errors:
            raise Violation("stop_is_clean", str([(error, getattr(error, "__notes__", ())) for error in errors]))
        growing = [record for record in self.venue.open_orders() if not record.order.is_protective]
        if policy != "keep" and growing:
            raise Violation("stop_leaves_nothing", f"after {policy}: {growing}")
        if policy == "flatten" and (self.venue.positions or self.venue.open_orders()):
            raise Violation("stop_leaves_nothing", f"after flatten: {self.venue.positions}")
        self._protected()

    async def _come_to_rest(self) -> None:
        """Wait until books and venue agree, twice in a row."""
        agreed, ends, apart = 0, now_s() + REST_S, ["no bot is up"]
        while agreed < 2:
            if now_s() > ends:
                raise Violation("comes_to_rest", f"{apart}")
            await asyncio.sleep(2.0)
            life = self._life
            if life is not None:
                apart = self._watch.positions.differences(life) + self._watch.positions.unprotected()
                apart += [reason.code for reason in life.context.trading_state.current.reasons if not reason.latched]
            agreed = 0 if life is None or apart else agreed + 1
        self._judge(lambda: self._watch.on_rest(self._life))
        self._judge(self._halt_is_kept)
        self._judge(self._protected)
        self._judge(self._sent_once)
        self._judge(self._flattened)
        if self._broken is not None:
            raise self._broken

    def _protected(self) -> None:
        """Whatever is held has one stop and one take-profit, each of its size; what is not held has none."""
        held = self.held
        for purpose in (Purpose.STOP_LOSS, Purpose.TAKE_PROFIT):
            sizes = [r.order.contracts - r.filled for r in self.venue.open_orders() if r.order.purpose is purpose]
            if sizes != ([held] if held else []):
                raise Violation("protected_as_wanted", f"{held} held, {purpose} of {sizes}")

    def _flattened(self) -> None:
        """What the operator wanted closed, and is on record, is closed over restarts too."""
        if self.held and any(isinstance(record, FlattenCommand) for record in self.store.records):
            raise Violation("flatten_is_kept", f"{self.held} held")

    def _sent_once(self) -> None:
        twice = [key for key, count in self.venue.arrived.items() if count > 1]
        unknown = [key for key in self.venue.arrived if key not in self.store.intended]
        if twice or unknown:
            raise Violation("one_order_per_intent", f"twice {twice}, not in the journal {unknown}")
        if self._most_held > WANTED:
            raise Violation("no_more_than_wanted", f"{self._most_held} was held, {WANTED} wanted")

    @property
    def held(self) -> Decimal:
        """Contracts held at the venue."""
        return sum((position.contracts for position in self.venue.positions), Decimal(0))

    @property
    def is_halted(self) -> bool:
        """Whether the bot that is up is halted by the operator."""
        return self._life is not None and self._life.context.trading_state.current.holds(OPERATOR, HALT)
