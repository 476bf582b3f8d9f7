"""What goes wrong, as the plan brings it: at once, at the next call that it is about, or to the next bot that is up."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from app.domain.events import ResumeCommand
from app.domain.reasons import HALT, OPERATOR
from app.lifecycle.deadlines import now_s
from app.simulation.faults import Fault, FaultKind, Plan
from app.simulation.invariants import Watch
from app.simulation.life import Life
from app.simulation.store import SimulatedStore
from app.simulation.venue import Venue

RESTARTED_S = 25.0
HALTED_S = 150.0
"""After which the operator lifts a halt, or starts a bot anew that has set a strategy aside."""
RETRY_S = 5.0


class Lives(Protocol):
    """The present life, and how it is ended."""

    @property
    def present(self) -> Life | None:
        """The bot that is up; None while none is."""

    def die_now(self, how: str) -> None:
        """Kill the process, in the middle of whatever it does."""

    def ask_to_stop(self, why: str) -> None:
        """Have the bot stopped cleanly."""

    def judge(self, rule: Callable[[], None]) -> None:
        """Have a rule judged in the bot's own call."""

    def note(self, what: str) -> None:
        """Put something on the trace."""


class Course:
    """Brings the faults of a plan."""

    def __init__(self, plan: Plan, venue: Venue, store: SimulatedStore, watch: Watch, lives: Lives) -> None:
        self._plan = plan
        self._venue = venue
        self._store = store
        self._watch = watch
        self._lives = lives
        self._armed: deque[Fault] = deque()
        self._postponed: list[Fault] = []
        """What could not happen to a bot that was not up; it happens to the next."""
        self.breaks = False
        """Whether the plan broke the stream of the present life."""
        self.at_peace = False
        """Whether nothing goes wrong any more."""
        self.fired: Counter[str] = Counter()
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
            FaultKind.CRASH: lambda _, fault: self._lives.die_now(fault.kind),
            FaultKind.STOP: lambda _, fault: self._lives.ask_to_stop(fault.kind),
            FaultKind.HALT: self._halt,
            FaultKind.FLATTEN: lambda life, fault: self.flatten(life, fault.kind),
        }
        """What the plan does at its time; the other kinds wait for the call or event that they are about."""

    def calm_down(self) -> None:
        """Let nothing go wrong any more."""
        self.at_peace = True
        self._armed.clear()
        self._postponed.clear()
        self._store.failure, self._store.slow_until_s = None, 0.0
        self._venue.is_calm = True
        self._venue.fills_part_of_volume = False

    def take(self, *kinds: FaultKind) -> Fault | None:
        """Return the first armed fault of one of ``kinds``, once."""
        for fault in self._armed:
            if fault.kind in kinds:
                self._armed.remove(fault)
                self._fire(fault)
                return fault
        return None

    async def unfold(self) -> None:
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
        life = self._lives.present
        if life is None or life.link.is_dead:
            self._postponed.append(fault)
            return
        self._acts_on_bot[fault.kind](life, fault)
        self._fire(fault)

    def catch_up(self, life: Life) -> None:
        """Have come to pass what waited for a bot that is up."""
        if self._watch.seen.halted_s is None and life.context.trading_state.current.holds(OPERATOR, HALT):
            # The process died before it had put on record that the halt is lifted: the operator looks, and lifts it.
            asyncio.get_running_loop().call_later(RETRY_S, self._resume)
        postponed, self._postponed = self._postponed, []
        for fault in postponed if not self.at_peace else ():
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
        # Whoever starts a bot anew makes room at once; what was said before to the one that could not write is lost.
        self._store.healthy_since_s = now_s() + fault.seconds
        asyncio.get_running_loop().call_later(fault.seconds, self._mend_store)

    def _distrust_book(self, life: Life, fault: Fault) -> None:
        symbols = tuple(self._venue.instruments)
        life.link.distrust(symbols[fault.number % len(symbols)])

    def _break_stream(self, life: Life, fault: Fault) -> None:
        del fault
        self.breaks = True
        life.link.break_stream()

    def flatten(self, life: Life, why: str) -> None:
        """Have the operator close all positions."""
        self._watch.seen.note_flatten()
        life.bot.execution.stage.flatten(why)

    def _break_strategy(self, life: Life, fault: Fault) -> None:
        life.break_strategy(fault.number)
        asyncio.get_running_loop().call_later(HALTED_S, self._lives.ask_to_stop, "a strategy was set aside")

    def _halt(self, life: Life, fault: Fault) -> None:
        life.bot.halt("planned")
        self._lives.judge(partial(self._watch.turns.on_halt, life))
        loop = asyncio.get_running_loop()
        loop.call_later(HALTED_S, self._resume)
        if fault.number % 2:
            # Whoever halts a bot often starts it anew, to see whether that helps.
            loop.call_later(RESTARTED_S, self._lives.ask_to_stop, "halted, and to be started anew")

    def _resume(self) -> None:
        """Lift the operator's halt, as the operator would."""
        life = self._lives.present
        if life is None or life.link.is_dead:
            if not self.at_peace:
                asyncio.get_running_loop().call_later(RETRY_S, self._resume)
            return
        if not life.context.trading_state.current.holds(OPERATOR, HALT):
            return
        self._watch.turns.on_resume()
        life.bot.runtime.post(ResumeCommand(life.context.clock.now_ns, ((OPERATOR, HALT),)))

    def _mend_store(self) -> None:
        """Make room. The bot that ran meanwhile writes no more: its operator starts it anew."""
        self._store.failure, self._store.healthy_since_s = None, max(self._store.healthy_since_s, now_s())
        life = self._lives.present
        if life is not None and life.journal.failure is not None:
            self._lives.ask_to_stop("the store has failed")

    def _fire(self, fault: Fault) -> None:
        self.fired[fault.kind] += 1
        self._lives.note(f"fault {fault.kind} {fault.seconds} {fault.number}")
