"""UTC for whoever measures ages by it."""

import time

_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, too, where the system has such a clock."""


def _since_boot_ns() -> int:
    return time.clock_gettime_ns(_SINCE_BOOT)


_BOOTED_NS = time.time_ns() - _since_boot_ns()


def utc_ns() -> int:
    """Return UTC, in nanoseconds since the epoch: the machine's when the process began, and what has gone by since.

    A correction of the machine's time does not show here. Were it turned back by an hour, no price would grow old for
    that hour, and no order would wait too long; what a venue's clock is ahead of ours is measured anyway.
    """
    return _BOOTED_NS + _since_boot_ns()
