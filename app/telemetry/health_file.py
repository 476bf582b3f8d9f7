"""The health file: the bot's status on disk, replaced as a whole, so that a reader never sees half of one."""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from app.lifecycle import CoordinatorContext, HealthReport
from app.telemetry.run_figures import RunFigures
from app.telemetry.status import bot_status

FILE_NAME = "health.json"


class HealthFile:
    """A status surface that writes ``health.json`` into the state folder."""

    name = "health_file"

    def __init__(self, folder: Path, every_s: float, figures: RunFigures) -> None:
        self.path = folder / FILE_NAME
        self.every_s = every_s
        self._figures = figures
        self._draft = folder / f".{FILE_NAME}.{os.getpid()}"

    def open(self) -> None:
        """Remove what a bot that was killed left behind."""
        self.path.unlink(missing_ok=True)

    def show(self, context: CoordinatorContext, report: HealthReport) -> None:
        """Replace the file. It says when it was written, so that a reader can tell whether the bot still writes."""
        status = bot_status(context, report, self._figures)
        document = msgspec.to_builtins(status) | {"written_at": datetime.now(UTC).isoformat(timespec="milliseconds")}
        self._draft.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2))
        self._draft.replace(self.path)

    def close(self) -> None:
        """Remove it: a bot that has stopped has no health."""
        self._draft.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
