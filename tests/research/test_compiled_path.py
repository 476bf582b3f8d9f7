"""A search on the compiled path against the same search on the bot itself."""

import sys

import pytest

pytest.importorskip("numba", reason="the compiler is not installed: pip install '.[research]'")

import msgspec
import numpy as np

from app.backtest import daily_returns
from app.backtest.compiled import CompiledBacktest, HandedOn, NotCompilable, curve_of, figures_of, statistics_of_trace
from app.backtest.compiled.summary import amounts
from app.cli.backtest import backtest_settings
from app.exchanges.simulated import open_recorded
from app.research import (
    EventPath,
    Goal,
    Results,
    Space,
    Window,
    choose_engine,
    search,
    windows_of,
)
from app.research.compiled_path import CompiledPath
from app.research.trial import InProcess, Refused
from app.settings import ExtraMissing
from app.strategies import strategy_class
from tests.backtest.both_paths import loaded_for
from tests.research.test_optimize_command import candles

__all__ = ["candles"]
WIDE = ("risk.consecutive_losses_max=1000000", "risk.volatility_ratio_max=1000000")
DAY_S = 86_400


def settings_for(candles, *words, strategy="trend"):
    return backtest_settings(None, [f"exchange.simulated.candles={candles}", *words], strategy)


def whole_of(loaded):
    simulated = loaded.settings.exchange.simulated
    return Window(*open_recorded(simulated, simulated.data[0]).extent[:2])


def found_by(factory, loaded, strategy="trend", trials=8, *, prune=False):
    goal = Goal(objective="sharpe", sampler="random", trials=trials, seed=3, prune=prune)
    results = Results(InProcess(factory), None, {})
    return search(Space(strategy_class(strategy, strategy)), goal, whole_of(loaded), results, lambda: None)


def without_engine(found):
    """Return what was found, but for who found it."""
    return [
        (
            one.params,
            one.score,
            None if one.outcome is None else msgspec.structs.replace(one.outcome, engine="", handed_on=None),
        )
        for one in (*found.tried, *found.ranked)
    ]


@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize("strategy", ["trend", "mean_reversion"])
def test_a_search_finds_the_same_whatever_the_engine(candles, strategy, prune):
    """Ranking and all figures, to the last bit of each float."""
    loaded = settings_for(candles, *WIDE, f"strategies.{strategy}.params.interval_s=60", strategy=strategy)
    events = EventPath(loaded, strategy)
    compiled = found_by(CompiledPath(events), loaded, strategy, prune=prune)
    assert {one.engine for one in compiled.figures} == {"compiled"}
    assert without_engine(compiled) == without_engine(found_by(events, loaded, strategy, prune=prune))


@pytest.mark.parametrize("seed", range(24))
def test_the_summary_of_a_trial_is_that_of_its_story(seed, tmp_path):
    """With limits, stops, partial fills, funding and liquidations."""
    trial = CompiledBacktest(loaded_for(seed, tmp_path, 2000).settings).trace()
    if isinstance(trial, HandedOn):
        return
    story, curve = figures_of(trial), curve_of(trial)
    assert statistics_of_trace(trial, curve) == story.statistics()
    assert curve.daily == daily_returns(story.times_ns, story.equity)


def test_an_amount_beyond_the_digits_of_a_float_is_still_rounded_once():
    quanta = [2**53 + 1, -(2**55) - 3, 7]
    assert amounts(np.array(quanta)).tolist() == [amount / 10**8 for amount in quanta]


def test_a_trial_that_a_limit_might_bind_is_run_by_the_bot_and_says_why(candles):
    loaded = settings_for(candles, "risk.position_notional_max=1")
    events = EventPath(loaded, "trend")
    params = {"fast": 3, "slow": 50}
    told = CompiledPath(events)(whole_of(loaded))(params)
    assert (told.engine, told.handed_on) == ("event", "a limit or a guard might bind")
    assert msgspec.structs.replace(told, handed_on=None) == events(whole_of(loaded))(params)


def test_parameters_that_the_strategy_refuses_are_refused_alike(candles):
    loaded = settings_for(candles)
    events, window = EventPath(loaded, "trend"), whole_of(loaded)
    params = {"fast": 0, "slow": 5}
    refused = CompiledPath(events)(window)(params)
    assert isinstance(refused, Refused)
    assert refused == events(window)(params)


def test_parameters_that_cannot_be_compiled_are_handed_on(candles):
    loaded = settings_for(candles, *WIDE)
    told = CompiledPath(EventPath(loaded, "trend"))(whole_of(loaded))({"interval_s": 300})
    assert (told.engine, told.handed_on) == ("event", "it does not build bars of 300 s from bars of 60 s")


def test_a_part_of_the_data_is_its_own_backtest(candles):
    loaded = settings_for(candles, *WIDE)
    events = EventPath(loaded, "trend")
    for window in windows_of(whole_of(loaded), 2 * DAY_S, DAY_S)[0]:
        told = CompiledPath(events)(window)({"fast": 4, "slow": 60})
        assert told.engine == "compiled"
        assert msgspec.structs.replace(told, engine="event") == events(window)({"fast": 4, "slow": 60})


def test_what_cannot_be_compiled_goes_to_the_bot_or_is_refused(candles):
    loaded = settings_for(candles, "exchange.simulated.latency_ms=50")
    window = whole_of(loaded)
    chosen = choose_engine("auto", loaded, "trend", window)
    assert (type(chosen.factory), chosen.not_compiled) == (EventPath, "latency is not modelled")
    with pytest.raises(NotCompilable, match="latency is not modelled; use --engine event"):
        choose_engine("compiled", loaded, "trend", window)
    told = CompiledPath(EventPath(loaded, "trend"))(window)({"fast": 5})
    assert (told.engine, told.handed_on) == ("event", "latency is not modelled")


def test_auto_compiles_what_it_can_and_event_never(candles):
    loaded = settings_for(candles)
    window = whole_of(loaded)
    assert isinstance(choose_engine("auto", loaded, "trend", window).factory, CompiledPath)
    assert isinstance(choose_engine("event", loaded, "trend", window).factory, EventPath)


def test_without_the_compiler_the_bot_runs_all_trials_and_says_what_installs_it(candles, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("app.backtest.compiled", "app.research.compiled"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    loaded = settings_for(candles)
    chosen = choose_engine("auto", loaded, "trend", whole_of(loaded))
    sentence = "the compiled engine needs numba: pip install '.[research]'"
    assert (type(chosen.factory), chosen.not_compiled) == (EventPath, sentence)
    with pytest.raises(ExtraMissing, match="needs numba"):
        choose_engine("compiled", loaded, "trend", whole_of(loaded))
