"""Halt, resume and flatten as a person meets them: on a bot that runs, and on the folder of one that does not."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.cli import operator
from app.cli.failures import NotDone, report_failure
from app.cli.status import _lines, print_status
from app.control import NoAnswer
from app.domain.events import HaltCommand, OrderAccepted
from app.domain.order import Side
from app.domain.records import OrderIntended
from app.ports.control import Reply
from app.ports.exit_codes import ExitCode
from app.settings import load_settings
from app.settings.profiles import profile_folder
from app.state import journal_place, state_folder
from app.storage import JournalTooOld, StateFolderLock, open_journal, open_stopped, rebuild_projections
from tests.builders import BTC, START_NS, fill, limit

ROOT = Path(__file__).parents[2]
PARTS = """
from app.domain.order import OrderType
from app.exchanges.simulated import SimulatedExchange
from app.domain.target import Entry
from app.strategies import BarParams, Strategy


class Flips(Strategy):
    Params = BarParams

    def on_bar(self, bar, view):
        side = -1 if self.wanted == 1 else 1
        return self.target(view, side, bar.time_ns, bar.close)


class Rests(Strategy):
    Params = BarParams

    def on_bar(self, bar, view):
        price = view.instrument(self.symbol).round_price(bar.close * 97 / 100)
        return self.target(view, 1, bar.time_ns, price, entry=Entry(type=OrderType.LIMIT, price=price))
"""
DEAF = """

class Deaf(SimulatedExchange):
    def __init__(self, settings, journal):
        super().__init__(settings.exchange.simulated, settings.account, journal, resumable=True)
        self.ignored = 0

    def cancel(self, order, reason):
        self.ignored += 1
        if self.ignored > 2:
            super().cancel(order, reason)
