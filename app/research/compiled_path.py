"""The engine that is compiled: a market loaded once for each part of the data, and a few milliseconds a trial."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from app.backtest.compiled import CompiledBacktest, HandedOn, NotCompilable, curve_of, statistics_of_trace
from app.research.event_path import EventPath, trial_settings
from app.research.trial import Engine, Figures, Outcome, Params, Refused, Window, moments_of
from app.strategies import StrategyRefused


class CompiledPath(msgspec.Struct, frozen=True):
    """Makes engines that hand on to the event path what they cannot run. Implements ``EngineFactory``."""

    events: EventPath

    def __call__(self, window: Window) -> Engine:
        """Return an engine for a part of the data."""
        on_events = self.events(window)
        try:
            backtest = self.load(window)
        except NotCompilable as refused:
            # What is wrong with this part need not be wrong with the whole, which was looked at first.
            why = refused.why
            return lambda params: _handed_on(on_events(params), why)
        return lambda params: _run(backtest, on_events, params)

    def reading(self, moved: Mapping[Path, Path]) -> "CompiledPath":
        """Return the same on the same files under other names."""
        return CompiledPath(self.events.reading(moved))

    def load(self, window: Window) -> CompiledBacktest:
        """Return the backtest of a part of the data, having read it.

        Raises:
            NotCompilable: It cannot be compiled, whatever the parameters.
        """
        loaded = trial_settings(self.events.loaded, self.events.strategy_id, {}, window)
        return CompiledBacktest(loaded.settings)

    def check(self, window: Window) -> None:
        """Run the settings' own parameters; whether they are handed on does not matter.

        Raises:
            NotCompilable: Neither these nor, as far as can be told, any others can be compiled.
        """
        self.load(window).evaluate()


def _run(backtest: CompiledBacktest, on_events: Engine, params: Params) -> Outcome:
    try:
        trial = backtest.trace(params)
    except StrategyRefused as refused:
        return Refused(str(refused))
    except NotCompilable as refused:
        return _handed_on(on_events(params), refused.why)
    if isinstance(trial, HandedOn):
        return _handed_on(on_events(params), trial.why)
    curve = curve_of(trial)
    return Figures("compiled", statistics_of_trace(trial, curve), moments_of(curve.daily))


def _handed_on(outcome: Outcome, why: str) -> Outcome:
    """Return what the event path came to, with the reason for asking it."""
    return outcome if isinstance(outcome, Refused) else msgspec.structs.replace(outcome, handed_on=why)
