"""What was interrupted is never taken for the whole."""

import json
import signal

import polars as pl
import pytest

from app.backtest.run import Backtested
from app.lifecycle import RunResult
from app.ports.exit_codes import ExitCode
from app.research import EventPath, Window
from app.research.errors import TrialFailed
from app.settings import load_settings
from tests.builders import BTC, START_NS
from tests.research.signalled import Signalled

ROWS = 600
MINUTE_NS = 60_000_000_000
NAME = f"{Signalled.__module__}.{Signalled.__name__}"


@pytest.fixture(autouse=True)
def _from_the_first_bar(monkeypatch):
    monkeypatch.setattr(Signalled, "seen", 0)


@pytest.fixture(scope="module")
def candles(tmp_path_factory):
    """Ten hours of minutes."""
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
    with pytest.raises(TrialFailed, match="did not run through: interrupted \\(SIGTERM\\) at 2026-01-01T00:00:00Z"):
        events(WHOLE)({})
