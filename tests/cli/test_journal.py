"""The tables of a journal, made anew by command."""

import json
from contextlib import closing

import pytest

from app.cli.failures import NotDone, UsageRefused
from app.cli.journal import rebuild
from app.ports.exit_codes import ExitCode
from app.storage import StateFolderLock, open_journal, read_summary
from tests.storage import records
from tests.storage.looking import look


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The state folder of a bot that was filled once, and stopped."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "state"
    with closing(open_journal(folder, "main", threaded=False, busy_timeout_s=1)) as journal:
        journal.append(records.intended("main-1-1", "2"))
        journal.append(*records.filled("t1", "main-1-1", "2", "2"))
    return folder


def change(folder, statement):
    """Change a table by hand, as nobody should."""
    import sqlite3

    with closing(sqlite3.connect(folder / "journal.sqlite")) as database, database:
        database.execute(statement)


def words_of(folder):
    return [f"storage.folder={folder}"]


def test_what_was_changed_by_hand_is_what_the_journal_says_again(folder, capsys):
    held = read_summary(folder).positions
    assert held
    change(folder, "UPDATE positions SET contracts = '7'")
    change(folder, "DELETE FROM fills")
    assert read_summary(folder).positions != held

    assert rebuild(None, words_of(folder), as_json=False) is ExitCode.CLEAN

    count = look(folder, "SELECT count(*) FROM journal")[0][0]
    told = f"the tables of the journal {folder} are made anew, from all its {count} records\n"
    assert capsys.readouterr().out == told
    assert read_summary(folder).positions == held
    assert len(read_summary(folder).recent_fills) == 1


def test_a_rebuild_is_no_start(folder):
    rebuild(None, words_of(folder), as_json=False)
    assert read_summary(folder).epoch == 1


def test_while_a_bot_holds_the_folder_nothing_is_rebuilt(folder):
    with (
        StateFolderLock(folder, "live"),
        pytest.raises(NotDone, match=r"nothing was rebuilt: .* in use by the bot .*profile live.*: stop that bot"),
    ):
        rebuild(None, words_of(folder), as_json=False)


def test_where_no_bot_has_run_nothing_is_made(tmp_path):
    with pytest.raises(NotDone, match=r"there is no journal at .*: start the bot once"):
        rebuild(None, words_of(tmp_path / "none"), as_json=False)
    assert not (tmp_path / "none").exists()


def test_a_profile_without_a_journal_is_told_so():
    with pytest.raises(UsageRefused, match="profile replay keeps no state: it has no journal to rebuild from"):
        rebuild("replay", [], as_json=False)


def test_a_record_that_cannot_be_read_leaves_the_tables_as_they_are(folder):
    before = read_summary(folder)
    change(folder, "UPDATE journal SET payload = '{}' WHERE seq = 2")
    with pytest.raises(NotDone, match=r"cannot be read \(record 2: .*\): put a backup in its place"):
        rebuild(None, words_of(folder), as_json=False)
    assert read_summary(folder) == before


def test_the_command_says_what_it_did_and_ends_as_documented(call, folder):
    words = ("journal", "rebuild", "--set", f"storage.folder={folder}")
    done = call(*words, "--json")
    count = look(folder, "SELECT count(*) FROM journal")[0][0]
    assert (done.returncode, json.loads(done.stdout)) == (0, {"journal": str(folder), "records": count})
    with StateFolderLock(folder):
        refused = call(*words)
    assert (refused.returncode, refused.stdout) == (6, "")
    assert refused.stderr.startswith("error: nothing was rebuilt: the state folder")
