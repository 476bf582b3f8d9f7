"""The figures of a run whose every event somebody else sees, too."""

from collections.abc import Callable

from app.domain.events import StreamEvent
from app.telemetry import RunFigures


class WatchedFigures(RunFigures):
    """Shows each event, once all stages have taken it in, to whoever judges the run."""

    def __init__(self, on_event: Callable[[StreamEvent], None]) -> None:
        super().__init__()
        self._on_event = on_event

    def observe(self, event: StreamEvent) -> None:
        """Take an event in, and show it."""
        super().observe(event)
        self._on_event(event)
