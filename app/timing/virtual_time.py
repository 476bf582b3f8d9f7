"""An event loop whose sleeps cost no wall time, for tests and fault simulation."""

import asyncio
import heapq
import selectors
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
BUSY_ROUNDS_MAX = 16
"""Rounds of the loop with work of its own, after which timers and I/O get their turn all the same."""


class VirtualDeadlock(RuntimeError):
    """Every task waits, and no timer is set that could ever wake one of them."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s
        super().__init__(
            f"at {now_s:.6f} s of virtual time every task waits and no timer is set: "
            "something awaits an event that nobody will send, or a thread, which virtual time does not know"
        )


class _JumpingSelector(selectors.DefaultSelector):
    """Asks for I/O without waiting; where the loop would have waited, its time jumps instead."""

    now_s = 0.0

    def has_something(self) -> bool:
        """Whether a socket is ready; threads and signals wake the loop by one too."""
        return bool(super().select(0))

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready. When nothing is, ``timeout`` has passed on return."""
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise VirtualDeadlock(self.now_s)
            self.now_s += max(0.0, timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs what is ready; when nothing is, jumps to the next timer. Its time starts at zero.

    A day of timers takes milliseconds, and takes the same steps each time. Threads and sockets live outside virtual
    time: what they bring comes at an arbitrary moment, so the ports that need them have fakes.
    """

    # Of asyncio's own loop, like ``_run_once``: a test keeps them.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _timer_cancelled_count: int
    _clock_resolution: float

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._busy_rounds = 0

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._jumping.now_s

    def _run_once(self) -> None:
        """Run what is ready; when nothing is, jump to the next timer.

        A round of asyncio's own costs more than most of the work that is in it. It is left what is rare: I/O,
        waiting for ever, timers that come due while time stands still.
        """
        ready = self._ready
        if ready and self._busy_rounds < BUSY_ROUNDS_MAX:
            self._busy_rounds += 1
        elif ready or not self._jump():
            self._busy_rounds = 0
            super()._run_once()  # type: ignore[misc]
            return
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001

    def _jump(self) -> bool:
        """Move time to the next timer, and make ready all that are due then; False when that is not ours to do."""
        timers = self._scheduled
        while timers and timers[0].cancelled():
            heapq.heappop(timers)._scheduled = False  # type: ignore[attr-defined] # noqa: SLF001
            self._timer_cancelled_count -= 1
        if not timers or self._jumping.has_something():
            return False
        self._busy_rounds = 0
        self._jumping.now_s += max(0.0, timers[0].when() - self._jumping.now_s)
        due_s = self._jumping.now_s + self._clock_resolution
        while timers and timers[0].when() < due_s:
            handle = heapq.heappop(timers)
            handle._scheduled = False  # type: ignore[attr-defined] # noqa: SLF001
            self._ready.append(handle)
        return True


def run_virtual(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run ``coroutine`` to its end in a fresh loop of virtual time, and return its result.

    >>> run_virtual(asyncio.sleep(86_400, "a day later"))
    'a day later'

    Raises:
        VirtualDeadlock: It would never have ended.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)
