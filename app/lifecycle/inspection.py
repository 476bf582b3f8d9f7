"""Asks the coordinators how they are. Never healthy because nobody looked."""

import asyncio
from collections.abc import Sequence

from app.lifecycle.coordinator import Coordinator
from app.lifecycle.health import HealthReport, HealthState, HealthStatus, TaskState, TaskStatus
from app.lifecycle.phases import Phase
from app.lifecycle.waiting import late_of


async def inspect(
    phase: Phase, coordinators: Sequence[Coordinator], tasks: Sequence[TaskStatus], seconds: float
) -> HealthReport:
    """Return how the bot is. A check that raises or hangs makes its own coordinator unhealthy, and no other."""
    asked = await _ask(coordinators, seconds)
    components = tuple(_with_tasks(status, [t for t in tasks if t.owner == status.component]) for status in asked)
    dead = any(task.critical and task.state is TaskState.EXHAUSTED for task in tasks)
    sick = any(item.critical and item.state is HealthState.UNHEALTHY for item in components)
    return HealthReport(
        phase=phase,
        started=phase not in {Phase.NEW, Phase.STARTING},
        alive=not dead and phase not in {Phase.STOPPED, Phase.FAILED},
        ready=phase is Phase.READY and not dead and not sick,
        components=components,
        tasks=tuple(tasks),
    )


async def _ask(coordinators: Sequence[Coordinator], seconds: float) -> list[HealthStatus]:
    """Ask all at once: each answers within the bound, or is unhealthy."""
    checks = [asyncio.ensure_future(_check(coordinator)) for coordinator in coordinators]
    late = await late_of(checks, seconds) if checks else ()
    return [
        _answer(coordinator, check, f"no answer within {seconds:g} s" if check in late else "")
        for coordinator, check in zip(coordinators, checks, strict=True)
    ]


async def _check(coordinator: Coordinator) -> object:
    return await coordinator.health_check()


def _answer(coordinator: Coordinator, check: "asyncio.Future[object]", problem: str) -> HealthStatus:
    if not problem and check.cancelled():
        problem = "the check was cancelled"
    elif not problem and (error := check.exception()) is not None:
        problem = f"{type(error).__name__}: {error}"
    elif not problem:
        status = check.result()
        if isinstance(status, HealthStatus):
            return status
        problem = f"TypeError: health_check returned a {type(status).__name__}"
    return HealthStatus(
        component=coordinator.name,
        state=HealthState.UNHEALTHY,
        critical=coordinator.critical,
        since_s=0.0,
        error=problem,
    )


def _with_tasks(status: HealthStatus, tasks: Sequence[TaskStatus]) -> HealthStatus:
    """Lower a coordinator's health to that of its background tasks."""
    worst, problems = status.state, [status.error] if status.error else []
    for task in tasks:
        if task.state is TaskState.EXHAUSTED:
            found = HealthState.UNHEALTHY if task.critical else HealthState.DEGRADED
        elif task.state is TaskState.RESTARTING:
            found = HealthState.DEGRADED
        else:
            continue
        problems.append(f"{task.name} {task.state} after {task.restarts} restarts: {task.last_error}")
        if worst is not HealthState.UNHEALTHY:
            worst = found
    if not problems:
        return status
    return HealthStatus(
        component=status.component,
        state=worst,
        critical=status.critical,
        since_s=status.since_s,
        last_success_age_s=status.last_success_age_s,
        details=status.details,
        error="; ".join(problems),
    )
