"""Opens the journal on disk, step by step, and undoes the steps when one fails."""

from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from app.storage.commit_now import CommitNow
from app.storage.commit_threaded import CommitThreaded
from app.storage.diagnosis import diagnose
from app.storage.engine import JOURNAL_FILE, writer_engine
from app.storage.folder_lock import StateFolderLock
from app.storage.recovery import begin_run
from app.storage.schema import bring_to_head
from app.storage.sql_journal import Commit, SqlJournal
from app.storage.store import JournalStore


def open_sql_journal(
    folder: Path, account_id: str, *, threaded: bool, busy_timeout_s: float, profile: str, is_start: bool
) -> SqlJournal:
    """Lock the folder, open the database, migrate it if need be, count the start if it is one."""
    path = folder / JOURNAL_FILE
    with ExitStack() as opened:
        lock = StateFolderLock(folder, profile)
        lock.acquire()
        opened.callback(lock.release)
        connection = opened.enter_context(connect_writer(path, busy_timeout_s))
        try:
            bring_to_head(connection, path)
            begun = begin_run(connection, account_id, is_start=is_start)
        except Exception as error:
            raise diagnose(error, path, busy_timeout_s) from error
        store = JournalStore(connection, path, begun.projections, busy_timeout_s)
        commit: Commit = (
            CommitThreaded(store, begun.last_seq, busy_timeout_s) if threaded else CommitNow(store, begun.last_seq)
        )
        return SqlJournal(commit, begun.recovered, begun.states, begun.last_seq, opened.pop_all().close)


def connect_writer(path: Path, busy_timeout_s: float) -> sa.Connection:
    """Open the writer's connection.

    Raises:
        StorageError: The database cannot be opened; the message says what to do.
    """
    try:
        return writer_engine(path, busy_timeout_s).connect()
    except sa.exc.SQLAlchemyError as error:
        raise diagnose(error, path, busy_timeout_s) from error