"""
FLIPS = (
    "strategies.trend.strategy=parts.Flips",
    "strategies.trend.params.interval_s=10",
    # It loses all the time, and no guard shall stand in its way.
    "risk.consecutive_losses_max=1000000",
)
RESTS = ("strategies.breakout.strategy=parts.Rests", "strategies.breakout.params.interval_s=10")
WAIT_S = 30


class Running:
    """A bot in a process of its own, and what it has logged so far."""

    def __init__(self, folder, *settings, profile="simulated"):
        words = ["--profile", profile, *(word for setting in settings for word in ("--set", setting))]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
        self.log = folder / "run.log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "run", "--plain", *words],
                cwd=folder,
                env=kept | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder / "state")},
                stderr=log,
            )

    def said(self, what, after=0):
        """Wait for words in the log, past a place in it; return the place behind them."""
        ends = time.monotonic() + WAIT_S
        while (found := self.log.read_text().find(what, after)) < 0:
            assert time.monotonic() < ends, f"never said {what!r}: {self.log.read_text()}"
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        return found + len(what)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(timeout=WAIT_S)


@pytest.fixture
def start(tmp_path):
    """Start bots on one state folder, wait until they are up, and end them with the test."""
    (tmp_path / "parts.py").write_text(PARTS + DEAF)
    bots = []

    def run(*settings, **more):
        (tmp_path / "run.log").write_text("")
        bots.append(Running(tmp_path, *settings, **more))
        bots[-1].said("READY")
        return bots[-1]

    yield run
    for bot in bots:
        if bot.process.poll() is None:
            bot.end(signal.SIGKILL)


@pytest.fixture
def told(capsys):
    """Run a command within this process, which is faster; return its exit code and what it printed."""

    def run(command, *words, **more):
        capsys.readouterr()
        code = command(None, [], *words, **more)
        return code, capsys.readouterr().out

    return run


@pytest.fixture
def status(told):
    return lambda: json.loads(told(print_status, as_json=True)[1])


# -- a bot that runs --------------------------------------------------------------------------------------------


def test_a_halt_holds_over_a_restart_until_it_is_resumed_and_then_trading_goes_on(call, start, status):
    bot = start(*FLIPS, *RESTS)
    bot.said("order buy")
    bot.said("limit at=")

    halted = call("halt", "--reason", "cable on fire")
    assert halted.returncode == 0, halted.stdout + halted.stderr
    assert halted.stdout.startswith("trading is halted: nothing grows until python -m app resume")
    place = bot.said("the operator halted trading")
    bot.said("order canceled")
    shown = status()
    assert (shown["running"], shown["trading"]) == (True, "halted")
    assert [(r["owner"], r["code"], r["detail"], r["latched"]) for r in shown["reasons"]] == [
        ("operator", "halt", "cable on fire", True)
    ]
    assert "trading halted: operator:halt, cable on fire\n  until python -m app resume" in call("status").stdout
    assert " purpose=entry" not in bot.log.read_text()[place:]
    assert bot.end() == 0

    again = start(*FLIPS, *RESTS)
    assert status()["trading"] == "halted"
    asked = call("resume")
    assert asked.returncode == 6
    assert asked.stdout.startswith("would be lifted: halted by operator:halt (cable on fire)\n")
    resumed = call("resume", "--confirm", asked.stdout.split()[-1])
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert resumed.stdout == "lifted: halted by operator:halt (cable on fire)\ntrading is active\n"
    assert " purpose=entry" not in again.log.read_text().partition("the operator resumed trading")[0]
    again.said("purpose=entry", again.said("the operator resumed trading"))
    assert again.end() == 0


def test_a_halt_says_what_an_exchange_that_answers_nothing_has_left_and_presses_on(start, told):
    """The first two requests are lost: the halt is not done within its wait, and is once the third has come through."""
    bot = start(*RESTS, "exchange.adapter=parts.Deaf", "execution.cancel_retry_every_s=0.5")
    bot.said("limit at=")

    code, said = told(operator.halt, "by hand", "0.1s")
    assert code == ExitCode.UNCLEAN_STOP
    assert "still working, and asked for again until the exchange confirms: buy " in said
    bot.said("reason=asked for again")
    assert told(operator.halt, "by hand", "20s")[0] == ExitCode.CLEAN
    assert bot.end() == 0


def test_flatten_closes_positions_of_a_halted_bot(call, start, told, status):
    bot = start(*FLIPS)
    bot.said("fill buy")
    told(operator.halt, "by hand", "2s")

    flat = call("flatten")
    assert flat.returncode == 0, flat.stdout + flat.stderr
    assert flat.stdout.startswith("flat: nothing is held, nothing that can grow works\ntrading is halted\n")
    assert status()["positions"] == {}
    assert told(operator.flatten, "DOGE/USDT:USDT", "2s")[0] == ExitCode.USAGE
    bot.end()


def test_a_killed_bot_leaves_a_socket_that_stands_in_nobodys_way(start, told, status, tmp_path):
    start().end(signal.SIGKILL)
    assert status()["stopped_in_order"] is False
    assert (tmp_path / "state" / "perps-bot" / "simulated" / "control.sock").is_socket()

    assert "no bot runs: the next start" in told(operator.halt, "after the kill", "2s")[1]
    start()
    assert told(operator.resume, None)[1].startswith(
        "would be lifted: halted by operator:halt (after the kill, while no bot ran"
    )


def test_a_second_bot_on_the_same_folder_leaves_the_first_ones_socket_alone(call, start, told):
    first = start()
    assert call("run", "--plain").returncode == 4

    assert told(operator.halt, "by hand", "2s")[1].startswith("trading is halted")
    assert first.end() == 0


# -- no bot runs ------------------------------------------------------------------------------------------------


def test_without_a_bot_a_halt_holds_its_next_start(call, start, told, status):
    halted = call("halt", "--reason", "before the first start")
    assert halted.returncode == 0
    assert halted.stdout.splitlines()[0].startswith("no bot runs: the next start on")
    assert (status()["starts"], status()["trading"]) == (0, "halted")

    bot = start()
    assert status()["trading"] == "halted"
    bot.said("READY, but halted: operator:halt (before the first start")
    assert bot.end() == 0
    assert "stopped in order\n" in call("status").stdout
    found = call("doctor").stdout
    assert "warning  held_back      halted by operator:halt (before the first start" in found

    code, shown = told(operator.resume, None)
    assert (code, shown.splitlines()[0]) == (ExitCode.UNCLEAN_STOP, "no bot runs")
    code, resumed = told(operator.resume, shown.split()[-1])
    assert (code, resumed.splitlines()[-1]) == (
        ExitCode.CLEAN,
        "no bot runs: a guard whose limit is still passed halts the next start",
    )
    assert not [reason for reason in status()["reasons"] if reason["latched"]]
    assert told(operator.resume, None) == (
        ExitCode.CLEAN,
        "no bot runs, and nothing is latched: there is nothing to resume\n",
    )


def test_what_is_to_be_typed_next_reaches_the_same_bot(call, start, tmp_path):
    """A profile by its path and a folder named by hand: each command is said with both, by the bot that runs, too."""
    profile = tmp_path / "my profile.toml"
    profile.write_bytes((profile_folder() / "simulated.toml").read_bytes())
    named = ("--profile", profile.name, "--set", "storage.folder=kept here")
    says = f"python -m app {{}} --profile '{profile}' --set 'storage.folder={tmp_path}/kept here'"

    assert call("halt", *named).stdout.startswith(
        f"no bot runs: the next start on kept here comes up halted, until {says.format('resume')}\n"
    )
    assert f"  until {says.format('resume')}\n" in call("status", *named).stdout
    assert f"{says.format('resume')} lifts it" in call("doctor", *named).stdout

    bot = start("storage.folder=kept here", profile=profile.name)
    bot.said(f"try next: {says.format('status')}, ")
    bot.said(f"{says.format('resume')} lifts what is latched")
    assert call("halt", *named).stdout.startswith(f"trading is halted: nothing grows until {says.format('resume')}\n")
    asked = call("resume", *named).stdout.splitlines()[-1].removeprefix("to confirm, within a minute: ")
    assert asked.startswith(f"{says.format('resume')} --confirm ")
    assert call(*shlex.split(asked)[3:]).stdout.startswith("lifted: halted by operator:halt (halted by hand)\n")


REFUSED = [
    (("flatten",), 6, "so nobody is connected to the exchange: start it, then flatten"),
    (("halt", "--profile", "replay"), 2, "profile replay keeps no state"),
    (("halt", "--wait", "soon"), 2, "'soon' is no duration"),
    (("halt", "--reason", "x" * 201), 2, "the reason has 201 characters: at most 200 go on record"),
    (("halt", "--set", "risk.leverge_max=3"), 3, "did you mean"),
]


@pytest.mark.parametrize(("words", "code", "why"), REFUSED, ids=[why for _, _, why in REFUSED])
def test_what_cannot_be_done_is_said_in_one_sentence(call, words, code, why):
    done = call(*words)
    assert done.returncode == code, done.stderr
    assert why in done.stderr
    assert "Traceback" not in done.stderr


# -- within the process -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The state folder of the default profile; nobody is waited for."""
    monkeypatch.setattr(operator, "REACH_S", 0.0)
    return tmp_path / "state" / "perps-bot" / "simulated"


