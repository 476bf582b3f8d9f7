"""The end of a process whose user does not want to wait for whatever hangs."""

import os
import sys
from typing import NoReturn

from app.ports.exit_codes import ExitCode

LEAVE_VIEW = "\x1b[?1049l\x1b[?25h"
"""Gives the terminal back that a live view, or a bar, has taken."""


def abort(left: str = "") -> NoReturn:
    """End at once, without any cleaning up.

    Args:
        left: What nobody looks after any more, for people.
    """
    view = LEAVE_VIEW if sys.stderr.isatty() else ""
    sys.stderr.write(f"{view}aborted{': ' if left else ''}{left}\n")
    sys.stderr.flush()
    os._exit(ExitCode.ABORTED)
