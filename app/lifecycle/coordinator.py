"""What a coordinator is: a part with a life of its own."""

from time import monotonic
from typing import ClassVar, Protocol

from app.lifecycle.context import ContextCell, CoordinatorContext
from app.lifecycle.errors import NotStarted
from app.lifecycle.health import HealthState, HealthStatus
from app.lifecycle.supervisor import Supervisor


class Coordinator(Protocol):
    """Owns one concern. Every method may be cancelled at any await."""

    name: ClassVar[str]
    critical: ClassVar[bool]
    """Whether the bot must stop when this part can no longer do its work."""

    def bind(self, cell: ContextCell) -> None:
        """Take the place where the current context is found."""

    async def initialize(self, context: CoordinatorContext) -> CoordinatorContext:
        """Come up; return the context with the fields that this coordinator owns."""

    async def start_background_tasks(self, context: CoordinatorContext, supervisor: Supervisor) -> None:
        """Begin to work. Every coordinator is initialized by now, and the context is complete."""

    async def drain(self) -> None:
        """Bring what is under way to its end, while everything still runs."""

    async def shutdown(self) -> None:
        """Give back what ``initialize`` took. Idempotent, and called even when ``initialize`` failed half-way."""

    async def health_check(self) -> HealthStatus:
        """Say how it is, having looked."""


class BaseCoordinator:
    """A coordinator that does nothing yet."""

    name: ClassVar[str] = "?"
    critical: ClassVar[bool] = True

    def __init__(self) -> None:
        self._cell: ContextCell | None = None
        self._state = HealthState.STARTING
        self._since = monotonic()
        self._last_success: float | None = None

    def bind(self, cell: ContextCell) -> None:
        """Take the place where the current context is found."""
        self._cell = cell

    @property
    def context(self) -> CoordinatorContext:
        """The current snapshot, never an older one.

        Raises:
            NotStarted: The coordinator is not up.
        """
        return self._bound().current

    def revise(self, **fields: object) -> None:
        """Give fields that this coordinator owns new values, for every coordinator at once.

        Raises:
            FieldRefused: A field belongs to another, or its value is mutable.
            NotStarted: The coordinator is not up.
        """
        cell = self._bound()
        cell.publish(cell.current.revise(self.name, **fields))

    async def initialize(self, context: CoordinatorContext) -> CoordinatorContext:
        """Need nothing and own nothing."""
        return context

    async def start_background_tasks(self, context: CoordinatorContext, supervisor: Supervisor) -> None:
        """Have no tasks."""

    async def drain(self) -> None:
        """Have nothing under way."""

    async def shutdown(self) -> None:
        """Hold nothing."""

    async def health_check(self) -> HealthStatus:
        """Be healthy: there is nothing that could fail."""
        return self.status(HealthState.HEALTHY)

    def beat(self) -> None:
        """Note a success: work that was meant to be done was done just now."""
        self._last_success = monotonic()

    def status(
        self, state: HealthState, *, details: dict[str, str] | None = None, error: str | None = None
    ) -> HealthStatus:
        """Return a health status of this coordinator, with its times."""
        now = monotonic()
        if state is not self._state:
            self._state, self._since = state, now
        return HealthStatus(
            component=self.name,
            state=state,
            critical=self.critical,
            since_s=round(now - self._since, 3),
            last_success_age_s=None if self._last_success is None else round(now - self._last_success, 3),
            details=details or {},
            error=error,
        )

    def _bound(self) -> ContextCell:
        if self._cell is None:
            raise NotStarted(f"the context of {self.name}")
        return self._cell
