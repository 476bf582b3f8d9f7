"""The end of a command: its exit code, or a sentence for what went wrong."""

import sys
from collections.abc import Callable
from typing import NoReturn

from app.cli import garbage
from app.cli.failures import report_failure
from app.cli.interrupts import second_aborts


def end_with(command: Callable[[], int]) -> NoReturn:
    """Run a command, and end the process with its exit code."""
    garbage.begin()
    try:
        with second_aborts():
            code = command()
        if sys.stdout is not None:
            sys.stdout.flush()
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - the last place where an error can become a sentence and an exit code
        code = report_failure(error)
    sys.exit(code)
