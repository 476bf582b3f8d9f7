"""The command line as a person meets it: what it says, and its exit code."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.domain.market import SECOND_NS
from tests.builders import START_NS
from tests.exchanges.test_adapter import frame_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def candles(tmp_path):
    path = tmp_path / "candles.parquet"
    frame_of(600).write_parquet(path)
    return path


def replay(call, candles, *more):
    done = call("run", "--profile", "replay", "--set", f"exchange.simulated.candles={candles}", "--json", *more)
    return done, json.loads(done.stdout.splitlines()[-1])


def last_line(done):
    return done.stderr.strip().splitlines()[-1]


# -- run --------------------------------------------------------------------------------------------------------


def test_a_replay_ends_with_its_summary_and_is_the_same_twice(call, candles):
    first, told = replay(call, candles, "--set", "strategies.trend.params.interval_s=1")
    _, again = replay(call, candles, "--set", "strategies.trend.params.interval_s=1")
    assert (first.returncode, told["exit_reason"]) == (0, "stream ended")
    assert told["bars"] == 600
    assert told["orders"] > 0
    assert told["orders_digest"] == again["orders_digest"]
    assert set(told) >= {
        "exit_reason",
        "bars",
        "bars_per_second",
        "orders",
        "fills",
        "fees",
        "funding",
        "realized_pnl",
        "unrealized_pnl",
        "balance",
        "equity",
        "coordinators",
    }
    assert all(isinstance(told[name], str) for name in ("fees", "funding", "balance", "equity"))
    assert set(told["coordinators"]) == {"telemetry", "runtime", "execution", "strategy", "system_monitor"}


def test_the_default_run_trades_remembers_and_goes_on(call):
    """Two market minutes, twice: the second run goes on where the first one stopped."""
    fast = ("--set", "exchange.simulated.speed=0")
    first = call("run", "--plain", "--for-virtual", "2m", *fast)
    assert first.returncode == 0, first.stderr
    assert "READY: trend on BTC/USDT:USDT" in first.stderr
    assert "state lies in" in first.stderr
    assert "Ctrl-C stops cleanly" in first.stderr
    assert "stopped: --for-virtual 2m is over (exit code 0)" in first.stderr
    second = call("run", "--json", "--for-virtual", "2m", *fast)
    told = json.loads(second.stdout)
    assert told["time_first"] >= "2026-01-01T00:02:00Z"

    shown = json.loads(call("status", "--json").stdout)
    assert (shown["running"], shown["starts"], shown["account"]) == (False, 2, "main")
    assert shown["ledger"]["USDT"]["deposits"] == "100000"


def test_wall_time_ends_a_run(call):
    done = call("run", "--plain", "--for", "0.5s")
    assert done.returncode == 0
    assert "stopped: --for 0.5 s is over (exit code 0)" in done.stderr


def test_a_signal_stops_it_cleanly(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path)}
    running = subprocess.Popen(
        [sys.executable, "-m", "app", "run", "--plain"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in running.stderr:
        if "READY" in line:
            break
    running.send_signal(signal.SIGINT)
    rest = running.stderr.read()
    assert running.wait(timeout=20) == 0
    assert "stopped: SIGINT (exit code 0)" in rest
    running.stderr.close()


# -- what is refused --------------------------------------------------------------------------------------------

NO_FILE = ("--set", "exchange.simulated.candles=none.parquet")
REFUSED = [
    (("run", "--profile", "simulted"), 3, "there is no profile simulted: did you mean simulated?"),
    (("run", "--set", "risk.leverge_max=3"), 3, "unknown setting risk.leverge_max in the command line: did"),
    (("run", "--set", "risk.leverage_max=-3"), 3, "= -3 from the command line is refused"),
    (("run", "--set", "risk.leverage_max"), 3, "write SECTION.KEY=VALUE"),
    (("run", "--set", "exchange.adapter=binanse"), 3, "there is no such adapter: use simulated, paper, ccxt"),
    (("run", "--set", "exchange.adapter=no.such.Thing"), 3, "cannot import it: ModuleNotFoundError"),
    (("run", "--set", "strategies.trend.strategy=trnd"), 3, "strategies.trend: there is no strategy 'trnd'"),
    (("run", "--set", "strategies.trend.strategy=no.such.Thing"), 3, "cannot import no.such.Thing: there is no module"),
    (("run", "--set", "strategies.trend.params.fast=-1"), 3, "params.fast: Input should be greater than"),
    (("run", "--set", "strategies.trend.symbols=DOGE/USDT:USDT"), 3, "which the exchange does not list"),
    (("settings", "check", "--set", "strategies.trend.symbols=DOGE/USDT:USDT"), 3, "which the exchange does not list"),
    (("doctor", "--accept", "nonsense"), 2, "there is no finding nonsense to accept: use position_mode, stops, "),
    (("run", "--set", 'strategies.trend.symbols=["ETH/USDT:USDT"]'), 3, "ETH/USDT:USDT belongs to two strategies"),
    (("run", "--set", "kind=live"), 3, "a profile of kind live needs exchange.adapter, and not the simulated one"),
    (("halt", "--wait", "10m"), 2, "--wait 10m is too long: at most 5m"),
    (("run", "--set", "strategies.my_idea.params.period=5"), 3, "strategies.my_idea names no strategy: those that do"),
    (("run", "--set", "strategies.my.strategy=trend"), 3, "setting strategies.my.symbols is missing"),
    (("run", "--set", "strategies.trnd.params.fast=5"), 3, "names no strategy: did you mean strategies.trend?"),
    (("run", "--for", "soon"), 2, "'soon' is no duration: write 30s, 10m, 2h or 1d"),
    (("run", "--colour"), 2, "No such option"),
    (("status",), 4, "there is no journal"),
    (("status", "--profile", "replay"), 2, "keeps no state"),
    (("strategy", "new", "My-Idea"), 2, "cannot name a Python module"),
    (("strategy", "new", "typing"), 2, "'typing' is a name of Python's or of a package's that is installed"),
    (("strategy", "new", "class"), 2, "'class' is a name of Python's"),
    (("run", "--profile", "replay"), 3, "a replay needs data: give it with --set exchange.simulated.candles=FILE"),
    (("run", "--set", "exchange.simulated.time_to=soon"), 3, "it is no ISO 8601 time"),
    (("run", "--set", "exchange.adapter=builtins.slice"), 4, "it has no capabilities, "),
    (("run", "--profile", "replay", *NO_FILE), 4, "ERROR   data file none.parquet: there is no such file in "),
    (("run", "--plain", "--set", "telemetry.record_stream=."), 4, "ERROR   the record . cannot be written (it is a"),
    (("run", "--plain", "--set", "lifecycle.start_total_s=0.001"), 4, "raise lifecycle.start_unit_s or lifecycle.sta"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "code", "why"), REFUSED, ids=[why for _, _, why in REFUSED])
def test_bad_input_gets_one_clear_sentence_and_its_exit_code(call, words, code, why):
    done = call(*words)
    assert done.returncode == code, done.stderr
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_variable_is_refused(call):
    done = call("run", APP__RISK__LEVERGE_MAX="3")
    assert done.returncode == 3
    assert "unknown setting risk.leverge_max in the environment (APP__RISK__LEVERGE_MAX)" in done.stderr


def test_a_malformed_profile_is_refused(call, tmp_path):
    (tmp_path / "mine.toml").write_text("kind = simulated")
    done = call("run", "--profile", "mine.toml")
    assert done.returncode == 3
    assert "cannot read settings from mine.toml" in done.stderr


def test_a_database_of_a_newer_bot_is_left_alone(call, tmp_path):
    call("run", "--for", "0.3s", "--plain", "--set", f"storage.folder={tmp_path}/s")
    with sqlite3.connect(tmp_path / "s" / "journal.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    done = call("run", "--plain", "--set", f"storage.folder={tmp_path}/s")
    assert done.returncode == 4
    assert "newer" in done.stderr


def test_a_state_folder_that_cannot_be_made(call, tmp_path):
    (tmp_path / "file").write_text("")
    done = call("run", "--plain", "--set", f"storage.folder={tmp_path}/file/s")
    assert done.returncode == 4
    assert f"ERROR   the state folder {tmp_path}/file/s cannot be used (Not a directory): make it" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_bots_on_one_state_folder(call, tmp_path):
    folder = tmp_path / "shared"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    words = ["run", "--plain", "--set", f"storage.folder={folder}"]
    first = subprocess.Popen([sys.executable, "-m", "app", *words], env=environment, stderr=subprocess.PIPE, text=True)
    for line in first.stderr:
        if "READY" in line:
            break
    second = call(*words)
    assert second.returncode == 4
    assert f"is in use by the bot with pid {first.pid}" in second.stderr
    deadline = time.monotonic() + 20
    shown = {"health": None}
    while shown["health"] is None and time.monotonic() < deadline:
        shown = json.loads(call("status", "--json", "--set", f"storage.folder={folder}").stdout)
    assert shown["running"]
    assert shown["health"]["ready"]
    assert shown["health"]["pid"] == first.pid
    text = call("status", "--set", f"storage.folder={folder}").stdout
    assert f"a bot runs with pid {first.pid}, ready" in text
    first.send_signal(signal.SIGTERM)
    first.stderr.read()
    assert first.wait(timeout=20) == 0
    first.stderr.close()
    assert "no bot runs" in call("status", "--set", f"storage.folder={folder}").stdout


# -- the other commands -----------------------------------------------------------------------------------------


def test_the_graph_names_the_coordinators_in_their_order(call):
    printed = call("graph").stdout
    places = [
        printed.index(name) for name in ("journal", "telemetry", "runtime", "execution", "strategy", "system_monitor")
    ]
    assert places == sorted(places)
    assert call("graph", "--mermaid").stdout.startswith("flowchart LR")


def test_settings_say_where_they_come_from(call):
    shown = call("settings", "show", "--set", "risk.leverage_max=3", APP__RISK__OPEN_ORDERS_MAX="7").stdout
    assert "risk.leverage_max" in shown
    assert '"3"  (the command line)' in shown
    assert "= 7  (the environment)" in shown
    assert "(default)" in shown
    told = json.loads(call("settings", "show", "--json").stdout)
    assert told["kind"] == {"value": "simulated", "from": "profile simulated.toml"}


def test_settings_are_checked_without_starting_anything(call):
    assert "are valid: 3 strategies would run" in call("settings", "check").stdout
    assert call("settings", "check", "--set", "strategies.trend.params.fast=0").returncode == 3
    assert json.loads(call("settings", "schema").stdout)["title"] == "Settings"


def test_a_new_strategy_is_short_and_runs(call, tmp_path, candles):
    written = call("strategy", "new", "my_idea")
    assert "strategies.trend.strategy=my_idea.MyIdea" in written.stdout
    assert len((tmp_path / "my_idea.py").read_text().splitlines()) <= 40
    again = call("strategy", "new", "my_idea")
    assert (again.returncode, "my_idea.py exists already: choose another name" in again.stderr) == (2, True)
    done, told = replay(
        call,
        candles,
        "--set",
        "strategies.trend.strategy=my_idea.MyIdea",
        "--set",
        "strategies.trend.params.interval_s=1",
    )
    assert done.returncode == 0, done.stderr
    assert told["orders"] > 0


def test_help_imports_nothing_heavy(call):
    code = (
        "import sys; sys.argv = ['app', '--help']\n"
        "from app.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'alembic', 'polars', 'pydantic', 'dependency_injector'} & set(sys.modules)\n"
        "print('heavy:', heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "heavy: set()" in done.stdout


def test_a_first_start_does_not_wait_for_what_migrates(tmp_path):
    code = (
        "import sys; sys.argv = ['app', 'run', '--plain', '--for-virtual', '1s']\n"
        "from app.cli import main\n"
        "try: main()\n"
        "except SystemExit as ended: print('ended', ended.code)\n"
        "print({'sqlalchemy', 'alembic'} & set(sys.modules))"
    )
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.splitlines()[-2:] == ["ended 0", "{'sqlalchemy'}"]


def test_a_failed_critical_part_ends_with_5(call, tmp_path):
    (tmp_path / "broken.py").write_text(
        "from app.exchanges.simulated import SimulatedExchange\n"
        "class Broken(SimulatedExchange):\n"
        "    def __init__(self, settings, journal):\n"
        "        super().__init__(settings.exchange.simulated, settings.account, journal, resumable=False)\n"
        "    def next_event(self):\n"
        "        raise ArithmeticError('the feed is broken')\n"
    )
    words = ("--set", "exchange.adapter=broken.Broken", "--set", "storage.backend=memory")
    done = call("run", "--plain", *words, "--set", "telemetry.log_level=ERROR")
    assert done.returncode == 5, done.stderr
    assert "ERROR   stopped: runtime.pump failed: ArithmeticError: the feed is broken (exit code 5)" in done.stderr
    told = call("run", "--json", *words)
    assert json.loads(told.stdout)["exit_code"] == 5
    assert "ERROR   stopped: runtime.pump failed" in told.stderr


BROKEN = """
import asyncio
from app.exchanges.simulated import SimulatedExchange
from app.strategies import Strategy

