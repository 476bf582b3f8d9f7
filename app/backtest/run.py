"""One backtest: the container on recorded data, watched."""

from typing import Any, cast

import msgspec

from app.backtest.recorder import BacktestFigures
from app.container import Container
from app.container_lifecycle import LifecycleContainer
from app.lifecycle import RunResult
from app.settings import LoadedSettings


class Backtested(msgspec.Struct, frozen=True):
    """How it ended, and what was seen."""

    result: RunResult
    document: dict[str, Any]
    """The run's summary. Money is exact text."""
    figures: BacktestFigures


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

    async def run(self) -> Backtested:
        """Run to the end of the data, or until a signal."""
        result = await self._container.bot().run()
        return Backtested(result, self._container.summary().document(result), self.figures)
