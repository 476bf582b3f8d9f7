"""One run, from start to exit code."""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager

import msgspec

from app.lifecycle.errors import StartFailed
from app.lifecycle.stop_request import StopRequest
from app.lifecycle.waiting import finish, look_at
from app.ports.exit_codes import ExitCode

SIGNALS = (signal.SIGINT, signal.SIGTERM)

Step = Callable[[], Awaitable[object]]


class RunResult(msgspec.Struct, frozen=True):
    """How a run ended."""

    exit_code: ExitCode
    reason: str
    errors: tuple[str, ...] = ()
    """Everything that went wrong, a sentence each."""
    is_signalled: bool = False
    """Whether a signal came while it was up, or went down: one that came late is not the reason."""


class LifecycleManager:
    """Starts, waits for a reason to stop, stops. The first signal stops cleanly, the second aborts."""

    def __init__(self, start: Step, stop: Step, request: StopRequest, abort: Callable[[], None]) -> None:
        self._start = start
        self._stop = stop
        self._request = request
        self._abort = abort
        self._signals = 0

    async def run(
        self, on_ready: Callable[[], None] = lambda: None, signals: Collection[signal.Signals] = SIGNALS
    ) -> RunResult:
        """Run until there is a reason to stop, and stop.

        Args:
            on_ready: Called once everything is up.
            signals: Which of them stop it; the others do what they did before.
        """
        self._request.renew()
        self._signals = 0
        with self._signal_handlers(signals):
            try:
                failure = await self._come_up()
                if failure is not None:
                    return failure
                on_ready()
                await self._request.wait()
            except BaseException as error:
                # Cancelled, or ``on_ready`` failed: the bot is not left running behind whoever is told.
                self._request.request("cancelled")
                for sentence in (await self._go_down()).errors:
                    error.add_note(f"while stopping: {sentence}")
                raise
            return await self._go_down()

    async def _come_up(self) -> RunResult | None:
        """Start; return how the run ended if it did not come up, None when it is up."""
        starting = asyncio.ensure_future(self._start())
        starting.add_done_callback(look_at)
        asked = asyncio.ensure_future(self._request.wait())
        try:
            await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            # It undoes itself before it ends.
            starting.cancel()
            await finish(asyncio.wait({starting}))
        try:
            starting.result()
        except StartFailed as error:
            return RunResult(ExitCode.START_FAILED, str(error), (str(error),))
        except asyncio.CancelledError as cancelled:
            errors = tuple(getattr(cancelled, "__notes__", ()))
            return RunResult(self._code(errors), f"{self._request.reason} during the start", errors)
        return None

    async def _go_down(self) -> RunResult:
        errors: tuple[str, ...] = ()
        try:
            await self._stop()
        except* Exception as group:  # noqa: BLE001 - every error of the stop is reported, none ends the report
            errors = tuple(_sentences(group))
        return RunResult(self._code(errors), self._request.reason, errors, is_signalled=self._signals > 0)

    def _code(self, errors: tuple[str, ...]) -> ExitCode:
        code = self._request.exit_code
        return ExitCode.UNCLEAN_STOP if errors and code is ExitCode.CLEAN else code

    @contextmanager
    def _signal_handlers(self, signals: Collection[signal.Signals]) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            # Signals are the main thread's: whoever runs a bot in another one stops it by ``stop``.
            yield
            return
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in signals}
        for number in signals:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
                signal.signal(number, before[number] or signal.SIG_DFL)

    def _on_signal(self, number: signal.Signals) -> None:
        self._signals += 1
        if self._signals > 1:
            self._abort()
            return
        self._request.request(number.name)


def _sentences(error: BaseException) -> Iterator[str]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _sentences(part)
        return
    notes = ", ".join(getattr(error, "__notes__", ()))
    yield f"{type(error).__name__}: {error}{f' ({notes})' if notes else ''}"
