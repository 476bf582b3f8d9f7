"""How long each step of the lifecycle may take."""

import asyncio

import msgspec

from app.lifecycle.errors import DeadlineExceeded


def now_s() -> float:
    """Return the event loop's time, so that deadlines hold in virtual time as well."""
    return asyncio.get_running_loop().time()


class Deadlines(msgspec.Struct, frozen=True):
    """Seconds of the event loop, never of the market."""

    start_unit_s: float = 30.0
    start_total_s: float = 60.0
    drain_s: float = 10.0
    stop_unit_s: float = 5.0
    stop_total_s: float = 30.0
    health_check_s: float = 1.0


class Budget:
    """What is left of a total, shared out to steps."""

    def __init__(self, what: str, total_s: float) -> None:
        self._what = what
        self._total_s = total_s
        self._ends = now_s() + total_s

    def share(self, unit_s: float, at_least_s: float = 0.0) -> float:
        """Return what a step may take: its own bound or what is left, whichever is less.

        Raises:
            DeadlineExceeded: Nothing is left, and the step is not granted a minimum.
        """
        left = min(unit_s, self._ends - now_s())
        if left <= 0 and not at_least_s:
            raise DeadlineExceeded(self._what, self._total_s, abandoned=False)
        return max(left, at_least_s)
