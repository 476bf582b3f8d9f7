"""The live view of a terminal: what the bot does, at a glance."""

from collections import deque

from rich.console import Console
from rich.live import Live

from app.lifecycle import CoordinatorContext, HealthReport
from app.telemetry.pictures import picture
from app.telemetry.run_figures import RunFigures
from app.telemetry.status import bot_status

LOG_LINES_KEPT_MAX = 40
"""As many as a high terminal has room for."""


class LogTail:
    """A sink of the log that keeps the last lines, for the view."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=LOG_LINES_KEPT_MAX)

    def write(self, line: str) -> None:
        """Take a log line in."""
        self.lines.append(line.rstrip("\n"))

    def flush(self) -> None:
        """Do nothing: lines are shown with the next picture."""


class LiveView:
    """A status surface on a terminal."""

    name = "live_view"

    def __init__(self, console: Console, every_s: float, figures: RunFigures, log: LogTail) -> None:
        self.every_s = every_s
        self._figures = figures
        self._live = Live(console=console, screen=True, auto_refresh=False, transient=True)
        self._log = log

    def open(self) -> None:
        """Take the screen over."""
        self._live.start()

    def show(self, context: CoordinatorContext, report: HealthReport) -> None:
        """Draw a picture."""
        status = bot_status(context, report, self._figures)
        self._live.update(picture(self._live.console, status, tuple(self._log.lines)), refresh=True)

    def close(self) -> None:
        """Give the screen back."""
        self._live.stop()