def test_a_halt_while_no_bot_runs_counts_as_no_start_and_moves_no_clock(folder):
    """The next start asks the exchange for what happened since the last record: a halt must not hide a fill."""
    operator.halt(None, [], "first", "1s")
    operator.halt(None, [], "second", "1s")

    with open_stopped(folder, "main", busy_timeout_s=1) as journal:
        recovered = journal.recovered()
    assert (recovered.epoch, recovered.last_time_ns) == (0, 0)
    [held] = recovered.reasons
    assert held.detail.startswith("second, while no bot ran, ")


def test_a_halt_while_no_bot_runs_is_put_where_the_next_start_looks(tmp_path, server, capsys):
    """On a server, not into a file of the state folder that nobody reads; and it is lifted there."""
    words = ["storage.backend=postgres", f"storage.url={server.url()}", f"storage.folder={tmp_path / 'here'}"]
    assert operator.halt(None, words, "by hand", "1s") == ExitCode.CLEAN
    settings = load_settings(None, words).settings
    place = journal_place(settings, state_folder(settings))
    with open_stopped(place, "main", busy_timeout_s=1) as journal:
        assert [reason.code for reason in journal.recovered().reasons] == ["halt"]
    assert operator.resume(None, words, None) == ExitCode.UNCLEAN_STOP
    assert "would be lifted: halted by operator:halt (by hand" in capsys.readouterr().out


