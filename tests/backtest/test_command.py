"""``backtest`` as a person meets it: the same bot, and what it came to."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from app.backtest.run import Backtested
from app.domain.market import SECOND_NS
from app.lifecycle import RunResult
from app.ports.exit_codes import ExitCode
from tests.builders import START_NS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def candles(tmp_path_factory):
    """Two days of minutes that rise and fall by a hundred every two hours."""
    path = tmp_path_factory.mktemp("data") / "candles.csv"
    rows = ["ts,open,high,low,close,volume"]
    for minute in range(2880):
        price = 30_000 + abs(minute % 240 - 120)
        rows.append(f"{START_NS + minute * 60 * SECOND_NS},{price},{price + 2},{price - 2},{price + 1},5")
    path.write_text("\n".join(rows))
    return path


def app(*words, folder):
    return subprocess.run(
        [sys.executable, "-m", "app", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"},
    )


def test_it_prints_what_the_run_came_to(candles, tmp_path):
    told = app("backtest", "--candles", str(candles), "--strategy", "trend", folder=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    for word in ("return", "Sharpe", "max drawdown", "profit factor", "buy and hold", "2880 bars"):
        assert word in told.stdout


def test_it_trades_as_a_run_of_the_same_settings_does(candles, tmp_path):
    """The same orders and fills, byte for byte; and as a document the keys of a run."""
    words = ("--set", f"exchange.simulated.candles={candles}", "--json")
    strategy = ("--set", "strategies.trend.strategy=trend", "--set", 'strategies.trend.symbols=["BTC/USDT:USDT"]')
    ran = json.loads(app("run", "--profile", "backtest", *strategy, *words, folder=tmp_path).stdout)
    tested = json.loads(app("backtest", "--strategy", "trend", *words, folder=tmp_path).stdout)
    assert tested["orders_digest"] == ran["orders_digest"]
    assert tested["orders"] == ran["orders"] > 10
    assert ran.keys() < tested.keys()
    assert tested["statistics"]["round_trips"] > 5
    assert len(tested["reproduce"]["data"][str(candles)]) == 64


def test_parameters_and_times_are_set_from_the_command_line(candles, tmp_path):
    told = app(
        "backtest", "--candles", str(candles), "--strategy", "trend", "--from", "2026-01-02T00:00:00Z",
        "--to", "2026-01-02T06:00:00Z", "--set", "strategies.trend.params.fast=3", "--json", folder=tmp_path,
    )  # fmt: skip
    assert json.loads(told.stdout)["bars"] == 360


def test_a_report_is_one_page_that_needs_no_network(candles, tmp_path):
    pytest.importorskip("plotly", reason="the drawing library is not installed: pip install '.[research]'")
    words = ("--candles", str(candles), "--strategy", "trend", "--report", "page.html")
    told = app("backtest", *words, "--set", "strategies.trend.params.fast=3", folder=tmp_path)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert told.returncode == 0
    assert told.stderr.endswith(f"report in {tmp_path / 'page.html'}\n")
    assert "Drawdown, % of the peak" in page
    assert "trend on BTC/USDT:USDT, fast 3" in page
    assert f"{candles} {sha256(candles.read_bytes()).hexdigest()}" in page
    assert '<script src="http' not in page


def test_what_the_data_lacks_is_said_beside_the_figures(candles, tmp_path):
    """Ten bars around the settlement at 08:00 have no mark; the one at 16:00 has one."""
    head, *rows = candles.read_text().splitlines()
    (tmp_path / "mark.csv").write_text("\n".join([head, *rows[:475], *rows[485:]]))
    settles = [f"{START_NS + hour * 3600 * SECOND_NS},0.0001" for hour in (8, 16)]
    (tmp_path / "funding.csv").write_text("\n".join(["ts,funding_rate", *settles]))
    words = ("--candles", str(candles), "--mark", "mark.csv", "--funding", "funding.csv", "--strategy", "trend")
    told = app("backtest", *words, folder=tmp_path).stdout
    assert "data BTC/USDT:USDT" in told
    assert "2880 rows, 10 bars without a mark price" in told
    assert "1 settlements, at 2026-01-01T08:00:00Z: the last price stood in" in told


def test_a_denial_is_said_with_what_denied_it(candles, tmp_path):
    words = ("--candles", str(candles), "--strategy", "trend", "--set", "risk.order_notional_max=1")
    told = app("backtest", *words, folder=tmp_path).stdout
    [row] = [line for line in told.splitlines() if "denied by risk" in line]
    count, _, rules = row.strip("│ ").partition("│")[2].strip().partition(": ")
    assert rules == f"order_notional {count}"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--strategy", "trend"), 2, "a backtest needs data: give it with --candles FILE"),
        (("--candles", "CANDLES"), 2, "a backtest needs a strategy"),
        (("--candles", "nowhere.csv", "--strategy", "trend"), 4, "there is no such file"),
        (("--candles", "CANDLES", "--strategy", "trendy"), 3, "there is no strategy 'trendy'"),
    ],
)
def test_what_is_missing_is_one_sentence(candles, tmp_path, words, code, sentence):
    told = app("backtest", *(str(candles) if word == "CANDLES" else word for word in words), folder=tmp_path)
    assert told.returncode == code
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return self.averge", "'Idea' object has no attribute 'averge' (idea.py, line 4)"),
        ("return 1", "TargetRefused: idea.Idea returned 1, not a Target or None"),
    ],
)
def test_a_strategy_that_fails_fails_the_backtest(candles, tmp_path, body, why):
    """Its figures would be those of a strategy that wanted nothing."""
    (tmp_path / "idea.py").write_text(
        "from app.strategies import Strategy\n"
        f"class Idea(Strategy):\n    def on_bar(self, bar, view):\n        {body}\n"
    )
    told = app("backtest", "--candles", str(candles), "--strategy", "idea.Idea", folder=tmp_path)
    assert (told.returncode, why in told.stderr) == (5, True), told.stderr
    assert told.stderr.count(why) == 1
    assert "reduce_only: strategy:failed:Idea" in told.stdout
    analysed = app("analyze", "lookahead", "--candles", str(candles), "--strategy", "idea.Idea", folder=tmp_path)
    assert (analysed.returncode, why in analysed.stderr) == (4, True), analysed.stderr


def test_a_backtest_whose_bot_fails_says_why():
    """Whatever failed: no strategy was set aside, and no step of the start or stop raised."""
    failed = RunResult(ExitCode.CRITICAL_FAILURE, "runtime.pump failed: KeyError: 'DOGE'")
    assert Backtested(failed, {}, None).failures == ["runtime.pump failed: KeyError: 'DOGE'"]
    assert Backtested(RunResult(ExitCode.CLEAN, "stream ended"), {}, None).failures == []


def test_bars_that_are_longer_than_those_of_the_strategy_fail_the_backtest(candles, tmp_path):
    hours = tmp_path / "hours.csv"
    head, *rows = candles.read_text().splitlines()
    hours.write_text("\n".join([head, *rows[::60]]))
    words = ("backtest", "--candles", str(hours), "--strategy", "trend")
    told = app(*words, folder=tmp_path)
    assert (told.returncode, told.stderr.count("cannot be built")) == (5, 1)
    assert "cannot be built from bars of 3600 s of BTC/USDT:USDT: set strategies.trend.params.interval_s" in told.stderr
    assert app(*words, "--set", "strategies.trend.params.interval_s=3600", folder=tmp_path).returncode == 0


def test_prices_that_the_tick_would_change_are_refused(candles, tmp_path):
    cents = tmp_path / "cents.csv"
    head, *rows = candles.read_text().splitlines()
    cents.write_text("\n".join([head, *(f"{row.split(',')[0]},1.08,1.09,1.07,1.08,5" for row in rows[:100])]))
    told = app("backtest", "--candles", str(cents), "--strategy", "trend", folder=tmp_path)
    assert told.returncode == 4
    assert "the tick of 0.1 moves prices by up to 1.85%. Is it of another symbol?" in told.stderr


def test_a_backtest_leaves_the_profile_s_own_bot_alone(candles, tmp_path):
    """It keeps nothing, and does not wait for the clock, whatever the profile does."""
    words = ("backtest", "--profile", "simulated", "--candles", str(candles), "--strategy", "trend", "--json")
    told = app(*words, "--set", f"storage.folder={tmp_path / 'state'}", folder=tmp_path)
    assert (told.returncode, json.loads(told.stdout)["bars"]) == (0, 2880)
    assert not (tmp_path / "state").exists()


def test_a_run_in_which_nothing_is_traded_has_figures(candles, tmp_path):
    told = app("backtest", "--candles", str(candles), "--strategy", "funding_carry", "--json", folder=tmp_path)
    assert told.returncode == 0
    assert json.loads(told.stdout)["statistics"]["round_trips"] == 0


@pytest.mark.parametrize("missing", ["numpy", "numba"])
@pytest.mark.parametrize("command", ["backtest", "optimize"])
def test_whatever_of_the_extra_is_missing_is_one_sentence(candles, tmp_path, missing, command):
    """On a plain installation numpy is what is missed first, and numba is what one knows the engine by."""
    code = f"import sys; sys.modules[{missing!r}] = None; from app.cli.main import main; main()"
    words = [command, "--candles", str(candles), "--strategy", "trend", "--engine", "compiled"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path)}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (3, "error: the compiled engine needs numba: pip install '.[research]'\n")
