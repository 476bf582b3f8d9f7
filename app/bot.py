"""The bot as an object that a person holds."""

import warnings
from collections.abc import Callable, Collection
from signal import Signals
from typing import Any, Protocol, cast

from app.coordinators import (
    ExecutionCoordinator,
    RuntimeCoordinator,
    StrategyCoordinator,
    SystemMonitor,
    TelemetryCoordinator,
)
from app.lifecycle import SIGNALS, Coordinator, HealthReport, LifecycleManager, RunResult, StopRequest


class Lifecycle(Protocol):
    """What the bot needs of its container."""

    async def init_resources(self) -> None:
        """Start everything."""

    async def shutdown_resources(self) -> None:
        """Stop everything."""

    def coordinator(self, name: str) -> Coordinator:
        """Return a running coordinator."""

    async def health(self) -> HealthReport:
        """Return how the bot is."""


class PerpsBot:
    """Built by the container. Its coordinators are there while it is up; before and after, asking raises NotStarted."""

    def __init__(self, lifecycle: Lifecycle, request: StopRequest) -> None:
        self._lifecycle = lifecycle
        self._request = request

    @property
    def runtime(self) -> RuntimeCoordinator:
        """Exchange connection, stream, trading state."""
        return cast("RuntimeCoordinator", self._lifecycle.coordinator("runtime"))

    @property
    def execution(self) -> ExecutionCoordinator:
        """Orders and books."""
        return cast("ExecutionCoordinator", self._lifecycle.coordinator("execution"))

    @property
    def strategy(self) -> StrategyCoordinator:
        """Strategies."""
        return cast("StrategyCoordinator", self._lifecycle.coordinator("strategy"))

    @property
    def telemetry(self) -> TelemetryCoordinator:
        """Figures and status surfaces."""
        return cast("TelemetryCoordinator", self._lifecycle.coordinator("telemetry"))

    @property
    def system_monitor(self) -> SystemMonitor:
        """Watches everything else."""
        return cast("SystemMonitor", self._lifecycle.coordinator("system_monitor"))

    async def health(self) -> HealthReport:
        """Return how the bot is, having looked."""
        return await self._lifecycle.health()

    def halt(self, reason: str = "halted by hand") -> None:
        """Let nothing grow any more, from this call on: the kill switch.

        It holds over restarts, until the operator resumes (``python -m app resume``). Positions and their protection
        stay; working orders that can grow a position are canceled, and asked for again until the exchange confirms.
        Belongs to the event loop's thread; from another one: ``loop.call_soon_threadsafe(bot.halt, reason)``.

        Raises:
            NotStarted: The bot is not up: ``python -m app halt`` halts its next start.
        """
        self.runtime.halt(reason)

    def stop(self, reason: str = "asked to stop") -> None:
        """Ask for a clean stop; ``run`` returns when it is done."""
        self._request.request(reason)

    async def run(
        self,
        on_ready: Callable[[], None] = lambda: None,
        abort: Callable[[], None] = lambda: None,
        signals: Collection[Signals] = SIGNALS,
    ) -> RunResult:
        """Run until a signal, the end of the data, ``stop`` or the failure of a critical part.

        Args:
            on_ready: Called once everything is up.
            abort: Called at the second signal; it must not return to a bot that hangs.
            signals: Which of them stop it; the others do what they did before.
        """
        manager = LifecycleManager(
            self._lifecycle.init_resources, self._lifecycle.shutdown_resources, self._request, abort
        )
        return await manager.run(on_ready, signals)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the type of the property that the old name stands for
        replacement = DEPRECATED_NAMES.get(name)
        if replacement is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        warnings.warn(f"bot.{name} is deprecated: use bot.{replacement}", DeprecationWarning, stacklevel=2)
        return getattr(self, replacement)


DEPRECATED_NAMES = {
    "execution_coordinator": "execution",
    "runtime_coordinator": "runtime",
    "strategy_coordinator": "strategy",
    "telemetry_coordinator": "telemetry",
}
"""Names of the first design's facade; docs/deprecations.md has their timeline."""
