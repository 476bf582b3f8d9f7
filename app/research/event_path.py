"""The engine that is the bot itself: every coordinator, check and guard, on the part of the data that is asked for."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec
from loguru import logger

from app.backtest import Backtest, daily_returns
from app.ports.exit_codes import ExitCode
from app.research.errors import TrialFailed
from app.research.trial import Engine, Figures, Outcome, Params, Refused, Window, moments_of
from app.settings import LoadedSettings
from app.strategies import StrategyRefused, create


class EventPath(msgspec.Struct, frozen=True):
    """Makes engines for a strategy of the settings. Implements ``EngineFactory``."""

    loaded: LoadedSettings
    strategy_id: str

    def __call__(self, window: Window) -> Engine:
        """Return an engine for a part of the data."""
        return lambda params: self._run(params, window)

    def reading(self, moved: Mapping[Path, Path]) -> "EventPath":
        """Return the same on the same files under other names."""
        simulated = self.loaded.settings.exchange.simulated.moved(moved)
        return EventPath(self.loaded.with_simulated(simulated), self.strategy_id)

    def _run(self, params: Params, window: Window) -> Outcome:
        loaded = trial_settings(self.loaded, self.strategy_id, params, window)
        try:
            create(self.strategy_id, loaded.settings.strategies[self.strategy_id])
        except StrategyRefused as refused:
            return Refused(str(refused))
        # A guard that binds is in the figures; a line for each trial would bury everything else.
        logger.remove()
        # A signal is the search's, whichever process it meets: a trial runs through, or ends with its process.
        run = asyncio.run(Backtest(loaded).run(signals=()))
        statistics = run.figures.statistics()
        if run.exit_code is not ExitCode.CLEAN or statistics is None:
            why = "; ".join(run.failures) or run.result.reason
            raise TrialFailed(f"a trial with {params} did not run through: {why}")
        return Figures("event", statistics, moments_of(daily_returns(run.figures.times_ns, run.figures.equity)))


def trial_settings(loaded: LoadedSettings, strategy_id: str, params: Params, window: Window) -> LoadedSettings:
    """Return the settings of one trial: the strategy's parameters, and the part of the data."""
    settings = loaded.settings
    of_strategy = settings.strategies[strategy_id]
    strategy = of_strategy.model_copy(update={"params": {**of_strategy.params, **params}})
    loaded = loaded.with_settings(settings.model_copy(update={"strategies": {strategy_id: strategy}}))
    return loaded.with_simulated(settings.exchange.simulated.between(window.from_ns, window.to_ns))