def test_a_halt_of_a_bot_that_runs_elsewhere_says_who_it_is(tmp_path, server):
    """Its socket lies in another folder; the lease is what tells."""
    words = ["storage.backend=postgres", f"storage.url={server.url()}", "storage.lease_wait_s=0.2"]
    settings = load_settings(None, words).settings
    with (
        open_stopped(journal_place(settings, tmp_path / "there"), "main", busy_timeout_s=1),
        pytest.raises(NotDone, match=rf"pid {os.getpid()}.* writes the journal, and does not listen in"),
    ):
        operator.halt(None, [*words, f"storage.folder={tmp_path / 'here'}"], "by hand", "1s")


def test_a_journal_of_older_code_is_halted_like_any_other(folder, mocker):
    """Who only reads refuses it; a halt brings it up to date, as the next start would."""
    operator.halt(None, [], "first", "1s")
    mocker.patch.object(operator, "read_summary", side_effect=JournalTooOld(folder, "0001", "0002"))
    assert operator.halt(None, [], "second", "1s") == ExitCode.CLEAN


def test_a_halt_of_an_account_that_the_journal_is_not_of_is_refused(tmp_path):
    folder = tmp_path / "state"
    open_journal(folder, "alice", threaded=False, busy_timeout_s=1).close()
    words = [f"storage.folder={folder}"]
    with pytest.raises(NotDone, match="never been the journal of account main, but of alice"):
        operator.halt(None, words, "by hand", "1s")
    assert operator.halt(None, [*words, "account.id=alice"], "by hand", "1s") == ExitCode.CLEAN


def test_there_is_nothing_to_resume_where_no_bot_ever_ran(folder, capsys):
    assert operator.resume(None, [], None) == ExitCode.CLEAN
    assert "there is nothing to resume" in capsys.readouterr().out
    assert not folder.exists()


@pytest.mark.parametrize(
    ("words", "code"), [(["yes"], ExitCode.CLEAN), (["y"], ExitCode.UNCLEAN_STOP), (EOFError, ExitCode.UNCLEAN_STOP)]
)
def test_on_a_terminal_it_takes_a_yes(folder, monkeypatch, mocker, words, code):
    operator.halt(None, [], "by hand", "1s")
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    mocker.patch("builtins.input", side_effect=words)
    assert operator.resume(None, [], None) == code


def test_the_command_that_confirms_names_the_same_bot(tmp_path, monkeypatch, capsys):
    """With the settings that were given to the first one, or it would resume another."""
    settings = [f"storage.folder={tmp_path / 'my state'}"]
    operator.halt("simulated", settings, "by hand", "1s")
    capsys.readouterr()
    operator.resume("simulated", settings, None)
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"resume --set 'storage.folder={tmp_path}/my state' --confirm " in last


