"""Watches everything else: health, event-loop lag, stream silence, disk, settings files."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from shutil import disk_usage

from app.domain.events import Severity
from app.domain.reasons import MONITOR
from app.domain.records import HealthChanged, SettingsChanged
from app.lifecycle import (
    BaseCoordinator,
    CoordinatorContext,
    HealthReport,
    HealthState,
    HealthStatus,
    RestartPolicy,
    Supervisor,
)
from app.lifecycle.deadlines import now_s
from app.settings.models import MonitorSettings

DISK_CODE = "disk_full"
SILENCE_CODE = "stream_silent"


class SystemMonitor(BaseCoordinator):
    """Last to start. It restricts trading when what trading stands on is not sound, and says what it saw."""

    name = MONITOR
    critical = False

    def __init__(
        self,
        health: Callable[[], Awaitable[HealthReport]],
        stream_silence_s: Callable[[], float | None],
        state_folder: Path | None,
        settings_files: tuple[Path, ...],
        check_settings: Callable[[], str],
    ) -> None:
        super().__init__()
        self._health = health
        self._stream_silence_s = stream_silence_s
        self._folder = state_folder
        self._files = settings_files
        self._check_settings = check_settings
        self._problems: dict[str, str] = {}
        self._unhealthy: frozenset[str] = frozenset()
        self._lag_s = 0.0

    async def initialize(self, context: CoordinatorContext) -> CoordinatorContext:
        """Remember how the settings files look now."""
        self._settings: MonitorSettings = context.settings.monitor
        self._stamps = self._read_stamps()
        for code in (DISK_CODE, SILENCE_CODE):
            # What an earlier run saw is seen anew.
            context.trading_state.clear_reason(self.name, code)
        return context

    async def start_background_tasks(self, context: CoordinatorContext, supervisor: Supervisor) -> None:
        """Begin to watch."""
        del context
        supervisor.spawn(
            "system_monitor.watch", self._watch, restart=RestartPolicy.permanent(), critical=False, owner=self.name
        )

    async def health_check(self) -> HealthStatus:
        """Degraded while something that it watches is not sound."""
        return self.status(
            HealthState.DEGRADED if self._problems else HealthState.HEALTHY,
            details={"loop_lag_s": f"{self._lag_s:.3f}"},
            error="; ".join(self._problems.values()) or None,
        )

    async def _watch(self) -> None:
        while True:
            before = now_s()
            await asyncio.sleep(self._settings.check_every_s)
            self._lag_s = max(0.0, now_s() - before - self._settings.check_every_s)
            self._note(
                "loop_lag", self._lag_s > self._settings.loop_lag_s_max, f"event loop was {self._lag_s:.2f} s late"
            )
            self._watch_stream()
            self._watch_disk()
            self._watch_settings()
            await self._watch_health()
            self.context.metrics.gauge("event_loop_lag_seconds", self._lag_s)
            self.beat()

    def _watch_stream(self) -> None:
        silence = self._stream_silence_s()
        limit = self._settings.stream_silence_s_max
        silent = silence is not None and silence > limit
        text = f"no event for {silence or 0:.0f} s, limit {limit:g} s"
        self._note(SILENCE_CODE, silent, text)
        self._restrict(SILENCE_CODE, text, on=silent)

    def _watch_disk(self) -> None:
        if self._folder is None:
            return
        free_mb = disk_usage(self._folder).free // 1_000_000
        short = free_mb < self._settings.disk_free_mb_min
        text = f"{free_mb} MB free in {self._folder}, at least {self._settings.disk_free_mb_min} MB wanted"
        self._note(DISK_CODE, short, text)
        self._restrict(DISK_CODE, text, on=short)

    def _watch_settings(self) -> None:
        """Say once for each change of a file whether it would be valid; nothing is ever applied to a running bot."""
        stamps = self._read_stamps()
        if stamps != self._stamps:
            self._stamps = stamps
            self.context.facts.publish(SettingsChanged(self._check_settings()))

    async def _watch_health(self) -> None:
        report = await self._health()
        unhealthy = frozenset(item.component for item in report.components if item.state is HealthState.UNHEALTHY)
        if unhealthy != self._unhealthy:
            self._unhealthy = unhealthy
            self.context.facts.publish(HealthChanged(tuple(sorted(unhealthy))))

    def _note(self, code: str, wrong: bool, text: str) -> None:  # noqa: FBT001 - reads as a sentence where it is called
        if wrong:
            self._problems[code] = text
        else:
            self._problems.pop(code, None)

    def _restrict(self, code: str, text: str, *, on: bool) -> None:
        trading_state = self.context.trading_state
        if on:
            trading_state.raise_reason(self.name, code, Severity.REDUCE_ONLY, text)
        else:
            trading_state.clear_reason(self.name, code)

    def _read_stamps(self) -> tuple[tuple[int, int] | None, ...]:
        """Return modification time and size of each file; None for one that is not there."""
        stamps: list[tuple[int, int] | None] = []
        for path in self._files:
            try:
                status = path.stat()
            except OSError:
                stamps.append(None)
            else:
                stamps.append((status.st_mtime_ns, status.st_size))
        return tuple(stamps)
