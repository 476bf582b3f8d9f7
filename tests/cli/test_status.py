"""What ``status`` says of a bot that was killed, or that does not answer any more."""

import json
import os
import re
from datetime import UTC, datetime, timedelta

import pytest

from app.cli import operator
from app.cli.status import print_status
from app.storage import StateFolderLock
from app.telemetry.health_file import FILE_NAME


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A state folder with a journal."""
    place = tmp_path / "state"
    monkeypatch.setenv("APP__STORAGE__FOLDER", str(place))
    operator.halt(None, [], "by hand", "1s")
    return place


@pytest.fixture
def told(capsys):
    def run():
        capsys.readouterr()
        print_status(None, [], as_json=False)
        text = capsys.readouterr().out
        print_status(None, [], as_json=True)
        return text, json.loads(capsys.readouterr().out)

    return run


def write_health(folder, age_s, trading="halted"):
    """Leave what a bot with the number of this process, which is alive, has written."""
    document = {
        "pid": os.getpid(),
        "ready": True,
        "health": {"components": []},
        "equity": "1",
        "currency": "USDT",
        "trading": trading,
        "reasons": [],
        "written_at": (datetime.now(UTC) - timedelta(seconds=age_s)).isoformat(),
    }
    (folder / FILE_NAME).write_text(json.dumps(document))


def test_a_bot_that_was_killed_does_not_run_though_a_process_has_its_number(folder, told):
    with StateFolderLock(folder):
        pass
    write_health(folder, age_s=0)
    text, document = told()
    assert text.startswith("no bot runs;")
    assert (document["running"], document["health"]) == (False, None)


def test_a_bot_that_has_just_written_is_ready(folder, told):
    with StateFolderLock(folder):
        write_health(folder, age_s=1)
        text, document = told()
    assert text.startswith(f"a bot runs with pid {os.getpid()}, ready, seen 1.")
    assert (document["running"], document["health"]["answers"]) == (True, True)


@pytest.mark.parametrize("age_s", [11, -11])
def test_a_bot_that_has_not_written_for_periods_does_not_answer(folder, told, age_s):
    with StateFolderLock(folder):
        write_health(folder, age_s)
        text, document = told()
    assert f"a bot runs with pid {os.getpid()}, not answering, last seen" in text
    assert " ready" not in text
    assert re.search(r"^  -?1[01]\.\d s ago: equity 1 USDT, trading halted$", text, re.MULTILINE)
    assert (document["running"], document["health"]["answers"]) == (True, False)


def test_what_a_bot_last_said_is_no_word_on_what_it_does_now(folder, told):
    """It was active ten seconds ago; what is on record holds, and else nobody knows."""
    with StateFolderLock(folder):
        write_health(folder, age_s=11, trading="active")
        text, document = told()
    assert "trading now: halted" in text
    assert document["trading"] == "halted"


def test_without_a_reason_on_record_nobody_knows(folder, told, capsys):
    """It was halted ten seconds ago, by a reason that is on no record: neither that nor active is known."""
    capsys.readouterr()
    operator.resume(None, [], None)
    operator.resume(None, [], capsys.readouterr().out.split()[-1])
    with StateFolderLock(folder):
        write_health(folder, age_s=11)
        text, document = told()
    assert "trading now: unknown" in text
    assert document["trading"] == "unknown"


def test_a_bot_that_was_never_started_has_no_time(folder, told):
    """A halt on record is the only record, from before any market."""
    text, document = told()
    assert "account main, never started" in text
    assert "1970" not in text
    assert (document["last_record"], document["stopped_in_order"]) == (None, None)
    assert [reason["since"] for reason in document["reasons"]] == [None]


def test_a_bot_that_has_written_nothing_yet_runs(folder, told):
    with StateFolderLock(folder):
        text, document = told()
    assert text.startswith("a bot starts or stops here")
    assert (document["running"], document["health"]) == (True, None)
