"""Where a report goes: looked at before anything runs, for what it would say takes long to come by."""

import os
from pathlib import Path

from app.backtest import plotting
from app.cli.failures import UsageRefused


def check_report(path: Path | None) -> None:
    """Refuse a report that could not be made.

    Raises:
        ExtraMissing: plotly is not installed.
        UsageRefused: Nothing can be written there.
    """
    if path is None:
        return
    plotting()
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageRefused(f"--report {path}: there is no folder {folder}")
    place = path.resolve()
    writable = not place.exists() or os.access(place, os.W_OK)
    # A file is replaced by a new one in its folder; what is no file, as a pipe is, is written as it is.
    replaceable = os.access(place.parent, os.W_OK) or (place.exists() and not place.is_file())
    if path.is_dir() or not (writable and replaceable):
        raise UsageRefused(f"--report {path}: it cannot be written there")
