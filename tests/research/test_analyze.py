"""Peeking and history-bound strategies are found out; honest ones are not accused."""

import json
import sys
from random import Random

import polars as pl
import pytest
from typer.testing import CliRunner

from app.cli.main import app
from tests.builders import START_NS

ROWS = 600
MINUTE_NS = 60_000_000_000
WIDE = ["risk.consecutive_losses_max=100000", "risk.daily_loss_ratio_max=0.9", "risk.drawdown_ratio_max=0.9"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Ten hours of a random walk, and a settlement of funding every hour."""
    folder, random, price = tmp_path_factory.mktemp("data"), Random(7), 20_000.0
    rows = []
    for number in range(ROWS):
        opened, price = price, round(price * (1 + random.gauss(0, 0.002)), 1)
        high, low = max(opened, price) + 5.0, min(opened, price) - 5.0
        rows.append((START_NS + number * MINUTE_NS, opened, high, low, price, 10.0))
    candles, funding = folder / "candles.parquet", folder / "funding.parquet"
    pl.DataFrame(rows, schema=["ts", "open", "high", "low", "close", "volume"], orient="row").write_parquet(candles)
    rates = [(START_NS + hour * 60 * MINUTE_NS, random.choice([-4, -1, 2, 5]) / 10_000) for hour in range(1, 10)]
    pl.DataFrame(rates, schema=["ts", "funding_rate"], orient="row").write_parquet(funding)
    return candles, funding


def told(what, files, strategy, *more):
    candles, funding = files
    given = ["--candles", str(candles), "--funding", str(funding), "--strategy", strategy]
    words = [word for item in (*WIDE, *more) for word in ("--set", item)]
    result = CliRunner().invoke(app, ["analyze", what, *given, *words, "--json"])
    return result.exit_code, json.loads(result.stdout)


BUILT_IN = ["trend", "breakout", "mean_reversion", "funding_carry"]


@pytest.mark.parametrize("strategy", BUILT_IN)
def test_the_built_in_strategies_do_not_peek(files, strategy):
    assert told("lookahead", files, strategy) == (0, {"cuts": 5, "peeks": []})


@pytest.mark.parametrize("strategy", BUILT_IN)
def test_the_built_in_strategies_forget_when_they_began(files, strategy):
    code, document = told("warmup", files, strategy)
    assert code == 0, document
    assert [start["is_settled"] for start in document["starts"]] == [True] * 4


def test_a_strategy_that_reads_the_coming_close_peeks(files):
    """Where its own file ends with the data it cannot know the next close."""
    name = "tests.research.peeping.Reader"
    code, document = told("lookahead", files, name, f"strategies.Reader.params.path={files[0]}")
    assert code == 1
    assert len(document["peeks"]) == 5
    assert "where the data ends" in document["peeks"][0]["what"]


def test_arrays_that_are_shifted_against_time_peek(files):
    code, document = told("lookahead", files, "tests.research.peeping.Shifted")
    assert code == 1
    assert all("its arrays" in peek["what"] for peek in document["peeks"])


def test_a_strategy_that_counts_bars_depends_on_its_beginning(files):
    code, document = told("warmup", files, "tests.research.peeping.Counter")
    assert code == 1
    assert not all(start["is_settled"] for start in document["starts"])
    words = ["analyze", "warmup", "--candles", str(files[0]), "--strategy", "tests.research.peeping.Counter"]
    assert "NOT settled: " in CliRunner().invoke(app, words).output


@pytest.mark.parametrize("what", ["lookahead", "warmup"])
def test_without_candles_it_says_what_it_needs(what):
    result = CliRunner().invoke(app, ["analyze", what, "--strategy", "trend"])
    assert result.exit_code == 2
    assert "--candles FILE" in result.output


@pytest.mark.parametrize(("strategy", "code"), [("tests.research.peeping.Shifted", 3), ("trend", 0)])
def test_arrays_that_nobody_can_look_at_are_not_called_clean(files, monkeypatch, strategy, code):
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in [name for name in sys.modules if name.startswith("app.backtest.compiled")]:
        monkeypatch.delitem(sys.modules, name)
    result = CliRunner().invoke(app, ["analyze", "lookahead", "--candles", str(files[0]), "--strategy", strategy])
    assert (result.exit_code, "needs numba" in result.output) == (code, bool(code))


# -- what is looked at ------------------------------------------------------------------------------------------------

PART = "exchange.simulated.time_to=2026-01-01T06:50:00Z"
"""Not quite seven of the ten hours: no begin is a multiple of seven bars away."""
PART_ROWS = 410


@pytest.mark.parametrize("cheat", ["Reader", "Shifted"])
def test_cuts_are_made_in_the_part_of_the_data_that_is_run(files, cheat):
    """Not behind it, where each cut leaves the whole of what is run."""
    words = [f"strategies.Reader.params.path={files[0]}"] if cheat == "Reader" else []
    code, document = told("lookahead", files, f"tests.research.peeping.{cheat}", *words, PART)
    assert code == 1
    assert document["peeks"]
    assert all(peek["cut_ns"] < START_NS + PART_ROWS * MINUTE_NS for peek in document["peeks"])


def test_what_settles_settles_in_the_part_of_the_data_that_is_run(files):
    """A bar behind the end is no bar at which both want the same."""
    code, document = told("warmup", files, "tests.research.peeping.Counter", PART)
    assert code == 1
    last = [start["differs_until_ns"] for start in document["starts"] if not start["is_settled"]]
    assert last
    assert max(last) < START_NS + PART_ROWS * MINUTE_NS


def refused(what, files, *sets):
    words = [word for item in sets for word in ("--set", item)]
    return CliRunner().invoke(app, ["analyze", what, "--candles", str(files[0]), "--strategy", "trend", *words])


@pytest.mark.parametrize("what", ["lookahead", "warmup"])
def test_where_nothing_was_decided_there_is_no_verdict(files, what):
    """An average of 5,000 bars never comes to be on 600."""
    result = refused(what, files, "strategies.trend.params.slow=5000")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: nothing was decided at the times that are compared: there is no verdict\n"


@pytest.mark.parametrize(("what", "bars"), [("lookahead", 12), ("warmup", 20)])
def test_a_handful_of_bars_tells_nothing(files, what, bars):
    result = refused(what, files, "exchange.simulated.time_to=2026-01-01T00:10:00Z")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"the data has 10 bars between the times asked for: {bars} are the least" in result.stderr
