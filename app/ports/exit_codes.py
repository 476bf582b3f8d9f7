"""What the process says when it ends."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Distinct for each cause; documented in the README."""

    CLEAN = 0
    BUG = 1
    USAGE = 2
    SETTINGS_REFUSED = 3
    START_FAILED = 4
    CRITICAL_FAILURE = 5
    UNCLEAN_STOP = 6
    ABORTED = 130
    OUTPUT_CLOSED = 141
    """128 + SIGPIPE, as Unix tools end."""
