"""A search on engines whose best is known."""

import json
from collections import Counter
from typing import Annotated

import pytest

from app.backtest import Statistics
from app.research import Goal, ResearchRefused, Results, Space, Window, compounded, search, walk_forward, windows_of
from app.research.sampling import sampling_of
from app.research.trial import Figures, InProcess, Moments, Refused, Trial
from app.settings.models import StrategySettings
from app.strategies import BUILT_IN, BarParams, Search, Strategy, StrategyParams, create, strategy_class

DAY_NS = 86_400 * 10**9
WHOLE = Window(0, 40 * DAY_NS)
ORIGIN = {"code": "c", "data": {"file": "d"}}


class Hill(Strategy):
    """Its best is at 7."""

    class Params(BarParams):
        period: Annotated[int, Search(1, 20)] = 5
        width: Annotated[float, Search(0.1, 2, step=0.1)] = 1.0
        untouched: int = 3


class Counted:
    """An engine for each window; counts its trials, and may be interrupted."""

    def __init__(self, interrupt_after=None):
        self.ran = []
        self.interrupt_after = interrupt_after

    def __call__(self, window):
        def run(params):
            if len(self.ran) == self.interrupt_after:
                raise KeyboardInterrupt
            self.ran.append((params["period"], window))
            if params["period"] == 13:
                return Refused("unlucky")
            score = -abs(params["period"] - 7) - params["width"] / 100
            return figures(score)

        return run


def figures(score, round_trips=1):
    statistics = Statistics(
        total_return=score / 1000, cagr=None, sharpe=score, sortino=None, calmar=None, max_drawdown=0.0,
        max_drawdown_s=0.0, round_trips=round_trips, win_rate=None, profit_factor=None, expectancy=None,
        longest_losing_run=0, turnover=0.0, exposure=0.0, buy_and_hold=None,
    )  # fmt: skip
    return Figures("counted", statistics, Moments(30, score / 20, 1.0, 0.0, 3.0))


def goal(sampler="random", trials=60, *, prune=False, objective="sharpe"):
    return Goal(objective=objective, sampler=sampler, trials=trials, seed=1, prune=prune)


def found_by(engine, wanted, path=None):
    results = Results(InProcess(engine), path, ORIGIN)
    try:
        return search(Space(Hill), wanted, WHOLE, results, lambda: None)
    finally:
        results.close()


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe"])
def test_every_sampler_finds_the_top_and_asks_the_same_again(sampler):
    first, second = found_by(Counted(), goal(sampler)), found_by(Counted(), goal(sampler))
    assert first.ranked[0].params["period"] == 7
    assert first == second


@pytest.mark.parametrize("after", [0, 1, 17, 40])
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_an_interrupted_study_ends_as_one_that_was_not_and_does_nothing_twice(tmp_path, sampler, after):
    whole = Counted()
    undisturbed = found_by(whole, goal(sampler))
    path, first = tmp_path / "study", Counted(interrupt_after=after)
    with pytest.raises(KeyboardInterrupt):
        found_by(first, goal(sampler), path)
    second = Counted()
    assert found_by(second, goal(sampler), path) == undisturbed
    assert first.ran + second.ran == whole.ran


def test_a_line_that_a_crash_cut_short_is_run_again(tmp_path):
    path = tmp_path / "study"
    undisturbed = found_by(Counted(), goal(), path)
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    again = Counted()
    assert found_by(again, goal(), path) == undisturbed
    assert len(again.ran) == 1
    assert path.read_bytes() == content


def test_results_of_something_else_are_refused_by_name(tmp_path):
    path = tmp_path / "study"
    Results(InProcess(Counted()), path, ORIGIN).close()
    with pytest.raises(ResearchRefused, match="was begun with another code"):
        Results(InProcess(Counted()), path, ORIGIN | {"code": "other"})


def test_a_file_that_is_no_study_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "study"
    path.write_text("time,open\n1,2\n")
    with pytest.raises(ResearchRefused, match="line 1: is no line of a study"):
        Results(InProcess(Counted()), path, ORIGIN)
    assert path.read_text() == "time,open\n1,2\n"


@pytest.mark.parametrize("text", ['{"my":"precious notes"}', "notes"])
def test_a_file_without_a_whole_line_is_somebody_else_s_and_left_as_it_is(tmp_path, text):
    path = tmp_path / "notes.json"
    path.write_text(text)
    with pytest.raises(ResearchRefused, match="is no study: name another file"):
        Results(InProcess(Counted()), path, ORIGIN)
    assert path.read_text() == text


def test_a_study_whose_first_line_a_crash_cut_short_is_begun_again(tmp_path):
    path = tmp_path / "study"
    found_by(Counted(), goal(), path)
    content = path.read_bytes()
    path.write_bytes(content[:7])
    found_by(Counted(), goal(), path)
    assert path.read_bytes() == content


def test_a_second_search_on_a_study_is_refused_until_the_first_is_done(tmp_path):
    path = tmp_path / "study"
    first = Results(InProcess(Counted()), path, ORIGIN)
    with pytest.raises(ResearchRefused, match="study: another search is at work on it"):
        Results(InProcess(Counted()), path, ORIGIN)
    first.close()
    Results(InProcess(Counted()), path, ORIGIN).close()


