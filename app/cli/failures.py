"""Turns an error into one sentence on stderr and its exit code."""

import errno
import select
import sys
import traceback

from app.ports.exit_codes import ExitCode

UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
BY_NAME = {
    # By name, so that --help does not import what defines them.
    "SettingsRefused": ExitCode.SETTINGS_REFUSED,
    "StrategyRefused": ExitCode.SETTINGS_REFUSED,
    "UsageRefused": ExitCode.USAGE,
    "NotCompilable": ExitCode.USAGE,
    "ResearchRefused": ExitCode.USAGE,
    "BadDataFile": ExitCode.START_FAILED,
    "TrialFailed": ExitCode.START_FAILED,
    "StorageError": ExitCode.START_FAILED,
    "StartFailed": ExitCode.START_FAILED,
    "NotFit": ExitCode.START_FAILED,
    "VenueRefused": ExitCode.START_FAILED,
    "ClusterRefused": ExitCode.START_FAILED,
    "ClusterLost": ExitCode.UNCLEAN_STOP,
    "WorkerLost": ExitCode.UNCLEAN_STOP,
    "DataFileUnwritable": ExitCode.UNCLEAN_STOP,
    "NotDone": ExitCode.UNCLEAN_STOP,
    "Interrupted": ExitCode.UNCLEAN_STOP,
    "KeyboardInterrupt": ExitCode.UNCLEAN_STOP,
}


class UsageRefused(Exception):
    """The words of the command line are off."""


class NotDone(Exception):
    """What the operator commanded is not done, and nobody is at work on it."""


def report_failure(error: BaseException) -> int:
    """Print what went wrong; return the exit code. What nobody foresaw is a bug, and says so."""
    if is_closed_pipe(error):
        # Nothing is left to be flushed at the end, into a pipe that nobody reads.
        sys.stdout = None
        return ExitCode.OUTPUT_CLOSED
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        # What was to be printed is not the only trace of a run. Nothing is left to be flushed at the end.
        sys.stdout = None
        print(f"error: the output cannot be written: {error.strerror}", file=sys.stderr)
        return ExitCode.UNCLEAN_STOP
    for kind in type(error).__mro__:
        code = BY_NAME.get(kind.__name__)
        if code is not None:
            print(f"error: {str(error) or 'interrupted'}", file=sys.stderr)
            return code
    traceback.print_exception(error, file=sys.stderr)
    print(f"this is a bug in perps-bot: {type(error).__name__}: {error}", file=sys.stderr)
    return ExitCode.BUG


def is_closed_pipe(error: BaseException) -> bool:
    """Whether who reads the output has left, as `head` does. Rich and Click make a SystemExit with 1 of it."""
    if isinstance(error, SystemExit):
        return error.code == 1 and isinstance(error.__context__, BrokenPipeError)
    return isinstance(error, BrokenPipeError) and _nobody_reads()


def _nobody_reads() -> bool:
    """Whether it is stdout that is closed: a pipe to something else that broke is not passed over in silence."""
    watch = select.poll()
    watch.register(sys.__stdout__ or 1, 0)
    return bool(watch.poll(0))
