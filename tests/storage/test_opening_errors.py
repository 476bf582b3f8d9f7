"""Every way in which opening can fail is one sentence that says what to do."""

import errno
import fcntl
import os
import sqlite3
from contextlib import closing

import pytest

from app.storage import (
    JournalLocked,
    JournalMissing,
    JournalTooNew,
    JournalTooOld,
    JournalUnreadable,
    JournalUnwritable,
    StateFolderInUse,
    StateFolderLock,
    StateFolderUnusable,
    StorageError,
    open_stopped,
    read_summary,
    rebuild_projections,
)
from app.storage.engine import JOURNAL_FILE
from tests.storage import records


@pytest.fixture
def place(folder):
    """A file: what a server can do wrong is elsewhere."""
    return folder


def execute(folder, *statements):
    connection = sqlite3.connect(folder / JOURNAL_FILE, isolation_level=None)
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


@pytest.fixture
def existing(opened, folder):
    """A journal that a run left behind."""
    opened().close()
    return folder


def lock_is_free(folder):
    lock = StateFolderLock(folder)
    lock.acquire()
    lock.release()
    return True


def test_a_folder_that_cannot_be_created(opened, folder):
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file where the folder should be")
    with pytest.raises(StateFolderUnusable, match=r"cannot be used \(.*\): make it writable, or set storage\.folder"):
        opened()


def test_a_read_only_folder(opened, folder, mocker):
    mocker.patch.object(os, "open", side_effect=OSError(errno.EROFS, os.strerror(errno.EROFS)))
    with pytest.raises(StateFolderUnusable, match="Read-only file system") as caught:
        opened()
    assert caught.value.place == folder


def test_a_file_system_without_locks(opened, mocker):
    mocker.patch.object(fcntl, "flock", side_effect=OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)))
    with pytest.raises(StateFolderUnusable, match="locks"):
        opened()


def test_a_database_that_cannot_be_opened(opened, folder):
    (folder / JOURNAL_FILE).mkdir(parents=True)
    with pytest.raises(JournalUnwritable, match="cannot be opened"):
        opened()
    assert lock_is_free(folder)


def test_a_corrupt_database(opened, existing):
    with (existing / JOURNAL_FILE).open("r+b") as file:
        file.write(b"\xff" * 4096)
    with pytest.raises(JournalUnreadable, match=r"not a database.*put a backup in its place"):
        opened()
    with pytest.raises(JournalUnreadable):
        read_summary(existing)
    with pytest.raises(JournalUnreadable):
        rebuild_projections(existing, busy_timeout_s=0.1)
    assert lock_is_free(existing)


def test_a_database_that_was_emptied_is_no_new_one(opened, existing):
    """What was written after its last checkpoint is still beside it, and with the file a halt on record is gone."""
    (existing / "journal.sqlite").write_bytes(b"")
    (existing / "journal.sqlite-wal").write_bytes(b"left")
    with pytest.raises(JournalUnreadable, match="it is empty, but what was written after it is not"):
        opened()
    assert (existing / "journal.sqlite-wal").read_bytes() == b"left"


def copied(folder, to, *names):
    """Return a folder with a copy of some of the files of another, as a backup may take them."""
    to.mkdir()
    for name in names:
        (to / name).write_bytes((folder / name).read_bytes())
    return to


def test_a_database_that_was_copied_without_its_log_is_no_new_one(opened, folder, tmp_path):
    """Its first bot runs: all that it has on record, a halt perhaps, is in the log."""
    opened().append(records.intended())
    alone = copied(folder, tmp_path / "alone", JOURNAL_FILE)
    with pytest.raises(JournalUnreadable, match=r"its log journal\.sqlite-wal is missing: it was copied without it"):
        opened(at=alone)


def test_a_database_that_was_copied_with_its_log_is_whole(opened, folder, tmp_path):
    """As a kill leaves the files, too."""
    opened().append(records.intended())
    both = copied(folder, tmp_path / "both", JOURNAL_FILE, f"{JOURNAL_FILE}-wal")
    assert len(opened(at=both).recovered().working_orders) == 1


@pytest.mark.parametrize("is_start", [True, False])
def test_a_database_of_a_bot_that_was_stopped_is_whole_without_a_log(opened, folder, tmp_path, is_start):
    if is_start:
        opened().close()
    else:
        with open_stopped(folder, "main", busy_timeout_s=1):
            pass
    alone = copied(folder, tmp_path / "alone", JOURNAL_FILE)
    assert opened(at=alone).recovered().epoch == 1 + is_start


def test_a_first_start_that_was_killed_before_its_tables_were_made_begins_anew(opened, folder):
    folder.mkdir()
    with closing(sqlite3.connect(folder / JOURNAL_FILE)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert opened().recovered().epoch == 1


def test_a_database_that_is_corrupt_further_in(opened, existing):
    path = existing / JOURNAL_FILE
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(JournalUnreadable, match="malformed"):
        opened()


def test_a_database_of_something_else(opened, folder):
    folder.mkdir()
    execute(folder, "CREATE TABLE recipes (name TEXT)")
    with pytest.raises(JournalUnreadable, match="another program"):
        opened()


def test_a_database_newer_than_this_code(opened, existing):
    execute(existing, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(JournalTooNew, match=r"schema 9999, this version knows up to 0002: run the version that wrote"):
        opened()
    with pytest.raises(JournalTooNew):
        read_summary(existing)


def test_a_reader_migrates_nothing(existing):
    execute(existing, "DELETE FROM alembic_version")
    with pytest.raises(JournalTooOld, match="schema none, this version reads 0002: start the bot once"):
        read_summary(existing)


def test_a_database_that_another_program_has_locked(opened, existing):
    other = sqlite3.connect(existing / JOURNAL_FILE, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalLocked, match=r"locked by another program for 0\.05 s: close what has it open"):
            opened(busy_timeout_s=0.05)
    finally:
        other.close()
    assert lock_is_free(existing)


def test_a_folder_that_another_bot_holds(opened, existing):
    lock = StateFolderLock(existing, "live")
    lock.acquire()
    try:
        with pytest.raises(StateFolderInUse, match=rf"pid {os.getpid()}, profile live, running since \d{{4}}-"):
            opened()
        with pytest.raises(StateFolderInUse):
            rebuild_projections(existing, busy_timeout_s=0.1)
    finally:
        lock.release()


def test_nothing_to_read(folder):
    with pytest.raises(JournalMissing, match="start the bot once"):
        read_summary(folder)
    with pytest.raises(JournalMissing):
        rebuild_projections(folder, busy_timeout_s=0.1)
    assert not folder.exists()


@pytest.mark.parametrize(
    "error",
    [
        StateFolderUnusable,
        StateFolderInUse,
        JournalMissing,
        JournalUnreadable,
        JournalTooNew,
        JournalTooOld,
        JournalLocked,
        JournalUnwritable,
    ],
)
def test_all_are_storage_errors(error):
    assert issubclass(error, StorageError)
