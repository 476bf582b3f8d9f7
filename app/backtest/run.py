"""One backtest: the container on recorded data, watched."""

import asyncio
from collections.abc import Callable, Collection
from signal import Signals
from typing import Any, cast

import msgspec

from app.backtest.recorder import BacktestFigures
from app.container import Container
from app.container_lifecycle import LifecycleContainer
from app.coordinators.runtime import STREAM_ENDED
from app.lifecycle import SIGNALS, RunResult
from app.ports.abort import abort
from app.ports.exit_codes import ExitCode
from app.settings import LoadedSettings

TELL_EVERY_S = 0.1
"""Between looks at how far it is: what moves more often is not read."""


class Backtested(msgspec.Struct, frozen=True):
    """How it ended, and what was seen."""

    result: RunResult
    document: dict[str, Any]
    """The run's summary, and what was noticed in the data of each symbol. Money is exact text."""
    figures: BacktestFigures

    @property
    def failures(self) -> list[str]:
        """Why the figures are not those of the whole: it was interrupted or did not end well, or a strategy failed."""
        of_strategy = self.document.get("problems", {}).get("strategy")
        ended = self.result.reason if self.result.exit_code is ExitCode.CRITICAL_FAILURE else None
        return [*self.result.errors, *(why for why in (ended, of_strategy, self.interruption) if why is not None)]

    @property
    def interruption(self) -> str | None:
        """Who ended it before its data did; None when it came to an end by itself.

        While a bot stops its market goes on, and nothing new is traded: its figures are of no stretch of the data.
        """
        if self.result.exit_code not in {ExitCode.CLEAN, ExitCode.UNCLEAN_STOP} or self.result.reason == STREAM_ENDED:
            return None
        return f"interrupted ({self.result.reason}) before it had traded through its data"

    @property
    def exit_code(self) -> ExitCode:
        """The bot's, and not clean where figures are not those of the whole: there is nothing to go on for."""
        if self.result.exit_code is not ExitCode.CLEAN or not self.failures:
            return self.result.exit_code
        return ExitCode.CRITICAL_FAILURE if self.interruption is None else ExitCode.UNCLEAN_STOP

    @property
    def untold(self) -> list[str]:
        """Those of the failures that the log did not tell when they happened."""
        told = "; ".join(fact.words for fact in self.figures.set_aside)
        return [why for why in self.failures if why != told]


class Backtest:
    """A bot on recorded data that has not run yet. ``figures`` grow while it does."""

    def __init__(self, loaded: LoadedSettings) -> None:
        container = Container(loaded=loaded)
        # A declarative container gives an object of its ``instance_type``.
        lifecycle = cast("LifecycleContainer", container)
        self.figures = BacktestFigures(
            lambda: lifecycle.registry.context.portfolio, lambda: lifecycle.registry.context.instruments
        )
        container.figures.override(self.figures)
        self._container = container

    async def run(
        self, on_progress: Callable[[float, int], None] | None = None, signals: Collection[Signals] = SIGNALS
    ) -> Backtested:
        """Run to the end of the data, or until a signal; a second one ends the process.

        Args:
            on_progress: Called now and then with the part of the data that is over, from 0 to 1, and the time of its
                last event, UTC nanoseconds.
            signals: Which of them end it early.
        """
        noticed: dict[str, str] = {}
        telling = None if on_progress is None else asyncio.create_task(self._tell(on_progress))
        try:
            result = await self._container.bot().run(
                # Once everything is up, the data is open; when the bot is down, the exchange is gone.
                on_ready=lambda: noticed.update(self._container.exchange().data_noticed),
                abort=abort,
                signals=signals,
            )
        finally:
            if telling is not None:
                telling.cancel()
        document = self._container.summary().document(result) | {"data": noticed}
        return Backtested(result, document, self.figures)

    async def _tell(self, on_progress: Callable[[float, int], None]) -> None:
        figures = self.figures
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            first_ns, last_ns = figures.first_ns, figures.last_ns
            if first_ns is None or last_ns is None:
                continue
            ends_ns = self._container.exchange().data_ends_ns
            on_progress((last_ns - first_ns) / max(1, ends_ns - first_ns), last_ns)
