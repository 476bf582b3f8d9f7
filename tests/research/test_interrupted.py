"""What was interrupted is never taken for the whole."""

import json
import signal

import polars as pl
import pytest
from typer.testing import CliRunner

from app.backtest.run import Backtested
from app.cli.main import app
from app.lifecycle import RunResult
from app.ports.exit_codes import ExitCode
from app.research import EventPath, Window
from app.research.errors import TrialFailed
from app.settings import load_settings
from tests.builders import BTC, START_NS
from tests.research.signalled import Signalled

ROWS = 1200
MINUTE_NS = 60_000_000_000
NAME = f"{Signalled.__module__}.{Signalled.__name__}"


@pytest.fixture(autouse=True)
def _from_the_first_bar(monkeypatch):
    monkeypatch.setattr(Signalled, "seen", 0)


@pytest.fixture(scope="module")
def candles(tmp_path_factory):
    """Twenty hours of minutes."""
    path = tmp_path_factory.mktemp("data") / "candles.parquet"
    rows = [(START_NS + at * MINUTE_NS, 100.0, 101.0, 99.0, 100.0) for at in range(ROWS)]
    pl.DataFrame(rows, schema=["ts", "open", "high", "low", "close"], orient="row").write_parquet(path)
    return path


@pytest.fixture
def events(candles):
    words = [
        "storage.backend=memory", "exchange.simulated.speed=0", f"exchange.simulated.candles={candles}",
        f"strategies.s.strategy={NAME}", f"strategies.s.symbols={json.dumps([BTC])}",
    ]  # fmt: skip
    return EventPath(load_settings("backtest", words), "s")


WHOLE = Window(START_NS, START_NS + ROWS * MINUTE_NS)


def test_a_trial_goes_on_when_its_process_gets_the_signal_of_the_search(events):
    """As in a worker, where SIGINT is ignored: no bot of a trial takes it for itself."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        outcomes = [events(WHOLE)({"at": at}) for at in (300, 0)]
    finally:
        signal.signal(signal.SIGINT, before)
    assert Signalled.seen == 2 * ROWS
    assert outcomes[0] == outcomes[1]


def test_a_trial_that_was_cut_off_is_no_result(events, mocker):
    cut_off = Backtested(RunResult(ExitCode.CLEAN, "SIGTERM"), {}, mocker.Mock(last_ns=START_NS))
    mocker.patch("app.backtest.Backtest.run", return_value=cut_off)
    with pytest.raises(TrialFailed, match="did not run through: interrupted \\(SIGTERM\\) before"):
        events(WHOLE)({})


# -- commands ---------------------------------------------------------------------------------------------------------


def told(candles, *command, params):
    sets = [word for item in params for word in ("--set", f"strategies.Signalled.params.{item}")]
    return CliRunner().invoke(app, [*command, "--candles", str(candles), "--strategy", NAME, *sets])


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("what", "at", "run_ends"),
    [("montecarlo", 300, 1200), ("lookahead", 610, 1200), ("warmup", 1210, 2280)],
)
def test_an_analysis_that_was_interrupted_says_so_and_has_no_verdict(candles, what, at, run_ends, number):
    """In its first run or in a later one: what was decided by then is compared with nothing."""
    result = told(candles, "analyze", what, params=(f"at={at}", f"signal={number}"))
    assert (result.exit_code, result.stdout) == (6, "")
    assert f"error: interrupted ({number}) before it had traded through its data" in result.stderr
    assert Signalled.seen <= run_ends


def test_an_analysis_ends_with_a_signal_that_comes_when_one_of_its_runs_is_over(candles, mocker):
    over = Backtested(RunResult(ExitCode.CLEAN, "stream ended", is_signalled=True), {}, mocker.Mock(targets=[]))
    mocker.patch("app.backtest.Backtest.run", return_value=over)
    result = told(candles, "analyze", "warmup", params=())
    assert (result.exit_code, result.stderr) == (6, "error: interrupted: there is no verdict\n")


def test_an_analysis_that_is_interrupted_between_its_runs_says_so(candles, mocker):
    mocker.patch("app.cli.analyze.starts_of", side_effect=KeyboardInterrupt)
    result = told(candles, "analyze", "warmup", params=())
    assert (result.exit_code, result.stderr) == (6, "error: interrupted\n")


def test_a_backtest_that_was_interrupted_says_so_and_has_no_figures_and_no_page(candles, tmp_path):
    """The signal comes at the 300th of 1,200 minutes; while the bot stops its market goes on."""
    pytest.importorskip("plotly")
    page = tmp_path / "page.html"
    page.write_text("of an earlier run")
    result = told(candles, "backtest", "--report", str(page), "--json", params=("at=300",))
    document = json.loads(result.stdout)
    assert (result.exit_code, document["exit_code"], document["exit_reason"]) == (6, 6, "SIGINT")
    assert document["errors"] == ["interrupted (SIGINT) before it had traded through its data"]
    assert document["statistics"] is None
    assert "report in" not in result.stderr
    assert page.read_text() == "of an earlier run"


@pytest.mark.parametrize("command", [("backtest",), ("analyze", "montecarlo"), ("analyze", "warmup")])
def test_a_second_signal_does_not_wait_for_the_bot_to_stop(candles, mocker, command):
    """The first one is still being answered: for as long as the market goes on the bot takes its time."""
    aborted = mocker.patch("app.backtest.run.abort")
    result = told(candles, *command, params=("at=300", "again=450"))
    assert aborted.call_count == 1
    assert result.exit_code == 6


def test_the_figures_of_a_strategy_that_failed_and_their_page_say_so(candles, tmp_path):
    pytest.importorskip("plotly")
    page = tmp_path / "page.html"
    result = told(candles, "backtest", "--report", str(page), params=("at=300", "signal=NONE"))
    assert result.exit_code == 5
    assert "went wrong" in result.stdout
    assert "went wrong" in page.read_text()


def test_where_the_settings_end_the_data_is_no_interruption(candles):
    words = ("--set", "exchange.simulated.time_to=2026-01-01T05:00:00Z", "--json")
    result = told(candles, "backtest", *words, params=())
    document = json.loads(result.stdout)
    assert (result.exit_code, document["errors"], document["bars"]) == (0, [], 300)


def test_round_trips_of_a_strategy_that_failed_are_not_drawn(candles):
    """A backtest of it ends with the same code."""
    result = told(candles, "analyze", "montecarlo", params=("at=300", "signal=NONE"))
    assert (result.exit_code, result.stdout) == (5, "")
    assert "error: " in result.stderr
    assert "NONE" in result.stderr