class Base(SimulatedExchange):
    def __init__(self, settings, journal):
        super().__init__(settings.exchange.simulated, settings.account, journal, resumable=False)

class CloseHangs(Base):
    async def close(self):
        while True:
            try:
                await asyncio.sleep(999)
            except asyncio.CancelledError:
                pass

class ConnectHangs(Base):
    async def connect(self):
        await asyncio.sleep(999)

class CloseRaises(Base):
    async def close(self):
        raise OSError("will not close")

class Nonsense(Strategy):
    def on_bar(self, bar, view):
        return "buy!"

class SetupRaises(Strategy):
    def setup(self):
        raise ValueError("not set up")

class Forgetful(Strategy):
    def snapshot(self):
        raise ValueError("no snapshot")
    def on_bar(self, bar, view):
        return self.target(view, 1, bar.time_ns, bar.close)

class Edited(Strategy):
    def restore(self, payload):
        raise KeyError("period")
"""

BREAKS = [
    (("exchange.adapter=broken.CloseHangs", "lifecycle.stop_unit_s=0.2"), 6, "ignored its cancellation"),
    (("exchange.adapter=broken.ConnectHangs", "lifecycle.start_unit_s=0.2"), 4, "did not end within 0.2 s"),
    (("exchange.adapter=broken.CloseRaises",), 6, "OSError: will not close (in shutdown of runtime)"),
    (("strategies.trend.strategy=broken.Nonsense",), 0, "broken.Nonsense returned 'buy!', not a Target or None"),
    (("strategies.trend.strategy=broken.SetupRaises",), 3, "SetupRaises failed: ValueError: not set up (broken.py"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "code", "why"), BREAKS, ids=[why for _, _, why in BREAKS])
def test_a_part_that_misbehaves_is_named_and_never_keeps_the_bot_from_ending(call, tmp_path, words, code, why):
    (tmp_path / "broken.py").write_text(BROKEN)
    given = [
        word for each in (*words, "storage.backend=memory", "exchange.simulated.speed=600") for word in ("--set", each)
    ]
    done = call("run", "--plain", "--for", "1s", *given, timeout=30)
    assert done.returncode == code, done.stderr
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_a_strategy_that_is_set_aside_is_told_once_and_again_at_the_end(call, tmp_path):
    """The bot goes on to protect what it holds: its clean stop is one. A replay has nothing to go on for."""
    (tmp_path / "broken.py").write_text(BROKEN)
    words = ("--set", "strategies.trend.strategy=broken.Nonsense", "--set", "telemetry.log_level=WARNING")
    at_once = ("--for-virtual", "3m", "--set", "exchange.simulated.speed=0", "--set", "storage.backend=memory")
    done = call("run", "--plain", *words, *at_once)
    assert done.returncode == 0, done.stderr
    said = "strategy trend of BTC/USDT:USDT is set aside: TargetRefused: broken.Nonsense returned 'buy!'"
    assert done.stderr.count(f"ERROR   {said}") == 1
    assert "mend it and start again" in done.stderr
    assert "WARNING strategy: trend BTC/USDT:USDT: TargetRefused" in last_line(done)


def test_a_replay_of_a_strategy_that_is_set_aside_fails(call, candles, tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    words = ("--set", "strategies.trend.strategy=broken.Nonsense", "--set", "strategies.trend.params.interval_s=1")
    done, told = replay(call, candles, *words)
    assert (done.returncode, told["exit_code"]) == (5, 5)
    assert "broken.Nonsense returned 'buy!'" in told["errors"][0]


def test_a_strategy_that_cannot_save_or_restore_its_memory_keeps_no_bot_from_running(call, tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    words = ("run", "--plain", "--for-virtual", "3m", "--set", "exchange.simulated.speed=0")
    forgetful = call(*words, "--set", "strategies.trend.strategy=broken.Forgetful")
    assert forgetful.returncode == 0, forgetful.stderr
    assert "is set aside: ValueError: no snapshot (broken.py, line " in forgetful.stderr
    for _ in range(2):
        edited = call(*words, "--set", "strategies.trend.strategy=broken.Edited")
        assert edited.returncode == 0, edited.stderr
    assert "WARNING the memory of strategy trend of BTC/USDT:USDT cannot be read" in edited.stderr
    assert "KeyError: 'period' (broken.py, line " in edited.stderr


def test_candles_of_five_minutes_are_replayed_without_being_taken_for_stale(call, tmp_path):
    path = tmp_path / "candles.csv"
    rows = (
        f"{START_NS + index * 300 * SECOND_NS},{price},{price + 2},{price - 2},{price},5"
        for index, price in enumerate(30_000 + 50 * abs(step % 40 - 20) for step in range(400))
    )
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    words = ("strategies.trend.params.interval_s=300", "risk.consecutive_losses_max=1000")
    done, told = replay(call, path, *(word for each in words for word in ("--set", each)))
    assert done.returncode == 0, done.stderr
    assert (told["orders"] > 0, told["orders_denied"], told["held_back"]) == (True, 0, [])


# -- a journal on a server ----------------------------------------------------------------------------------------


def test_a_bot_on_a_server_is_seen_is_alone_and_goes_on(call, server, tmp_path):
    """From the first start to the second; a bot elsewhere is told of it, and so is who asks from elsewhere."""
    url = server.url(user="postgres:hunter2")
    on_server = ["--set", "storage.backend=postgres", "--set", f"storage.url={url}"]
    elsewhere = [*on_server, "--set", f"storage.folder={tmp_path}/elsewhere", "--set", "storage.lease_wait_s=0.1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path / "state")}
    words = [sys.executable, "-m", "app", "run", "--plain", *on_server]
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as first:
        try:
            for line in first.stderr:
                if "READY" in line:
                    break
            assert "is in use by the bot with pid" in last_line(call("run", "--plain", *on_server))
            refused = call("run", "--plain", *elsewhere)
            assert refused.returncode == 4
            assert f"with pid {first.pid}, profile simulated, running since" in last_line(refused)
            assert f"no bot runs here, but the bot on host {socket.gethostname()}" in call("status", *elsewhere).stdout
            shown = json.loads(call("status", "--json", *on_server).stdout)
            assert shown["journal"].endswith(", schema perps_main")
            assert (shown["running"], shown["starts"]) == (True, 1)
        finally:
            first.send_signal(signal.SIGTERM)
        said = first.stderr.read()
    assert first.returncode == 0

    again = call("run", "--plain", "--for", "0.3s", *on_server)
    assert again.returncode == 0, again.stderr
    stopped = call("status", *on_server)
    assert "no bot runs; its journal in postgresql://postgres@/perps" in stopped.stdout
    assert "started 2 times" in stopped.stdout
    shown = call("settings", "show", *on_server)
    for text in (said, again.stderr, refused.stderr, stopped.stdout, shown.stdout):
        assert "hunter2" not in text


def test_a_server_gives_the_same_orders_as_a_file(call, candles, server):
    on_server = ["--set", "storage.backend=postgres", "--set", f"storage.url={server.url()}"]
    digests = {
        replay(call, candles, "--set", "strategies.trend.params.interval_s=1", *where)[1]["orders_digest"]
        for where in (on_server, ["--set", "storage.backend=sqlite"])
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["storage.backend=postgres"], "storage.backend = postgres needs storage.url"),
        (["storage.backend=postgres", "storage.url=mysql://bot:hunter2@db/x"], "write it as postgresql://"),
        (["storage.url=postgresql://bot:hunt@er2@db/x"], "%40 %2F %3F %23 %25"),
        (['storage.url=["hunter2"]'], "storage.url cannot be used"),
        (["storage.url=2"], "storage.url cannot be used"),
        (["storage.lease_s=1", "storage.lease_renew_every_s=0.6"], "at most half of storage.lease_s"),
    ],
)
def test_what_a_server_needs_is_refused_in_a_sentence_without_the_password(call, words, why):
    done = call("settings", "check", *[word for each in words for word in ("--set", each)])
    assert done.returncode == 3
    assert why in done.stderr
    assert "er2" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


QUITS = "import sys; sys.exit(0)"


@pytest.mark.parametrize("setting", ["strategies.trend.strategy=quits.X", "exchange.adapter=quits.X"])
def test_a_module_that_ends_the_process_while_it_is_imported_is_refused(tmp_path, setting):
    """Exit code 0 would say that a bot had run."""
    (tmp_path / "quits.py").write_text(QUITS, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}", "XDG_STATE_HOME": str(tmp_path)}
    words = [sys.executable, "-m", "app", "run", "--plain", "--for", "1s", "--set", setting]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "SystemExit" in done.stderr


def test_an_empty_folder_of_data_is_told(call, tmp_path):
    done = call("data", "check", "--folder", str(tmp_path / "none"))
    assert (done.returncode, "there is no data in" in done.stdout) == (0, True)


def test_the_installed_command_finds_a_strategy_of_the_current_folder(tmp_path):
    """As `python -m app` does: an installed script has its own folder first, and not the current one."""
    (tmp_path / "mine.py").write_text("from app.strategies.trend import Trend\n\n\nclass Mine(Trend):\n    pass\n")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "perps-bot"
    script.write_text("from app.cli import main\nmain()\n")
    words = ("settings", "check", "--set", "strategies.trend.strategy=mine.Mine")
    done = subprocess.run(
        [sys.executable, str(script), *words],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "words", [("--help",), ("settings", "schema"), ("data", "list", "--folder", "none"), ("graph",)], ids=" ".join
)
def test_a_reader_that_leaves_ends_a_command_in_silence(tmp_path, words):
    """As `python -m app settings show | head` does: no words, and the exit code that Unix tools have."""
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-m", "app", *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_an_output_that_cannot_be_written_is_no_bug(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path)}
    words = [sys.executable, "-m", "app", "settings", "show", "--json"]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(words, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (6, "error: the output cannot be written: No space left on device\n")
