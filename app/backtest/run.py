"""One backtest: the container on recorded data, watched."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import msgspec

from app.backtest.recorder import BacktestFigures
from app.container import Container
from app.container_lifecycle import LifecycleContainer
from app.lifecycle import RunResult
from app.ports.exit_codes import ExitCode
from app.settings import LoadedSettings

TELL_EVERY_S = 0.1
"""Between looks at how far it is: what moves more often is not read."""


class Backtested(msgspec.Struct, frozen=True):
    """How it ended, and what was seen."""

    result: RunResult
    document: dict[str, Any]
    """The run's summary. Money is exact text."""
    figures: BacktestFigures

    @property
    def failures(self) -> list[str]:
        """What makes the figures worth nothing: the bot did not end well, or a strategy failed or saw no bar."""
        of_strategy = self.document.get("problems", {}).get("strategy")
        ended = self.result.reason if self.result.exit_code is ExitCode.CRITICAL_FAILURE else None
        return [*self.result.errors, *(why for why in (ended, of_strategy) if why is not None)]

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

    async def run(self, on_progress: Callable[[float, int], None] | None = None) -> Backtested:
        """Run to the end of the data, or until a signal.

        Args:
            on_progress: Called now and then with the part of the data that is over, from 0 to 1, and the time of its
                last event, UTC nanoseconds.
        """
        telling = None if on_progress is None else asyncio.create_task(self._tell(on_progress))
        try:
            result = await self._container.bot().run()
        finally:
            if telling is not None:
                telling.cancel()
        return Backtested(result, self._container.summary().document(result), self.figures)

    async def _tell(self, on_progress: Callable[[float, int], None]) -> None:
        figures = self.figures
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            first_ns, last_ns = figures.first_ns, figures.last_ns
            if first_ns is None or last_ns is None:
                continue
            ends_ns = self._container.exchange().data_ends_ns
            on_progress((last_ns - first_ns) / max(1, ends_ns - first_ns), last_ns)
