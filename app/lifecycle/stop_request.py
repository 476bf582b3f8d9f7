"""The reason to stop: asked for by anybody, acted on by the lifecycle manager alone."""

import asyncio

from app.ports.exit_codes import ExitCode


class StopRequest:
    """Holds the first reason to stop, and the worst exit code that was asked for."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self.reason = ""
        self.exit_code = ExitCode.CLEAN

    def request(self, reason: str) -> None:
        """Ask for a clean stop."""
        if not self._asked.is_set():
            self.reason = reason
            self._asked.set()

    def fail(self, part: str, error: str) -> None:
        """Ask for a stop because a critical part cannot do its work any more."""
        if self.exit_code is ExitCode.CLEAN:
            self.exit_code = ExitCode.CRITICAL_FAILURE
            self.reason = f"{part} failed: {error}"
        self._asked.set()

    def renew(self) -> None:
        """Forget: a new run begins."""
        # A new event: the old one belongs to the event loop of the run before.
        self._asked = asyncio.Event()
        self.reason, self.exit_code = "", ExitCode.CLEAN

    async def wait(self) -> None:
        """Return once somebody has asked."""
        await self._asked.wait()
