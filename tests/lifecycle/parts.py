"""Five small coordinators that note what happens to them, and fail, hang or are cancelled where a test says."""

import asyncio
from contextlib import suppress
from types import SimpleNamespace

from dependency_injector import containers, providers

from app.container_lifecycle import (
    Callable_,
    CoordinatorResource,
    Dependency,
    Factory,
    LifecycleContainer,
    Object,
    Resource,
    Singleton,
)
from app.lifecycle import BaseCoordinator, CoordinatorContext, Deadlines, StopRequest

NAMES = ("telemetry", "runtime", "execution", "strategy", "system_monitor")
PHASES = ("make", "initialize", "start_background_tasks", "drain", "shutdown")
START_PHASES = PHASES[:3]
SHORT = Deadlines(
    start_unit_s=0.05, start_total_s=0.5, drain_s=0.05, stop_unit_s=0.05, stop_total_s=0.5, health_check_s=0.05
)


class Planned(Exception):
    """What a test made happen."""


class Journal:
    """What happened, in order, and what shall happen."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.plan: dict[tuple[str, str], str] = {}

    async def meet(self, name, phase):
        """Note a step; do what is planned for it."""
        self.events.append(f"{name}.{phase}")
        planned = self.plan.get((name, phase))
        if planned == "fail":
            raise Planned(f"{name}.{phase}")
        if planned == "hang":
            await stubborn()
        if planned == "cancelled":
            raise asyncio.CancelledError
        await asyncio.sleep(0)

    async def reached(self, event):
        """Return in the tick in which a step was noted."""
        for _ in range(1000):
            if event in self.events:
                return
            await asyncio.sleep(0)
        raise AssertionError(event)

    def stopped(self):
        """Return the names of what was shut down, in order."""
        return [event.partition(".")[0] for event in self.events if event.endswith(".shutdown")]


async def stubborn(swallowed=1):
    """Hang, and swallow cancellations; end soon after, so that the test leaves nothing behind."""
    for _ in range(swallowed):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0.3)


class Part(BaseCoordinator):
    """A coordinator that only notes."""

    def __init__(self, name, journal, critical=True) -> None:
        super().__init__()
        self.name = name
        self.critical = critical
        self.notes = journal

    async def initialize(self, context):
        await self.notes.meet(self.name, "initialize")
        return context.evolve(self.name, **{FIELDS[self.name]: self.name}) if self.name in FIELDS else context

    async def start_background_tasks(self, context, supervisor):
        await self.notes.meet(self.name, "start_background_tasks")

    async def drain(self):
        await self.notes.meet(self.name, "drain")

    async def shutdown(self):
        await self.notes.meet(self.name, "shutdown")


FIELDS = {"telemetry": "facts", "runtime": "market_data", "execution": "portfolio", "strategy": "strategy"}


async def made(name, notes):
    """Make a part: the phase that a constructor with asynchronous dependencies goes through."""
    await notes.meet(name, "make")
    if notes.plan[name, "make"] == "slow":
        for _ in range(3):
            await asyncio.sleep(0)
        notes.events.append(f"{name}.made")
    return Part(name, notes)


def file_of(notes):
    """A plain resource."""
    notes.events.append("file.open")
    yield "file"
    notes.events.append("file.close")


async def slow_file_of(notes):
    """The same, asynchronous: it may be cancelled before and after it is open, and while it closes."""
    await asyncio.sleep(0)
    notes.events.append("file.open")
    try:
        await asyncio.sleep(0)
        yield "file"
        await asyncio.sleep(0)
    finally:
        notes.events.append("file.close")


class Parts(containers.DeclarativeContainer):
    """The shape of the real container, with parts that only note."""

    instance_type = LifecycleContainer
    notes = Dependency()
    stop_request = Singleton(StopRequest)
    deadlines = Callable_(lambda: SHORT)
    random = Object(SimpleNamespace(random=lambda: 0.0))
    file = Resource(file_of, notes)
    base_context = Factory(CoordinatorContext, settings=None, clock=None, ids=None, journal=file)
    telemetry_factory = Factory(Part, "telemetry", notes)
    telemetry = CoordinatorResource(telemetry_factory, base_context)
    runtime_factory = Factory(Part, "runtime", notes)
    runtime = CoordinatorResource(runtime_factory, telemetry)
    execution_factory = Factory(Part, "execution", notes)
    execution = CoordinatorResource(execution_factory, runtime)
    strategy_factory = Factory(Part, "strategy", notes)
    strategy = CoordinatorResource(strategy_factory, execution)
    system_monitor_factory = Factory(Part, "system_monitor", notes)
    system_monitor = CoordinatorResource(system_monitor_factory, strategy)


def parts(**plan):
    """Return a container, and the notes of what happens to it."""
    notes = Journal()
    notes.plan = {tuple(step.split("__")): what for step, what in plan.items()}
    container = Parts(notes=providers.Object(notes))
    for name in NAMES:
        if notes.plan.get((name, "make")):
            getattr(container, f"{name}_factory").override(providers.Coroutine(made, name, notes))
    return container, notes


async def end_all():
    """Let what ignored its cancellation end, so that the next test begins with nothing."""
    for _ in range(20):
        for task in alive():
            task.cancel()
        await asyncio.sleep(0)


def alive():
    """Return the tasks that still run, but for the test's own."""
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
