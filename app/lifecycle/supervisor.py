"""Keeps background tasks running, and says when it cannot. The terms are those of Erlang/OTP's supervisors."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import cast

import msgspec

from app.lifecycle.deadlines import now_s
from app.lifecycle.errors import IllegalPhase, StepCancelled
from app.lifecycle.health import TaskState, TaskStatus
from app.lifecycle.waiting import bounded

Work = Callable[[], Awaitable[None]]


class Restart(StrEnum):
    """When a task that ended is started again."""

    PERMANENT = "permanent"  # always: it must never end
    TRANSIENT = "transient"  # when it failed
    TEMPORARY = "temporary"  # never


class RestartPolicy(msgspec.Struct, frozen=True):
    """How often, and how soon. More than ``intensity`` ends within ``window_s`` are too many."""

    restart: Restart
    intensity: int = 5
    window_s: float = 60.0
    backoff_s: float = 0.1
    backoff_s_max: float = 10.0

    @classmethod
    def permanent(cls) -> "RestartPolicy":
        """Start it again whenever it ends."""
        return cls(Restart.PERMANENT)

    @classmethod
    def transient(cls) -> "RestartPolicy":
        """Start it again when it failed."""
        return cls(Restart.TRANSIENT)

    @classmethod
    def temporary(cls) -> "RestartPolicy":
        """Never start it again: one failure is too many."""
        return cls(Restart.TEMPORARY, intensity=0)


class _Supervised:
    """A task and its record."""

    def __init__(self, name: str, owner: str, work: Work, policy: RestartPolicy, *, critical: bool) -> None:
        self.name = name
        self.owner = owner
        self.work = work
        self.policy = policy
        self.critical = critical
        self.state = TaskState.RUNNING
        self.restarts = 0
        self.last_error: str | None = None
        self.ends: deque[float] = deque(maxlen=policy.intensity + 1)
        self.task: asyncio.Task[None]

    def too_many(self) -> bool:
        """Note an end; return whether there have been more than the policy allows."""
        now = now_s()
        self.ends.append(now)
        recent = [end for end in self.ends if now - end < self.policy.window_s]
        return len(recent) > self.policy.intensity

    def status(self) -> TaskStatus:
        return TaskStatus(
            name=self.name,
            owner=self.owner,
            critical=self.critical,
            state=self.state,
            restarts=self.restarts,
            last_error=self.last_error,
        )


class Supervisor:
    """Owns all background tasks of a run: there is no other way to have one."""

    def __init__(
        self,
        on_fatal: Callable[[str, str], None],
        jitter: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._on_fatal = on_fatal
        self._jitter = jitter
        self._tasks: dict[str, _Supervised] = {}
        self._released = asyncio.Event()
        self._stopped = False

    def spawn(self, name: str, work: Work, *, restart: RestartPolicy, critical: bool, owner: str) -> None:
        """Start a background task, once all are released, and keep it running.

        Args:
            name: Unique among the tasks of this run.
            work: Called for each start; what it returns is awaited.
            restart: When it is started again, and how often.
            critical: Whether the bot must stop when it cannot be kept running; else its owner is degraded.
            owner: The coordinator whose health it counts in.

        Raises:
            IllegalPhase: Tasks are being stopped: nobody would stop this one.
        """
        if self._stopped:
            raise IllegalPhase(f"background task {name!r} comes too late: all are being stopped")
        if name in self._tasks:
            raise ValueError(f"a background task {name!r} runs already")
        supervised = _Supervised(name, owner, work, restart, critical=critical)
        self._tasks[name] = supervised
        supervised.task = asyncio.create_task(self._keep(supervised), name=name)

    def release(self) -> None:
        """Let the tasks begin: until everything is up, none of them works."""
        self._released.set()

    def statuses(self, owner: str | None = None) -> tuple[TaskStatus, ...]:
        """Return how the tasks are, of one owner or of all."""
        return tuple(item.status() for item in self._tasks.values() if owner in {None, item.owner})

    async def stop(self, seconds: float) -> list[Exception]:
        """Cancel all tasks, last first, and wait for them together; return what went wrong."""
        self._stopped = True
        running = [item for item in reversed(self._tasks.values()) if not item.task.done()]
        for item in running:
            item.task.cancel()
        ends = await asyncio.gather(
            *(bounded(item.task, seconds, f"background task {item.name}") for item in running), return_exceptions=True
        )
        # That a task ended by its cancellation is what was asked of it.
        return [end for end in ends if isinstance(end, Exception) and not isinstance(end, StepCancelled)]

    async def _keep(self, supervised: _Supervised) -> None:
        try:
            await self._released.wait()
            while await self._lives_on(supervised):
                pass
        finally:
            if supervised.state is not TaskState.EXHAUSTED:
                supervised.state = TaskState.FINISHED

    async def _lives_on(self, supervised: _Supervised) -> bool:
        """Run the work to its end; return whether to run it again, after a pause."""
        policy = supervised.policy
        supervised.state = TaskState.RUNNING
        error = await self._end_of(supervised)
        if error is None and (policy.restart is not Restart.PERMANENT or _being_stopped()):
            return False
        supervised.last_error = error or "it ended, and must not"
        if policy.restart is Restart.TEMPORARY or supervised.too_many():
            self._give_up(supervised)
            return False
        supervised.state = TaskState.RESTARTING
        supervised.restarts += 1
        delay = min(policy.backoff_s * 2 ** (len(supervised.ends) - 1), policy.backoff_s_max)
        await asyncio.sleep(delay * (1 + self._jitter()))
        return True

    @staticmethod
    async def _end_of(supervised: _Supervised) -> str | None:
        """Run the work to its end; return its error, None when it had none."""
        try:
            await supervised.work()
        except asyncio.CancelledError:
            if _being_stopped():
                raise
            # Not we were cancelled, but something that it waited for: that is a failure like any other.
            return "what it waited for was cancelled"
        except (Exception, SystemExit) as error:
            if _being_stopped():
                error.add_note(f"in background task {supervised.name}")
                raise
            return f"{type(error).__name__}: {error}"
        return None

    def _give_up(self, supervised: _Supervised) -> None:
        supervised.state = TaskState.EXHAUSTED
        if supervised.critical:
            self._on_fatal(supervised.name, supervised.last_error or "")


def _being_stopped() -> bool:
    """Whether the running task was asked to end. Work that swallowed that, or fell over it, is not started again."""
    task = cast("asyncio.Task[None]", asyncio.current_task())
    return task.cancelling() > 0
