"""A progress bar on the terminal: on stderr, gone when it is done, and never in a pipe."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn


def counting(what: str) -> Progress:
    """Return a bar that says how many are done."""
    return _progress(TextColumn(what), BarColumn(), MofNCompleteColumn())


def covering(what: str, *, quiet: bool) -> Progress:
    """Return a bar of a known whole: its tasks go from 0 to 1, and their description says where that is."""
    percentage = TextColumn("{task.percentage:>3.0f} %")
    return _progress(TextColumn(what), BarColumn(), percentage, TextColumn("{task.description}"), quiet=quiet)


def _progress(*columns: ProgressColumn, quiet: bool = False) -> Progress:
    console = Console(stderr=True)
    hidden = quiet or not console.is_terminal
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden)
