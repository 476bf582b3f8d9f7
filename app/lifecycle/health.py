"""Health: what is told of a part, and of the bot."""

from enum import StrEnum

import msgspec

from app.lifecycle.phases import Phase


class HealthState(StrEnum):
    """How well a part is."""

    STARTING = "starting"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    STOPPED = "stopped"


class HealthStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one part is."""

    component: str
    state: HealthState
    critical: bool
    since_s: float
    """For how long it has been in this state."""
    last_success_age_s: float | None = None
    """Age of its last success; None when there was none, or when it has nothing that could succeed."""
    details: dict[str, str] = {}
    error: str | None = None


class TaskState(StrEnum):
    """How a background task is."""

    RUNNING = "running"
    RESTARTING = "restarting"
    FINISHED = "finished"
    EXHAUSTED = "exhausted"


class TaskStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one background task is."""

    name: str
    owner: str
    critical: bool
    state: TaskState
    restarts: int
    last_error: str | None


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """How the bot is. The three answers differ: it may live and not be ready."""

    phase: Phase
    started: bool
    """Start-up has ended, well or not."""
    alive: bool
    """The process can still do its work: no critical task is past its restart limit."""
    ready: bool
    """It trades as the trading state allows: every critical part is up and none is unhealthy."""
    components: tuple[HealthStatus, ...]
    tasks: tuple[TaskStatus, ...]
