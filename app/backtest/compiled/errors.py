"""Why a run goes to the event path."""

import msgspec


class NotCompilable(Exception):
    """The compiled path does not model what the settings or the strategy ask for. Nothing was run."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the compiled engine cannot do this run: {why}; use --engine event")


class HandedOn(msgspec.Struct, frozen=True):
    """The kernel met what it does not work: the event path must run this trial."""

    why: str
    """For people."""
    at: str
    """Close of the bar at which it did, ISO 8601, UTC."""

    def __str__(self) -> str:
        return f"{self.why} at {self.at}"
