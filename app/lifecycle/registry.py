"""Starts the coordinators and what they stand on, stops them, and asks them how they are."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar, cast

from app.lifecycle.context import ContextCell, CoordinatorContext
from app.lifecycle.coordinator import Coordinator
from app.lifecycle.deadlines import Budget, Deadlines, now_s
from app.lifecycle.errors import IllegalPhase, LifecycleError, NotStarted, StartFailed, StepCancelled
from app.lifecycle.health import HealthReport
from app.lifecycle.inspection import inspect
from app.lifecycle.phases import PHASES, Phase, Transition
from app.lifecycle.supervisor import Supervisor
from app.lifecycle.units import Unit, start_order
from app.lifecycle.waiting import bounded, finish

STOP_MINIMUM_S = 0.05
"""Every unit gets at least this long to stop, even when the total is used up."""
BOT = "bot"

Observer = Callable[[Transition], None]

T = TypeVar("T")


class CoordinatorRegistry:
    """Runs the lifecycle of its units.

    Start: every unit comes up in order, every coordinator initializes, the context growing from one to the next; then,
    on the final snapshot, every coordinator starts its background tasks. Whatever goes wrong, what had come up is taken
    down again in reverse. Stop: drain, then background tasks, then units, in the reverse of what really came up, past
    every error.
    """

    def __init__(
        self,
        on_fatal: Callable[[str, str], None],
        deadlines: Callable[[], Deadlines] = Deadlines,
        jitter: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._on_fatal = on_fatal
        self._read_deadlines = deadlines
        self._deadlines = Deadlines()
        self._jitter = jitter
        self._observers: list[Observer] = []
        self._lock = asyncio.Lock()
        self._cell = ContextCell()
        self._phase = Phase.NEW
        self._supervisor = Supervisor(on_fatal, jitter)
        self._up: list[Unit] = []
        self._coordinators: dict[str, Coordinator] = {}

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """Where the bot is in its life."""
        return self._phase

    @property
    def context(self) -> CoordinatorContext:
        """The current snapshot."""
        return self._cell.current

    def coordinator(self, name: str) -> Coordinator:
        """Return a running coordinator.

        Raises:
            NotStarted: The bot is not up.
        """
        if self._phase not in {Phase.READY, Phase.STOPPING} or name not in self._coordinators:
            raise NotStarted(f"the coordinator {name}")
        return self._coordinators[name]

    def observe(self, observer: Observer) -> None:
        """Have ``observer`` called with each transition. One that fails harms nobody."""
        self._observers.append(observer)

    async def health(self) -> HealthReport:
        """Ask every coordinator how it is, all at once, each within its bound."""
        coordinators, tasks = tuple(self._coordinators.values()), self._supervisor.statuses()
        return await inspect(self._phase, coordinators, tasks, self._deadlines.health_check_s)

    # -- start ---------------------------------------------------------------------------------------------------

    async def start(
        self, units: Callable[[], Sequence[Unit]], begin: Callable[[], Awaitable[CoordinatorContext]]
    ) -> None:
        """Bring everything up.

        Args:
            units: Returns them in the order of their declaration; called when no other start or stop is under way.
            begin: Returns the first snapshot; called when the first coordinator is about to initialize.

        Raises:
            DependencyCycle: Before anything was touched.
            StartFailed: A unit did not come up; everything is down again.
            CancelledError: The start was cancelled; everything is down again.
        """
        async with self._lock:
            order, self._deadlines = start_order(units()), self._read_deadlines()
            self._enter(Phase.STARTING)
            began = now_s()
            self._supervisor = Supervisor(self._on_fatal, self._jitter)
            budget = Budget("the start", self._deadlines.start_total_s)
            try:
                for unit in order:
                    await self._bring_up(unit, budget, begin)
                for name, coordinator in self._coordinators.items():
                    start = partial(coordinator.start_background_tasks, self.context, self._supervisor)
                    await self._step(name, "start_background_tasks", start, budget)
            except BaseException as error:
                # The name of the step is in the failure already; a cancellation goes through as it is.
                leftovers: list[Exception] = []
                with suppress(asyncio.CancelledError):
                    # A cancellation that comes while the start is undone changes nothing: the first error goes out.
                    await finish(self._undo(began, error, leftovers))
                if isinstance(error, StartFailed):
                    raise StartFailed(error.unit, error.phase, error.cause, leftovers) from error.cause
                for leftover in leftovers:
                    error.add_note(f"while undoing the start: {leftover}")
                raise
            self._enter(Phase.READY)
            self._supervisor.release()
            self._tell(Transition(BOT, Phase.READY, now_s() - began))

    async def _bring_up(self, unit: Unit, budget: Budget, begin: Callable[[], Awaitable[CoordinatorContext]]) -> None:
        # On the list before it comes up: a unit that fails half-way, or whose success is overtaken by a cancellation,
        # is taken down as well.
        self._up.append(unit)
        if not unit.is_coordinator:
            await self._step(unit.name, "initialize", unit.up, budget)
            return
        if not self._coordinators:
            self._cell.publish(await self._step(unit.name, "context", begin, budget))
        made = await self._step(unit.name, "make", unit.up, budget)
        coordinator = cast("Coordinator", made)
        self._coordinators[unit.name] = coordinator
        coordinator.bind(self._cell)
        context = await self._step(unit.name, "initialize", partial(coordinator.initialize, self.context), budget)
        if context.version < self.context.version:
            cause = LifecycleError("initialize returned an older context than it was given")
            raise StartFailed(unit.name, "initialize", cause)
        self._cell.publish(context)

    async def _step(self, name: str, phase: str, step: Callable[[], Awaitable[T]], budget: Budget) -> T:
        """Run one step of the start within its deadline, and tell how it went."""
        began = now_s()
        try:
            seconds = budget.share(self._deadlines.start_unit_s)
            result = await bounded(step(), seconds, f"{name} ({phase})")
        except Exception as error:
            self._tell(Transition(name, phase, now_s() - began, repr(error)))
            raise StartFailed(name, phase, error) from error
        self._tell(Transition(name, phase, now_s() - began))
        return result

    # -- stop ----------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Take everything down. A no-op when nothing is up.

        Raises:
            ExceptionGroup: What went wrong, all of it; everything that could be stopped is.
        """
        async with self._lock:
            if self._phase in {Phase.NEW, Phase.STOPPED, Phase.FAILED}:
                return
            self._enter(Phase.STOPPING)
            errors: list[Exception] = []
            try:
                await finish(self._drain_and_take_down(errors))
            except asyncio.CancelledError as cancelled:
                for error in errors:
                    cancelled.add_note(f"while stopping: {error}")
                raise
        if errors:
            raise ExceptionGroup("the bot did not stop cleanly", errors)

    async def _drain_and_take_down(self, errors: list[Exception]) -> None:
        """Let every coordinator bring its work to an end, all at once, while everything still runs; then stop."""
        began, seconds = now_s(), self._deadlines.drain_s
        drains = [self._end(name, "drain", item.drain, seconds) for name, item in self._coordinators.items()]
        try:
            errors += [error for error in await asyncio.gather(*drains) if error is not None]
        except asyncio.CancelledError:
            errors.append(StepCancelled("the drain"))
        await self._take_down(errors)
        self._enter(Phase.STOPPED)
        self._tell(Transition(BOT, Phase.STOPPED, now_s() - began))

    async def _undo(self, began: float, error: BaseException, leftovers: list[Exception]) -> None:
        """Take down what a failed start had brought up."""
        await self._take_down(leftovers)
        self._enter(Phase.FAILED)
        self._tell(Transition(BOT, Phase.FAILED, now_s() - began, repr(error)))

    async def _take_down(self, errors: list[Exception]) -> None:
        """Stop background tasks, then units, in the reverse of what came up; add everything that went wrong."""
        budget = Budget("the stop", self._deadlines.stop_total_s)
        try:
            errors += await self._supervisor.stop(self._stop_share(budget))
        except asyncio.CancelledError:
            errors.append(StepCancelled("the stop of background tasks"))
        while self._up:
            unit = self._up.pop()
            coordinator = self._coordinators.pop(unit.name, None)
            if coordinator is not None:
                errors += _some(await self._end(unit.name, "shutdown", coordinator.shutdown, self._stop_share(budget)))
            errors += _some(await self._end(unit.name, "release", unit.down, self._stop_share(budget)))
        self._cell.publish(None)

    async def _end(
        self, name: str, phase: str, step: Callable[[], Awaitable[None]], seconds: float
    ) -> Exception | None:
        """Run one step of the stop within its deadline; return its error."""
        began = now_s()
        error: Exception | None = None
        try:
            await bounded(step(), seconds, f"{name} ({phase})")
        except asyncio.CancelledError:
            # ``finish`` shields this from our own caller's cancellation: somebody cancels every task of the loop.
            error = StepCancelled(f"{name} ({phase})")
        except Exception as raised:  # noqa: BLE001 - the stop goes on past every error, and reports them all
            error = raised
            error.add_note(f"in {phase} of {name}")
        self._tell(Transition(name, phase, now_s() - began, None if error is None else repr(error)))
        return error

    # -- inside --------------------------------------------------------------------------------------------------

    def _stop_share(self, budget: Budget) -> float:
        return budget.share(self._deadlines.stop_unit_s, at_least_s=STOP_MINIMUM_S)

    def _enter(self, phase: Phase) -> None:
        if phase not in PHASES[self._phase]:
            raise IllegalPhase(f"a bot that is {self._phase} cannot become {phase}")
        self._phase = phase

    def _tell(self, transition: Transition) -> None:
        for observer in self._observers:
            # An observer only looks on: whatever it raises must not decide whether the bot starts or stops.
            with suppress(Exception):
                observer(transition)


def _some(error: Exception | None) -> list[Exception]:
    return [] if error is None else [error]