def test_a_token_that_is_not_valid_resumes_nothing(folder, capsys):
    operator.halt(None, [], "by hand", "1s")
    assert operator.resume(None, [], "ffffff") == ExitCode.UNCLEAN_STOP
    assert "nothing was resumed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        lambda: operator.halt(None, [], "by hand", "1s"),
        lambda: operator.flatten(None, [], None, "1s"),
    ],
    ids=["halt", "flatten"],
)
def test_a_bot_that_holds_its_folder_and_does_not_listen_is_named(folder, command):
    """It starts or stops, or has no socket. It is asked for a while, and then named."""
    holding = StateFolderLock(folder, "simulated")
    holding.acquire()
    with pytest.raises(NotDone, match=f"the bot with pid {os.getpid()}, profile simulated"):
        command()
    holding.release()


def test_a_bot_that_does_not_answer_is_not_called_halted(folder, mocker, capsys):
    mocker.patch.object(operator, "ask", side_effect=NoAnswer("timed out"))
    with pytest.raises(NotDone, match="the bot took the request and did not answer") as refused:
        operator.halt(None, [], "by hand", "1s")
    assert report_failure(refused.value) == ExitCode.UNCLEAN_STOP


def test_a_bug_in_the_bot_is_told_as_one(folder, mocker, capsys):
    mocker.patch.object(operator, "ask", return_value=Reply(ExitCode.BUG, ("this is a bug",)))
    assert operator.flatten(None, [], None, "1s") == ExitCode.BUG
    assert capsys.readouterr().err == "error: this is a bug\n"


def test_a_halt_that_cannot_be_written_is_not_called_done(folder, mocker):
    operator.halt(None, [], "by hand", "1s")
    mocker.patch("app.storage.store.JournalStore._insert", side_effect=OSError(28, "No space left on device"))
    with pytest.raises(NotDone, match="No space left"):
        operator.halt(None, [], "again", "1s")
    with contextlib.suppress(NotDone):
        operator.resume(None, [], None)


def test_a_folder_that_cannot_be_used_is_said_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotDone, match="cannot be used"):
        operator.halt(None, [f"storage.folder={tmp_path}/file/s"], "by hand", "1s")


def test_commands_are_on_record(folder, status):
    operator.halt(None, [], "by hand", "1s")
    import sqlite3

    with contextlib.closing(sqlite3.connect(folder / "journal.sqlite")) as database:
        kinds = [kind for (kind,) in database.execute("SELECT kind FROM journal ORDER BY seq")]
    assert kinds == [HaltCommand.__name__, "ReasonRaised"]
    assert rebuild_projections(folder, busy_timeout_s=1) == 2
    assert status()["trading"] == "halted"


def test_a_restriction_that_is_not_on_record_is_shown_as_such(folder, status):
    """The store has failed: the bot is halted, and its journal does not say so."""
    operator.halt(None, [], "by hand", "1s")
    health = {
        "pid": 1,
        "ready": True,
        "age_s": 0.1,
        "answers": True,
        "health": {"components": []},
        "equity": "1",
        "currency": "USDT",
        "trading": "halted",
        "reasons": ["operator:halt (by hand)", "risk:drawdown (lost)"],
    }
    lines = list(_lines(status() | {"health": health}, "resume"))
    assert lines[-1] == "trading restricted, not on record: risk:drawdown (lost)"
    assert sum("not on record" in line for line in lines) == 1


def test_an_order_is_shown_with_its_size_and_with_what_of_it_has_filled(folder, status):
    journal = open_journal(folder, "main", threaded=False, busy_timeout_s=1, profile="simulated")
    half = fill("t1", Side.BUY, "0.4", client_order_id="main-1-000001")
    rests = limit("main-1-000001", contracts="1")
    journal.append(OrderIntended(rests, START_NS), OrderAccepted("main-1-000001", "V1", BTC, START_NS), half)
    journal.close()
    document = status()
    [order] = document["working_orders"]
    assert (order["contracts"], order["filled"]) == ("1", "0.4")
    assert document["last_orders"] == [order]
    [line] = [line for line in _lines(document, "resume") if line.startswith("order ")]
    assert line == f"order main-1-000001: buy 1 {BTC} limit (partially_filled, 0.4 filled)"
