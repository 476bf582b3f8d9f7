"""Tells people what the bot does: figures, log lines, and the surfaces that show its status."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from app.domain.events import StreamEvent
from app.lifecycle import (
    BaseCoordinator,
    CoordinatorContext,
    HealthReport,
    HealthState,
    HealthStatus,
    RestartPolicy,
    Supervisor,
)
from app.ports.facts import Facts
from app.ports.metrics import Metrics


class StatusSurface(Protocol):
    """Somewhere that the status is shown: a file, a terminal."""

    name: str
    every_s: float

    def open(self) -> None:
        """Begin."""

    def show(self, context: CoordinatorContext, report: HealthReport) -> None:
        """Show the status now."""

    def close(self) -> None:
        """End; may be called more than once."""


class EventObserver(Protocol):
    """Counts events and facts."""

    def observe(self, event: StreamEvent) -> None:
        """Take notice of an event of the stream."""

    @property
    def counts(self) -> Mapping[type, Callable[[Any], None]]:
        """What takes notice of each kind of fact that is counted."""


class FactSubscriber(Protocol):
    """Wants to know of some kinds of fact."""

    @property
    def kinds(self) -> Collection[type]:
        """Which."""

    def __call__(self, fact: object) -> None:
        """Take notice of a fact."""


class EndTaker(Protocol):
    """Takes the figures at the end of a run."""

    def __call__(self, context: CoordinatorContext, report: HealthReport) -> None:
        """Take them while the context is still there."""


class TelemetryCoordinator(BaseCoordinator):
    """First to start and last to stop, so that it sees everything. Trading goes on without it."""

    name = "telemetry"
    critical = False

    def __init__(
        self,
        facts: Facts,
        metrics: Metrics,
        figures: EventObserver,
        surfaces: Sequence[StatusSurface],
        subscribers: Sequence[FactSubscriber],
        health: Callable[[], Awaitable[HealthReport]],
        on_end: EndTaker,
    ) -> None:
        super().__init__()
        self._facts = facts
        self._metrics = metrics
        self._surfaces = tuple(surfaces)
        self._figures = figures
        self._subscribers = tuple(subscribers)
        self._health = health
        self._on_end = on_end
        self._last_report: HealthReport | None = None
        self._opened: list[StatusSurface] = []
        self.observe = figures.observe

    async def initialize(self, context: CoordinatorContext) -> CoordinatorContext:
        """Subscribe to facts before anybody publishes one."""
        for kind, count in self._figures.counts.items():
            self._facts.subscribe(count, (kind,))
        for subscriber in self._subscribers:
            self._facts.subscribe(subscriber, subscriber.kinds)
        return context.evolve(self.name, facts=self._facts, metrics=self._metrics, telemetry=self)

    async def start_background_tasks(self, context: CoordinatorContext, supervisor: Supervisor) -> None:
        """Begin to show the status. A surface that fails is tried again, and then given up: health is degraded."""
        del context
        for surface in self._surfaces:
            surface.open()
            self._opened.append(surface)
            supervisor.spawn(
                f"telemetry.{surface.name}",
                self._shows(surface),
                restart=RestartPolicy.permanent(),
                critical=False,
                owner=self.name,
            )

    async def drain(self) -> None:
        """Ask all how they are, for the last time."""
        self._last_report = await self._health()

    async def shutdown(self) -> None:
        """Take the final figures: nothing moves any more. Close the surfaces, all of them."""
        if self._last_report is not None:
            self._on_end(self.context, self._last_report)
            self._last_report = None
        errors = []
        while self._opened:
            try:
                self._opened.pop().close()
            except OSError as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup("status surfaces did not close", errors)

    async def health_check(self) -> HealthStatus:
        """Healthy: what its tasks do is added by the supervisor."""
        return self.status(HealthState.HEALTHY, details={"surfaces": str(len(self._opened))})

    def _shows(self, surface: StatusSurface) -> Callable[[], Awaitable[None]]:
        async def show() -> None:
            while True:
                surface.show(self.context, await self._health())
                self.beat()
                await asyncio.sleep(surface.every_s)

        return show
