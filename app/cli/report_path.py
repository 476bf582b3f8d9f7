"""Where a report goes: looked at before anything runs, for what it would say takes long to come by."""

import os
from collections.abc import Iterable
from pathlib import Path

from app.backtest import data_files, plotting
from app.cli.failures import UsageRefused
from app.settings import LoadedSettings


def check_report(path: Path | None, loaded: LoadedSettings, study: Path | None = None) -> None:
    """Refuse a report that could not be made, or that would take the place of what the run reads or writes.

    Raises:
        ExtraMissing: plotly is not installed.
        UsageRefused: Nothing can be written there, or something else of this run is there.
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
    for other in _files_of(loaded, study):
        if _is_same(path, other):
            raise UsageRefused(f"--report {path}: this run needs {other}, which is the same file: name another one")


def _files_of(loaded: LoadedSettings, study: Path | None) -> Iterable[Path]:
    """Yield what the run reads and writes beside the report."""
    yield from data_files(loaded.settings)
    yield from loaded.files
    yield from (path for path in (loaded.settings.telemetry.record_stream, study) if path is not None)


def _is_same(one: Path, other: Path) -> bool:
    """Whether two names are of one file, by a link or by another spelling; it need not be there yet."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()