def test_what_does_badly_at_first_is_given_up():
    """Pruned trials run on the first quarter alone, and the top is still found."""
    engine = Counted()
    found = found_by(engine, goal(prune=True))
    in_full = [period for period, window in engine.ran if window == WHOLE]
    assert 0 < len(in_full) < 60 * 0.6
    assert found.ranked[0].params["period"] == 7
    assert {one.outcome for one in found.tried if one.params["period"] == 19} == {None}


def test_refused_parameters_have_no_score():
    assert 13 not in {one.params["period"] for one in found_by(Counted(), goal()).ranked}


def test_walk_forward_trades_each_stretch_with_what_the_one_before_it_said():
    windows = windows_of(WHOLE, 20 * 86_400, 10 * 86_400)
    assert [(t.from_ns // DAY_NS, t.to_ns // DAY_NS, a.to_ns // DAY_NS) for t, a in windows] == [
        (0, 20, 30), (10, 30, 40),
    ]  # fmt: skip
    engine = Counted()
    results = Results(InProcess(engine), None, ORIGIN)
    steps = walk_forward(Space(Hill), goal(), windows, results, lambda: None)
    assert [window for period, window in engine.ran if window in [after for _, after in windows]] == [
        after for _, after in windows
    ]
    worth = 1 + steps[0].out_of_sample.statistics.total_return
    assert compounded(steps) == pytest.approx(worth**2 - 1)


def test_stretches_that_do_not_fit_are_refused():
    with pytest.raises(ResearchRefused, match=r"the data is 40\.0 days long"):
        windows_of(WHOLE, 35 * 86_400, 10 * 86_400)


def test_what_the_user_has_set_is_not_searched():
    assert set(Space(Hill).ranges) == {"period", "width"}
    assert set(Space(Hill, fixed={"width": 1}).ranges) == {"period"}
    with pytest.raises(ResearchRefused, match="no parameter to search"):
        Space(Hill, fixed={"width": 1, "period": 2})


class Ranges(Strategy):
    """One of each kind."""

    class Params(BarParams):
        whole: Annotated[int, Search(3, 9, step=3)] = 3
        scale: Annotated[int, Search(1, 1000, log=True)] = 1
        ratio: Annotated[float, Search(0.005, 0.1, step=0.005)] = 0.1
        width: Annotated[float, Search(0.1, 10, log=True)] = 0.1
        free: Annotated[float, Search(-1, 1)] = 0.0


def test_evenly_spread_points_reach_every_step_of_a_range_and_nothing_beyond_it():
    """Each as often as any other, and as many below the middle of a logarithm as above."""
    space = Space(Ranges)
    asked = sampling_of(space, "qmc", 1).ask(4096)
    for name, given in space.ranges.items():
        assert given.low <= min(params[name] for params in asked)
        assert max(params[name] for params in asked) <= given.high
    counts = Counter(params["whole"] for params in asked)
    assert counts.keys() == {3, 6, 9}
    assert max(counts.values()) - min(counts.values()) <= 2
    assert {params["ratio"] for params in asked} == {round(0.005 * step, 3) for step in range(1, 21)}
    assert sum(params["width"] < 1 for params in asked) == 2048
    assert sum(params["free"] < 0 for params in asked) == 2048
    assert 1 / 3 < sum(params["scale"] < 22 for params in asked) / 4096 < 1 / 2
    ends = (space.at([0.0] * 5), space.at([1 - 2**-53] * 5))
    assert [(end["whole"], end["scale"]) for end in ends] == [(3, 1), (9, 1000)]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_strategy_takes_what_a_search_asks(name):
    """The corners of what it declares, and a hundred sets between."""
    space = Space(strategy_class(name, name))
    corners = [{key: getattr(given, end) for key, given in space.ranges.items()} for end in ("low", "high")]
    asked = sampling_of(space, "qmc", 1).ask(100)
    for params in [*corners, *asked]:
        settings = StrategySettings(strategy=name, symbols=("BTC/USDT:USDT",), params=params)
        assert len(create(name, settings)) == 1


def test_a_trial_is_known_by_what_it_is(tmp_path):
    """After a trip through the file, too."""
    trial = Trial({"b": 0.015, "a": 3}, WHOLE)
    again = Trial(dict(json.loads('{"a": 3, "b": 0.015}')), WHOLE)
    assert trial.key == again.key


def test_a_parameter_without_a_range_is_not_searched():
    class Plain(Strategy):
        class Params(StrategyParams):
            period: int = 3

    with pytest.raises(ResearchRefused, match="Plain has no parameter to search"):
        Space(Plain)


def test_what_never_closed_a_round_trip_does_not_win():
    """At 7 the best score of all is of a position that was opened and held: 6 and 8 trade, and are ranked."""

    def engine(window):
        return lambda params: figures(-abs(params["period"] - 7), 0 if params["period"] == 7 else 1)

    found = found_by(engine, goal(trials=80))
    assert any(one.params["period"] == 7 and one.score is None for one in found.tried)
    assert found.ranked[0].params["period"] in {6, 8}
    assert all(one.outcome.statistics.round_trips for one in found.ranked)
