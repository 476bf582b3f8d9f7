"""Connections to SQLite that commit for good and never deadlock."""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

JOURNAL_FILE = "journal.sqlite"
CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"
"""Moves what is in the write-ahead log into the file, as far as no reader is in the way."""
CHECKPOINT_PAGES = 20_000
"""Length of the log, 80 MB, at which SQLite does so by itself, within a commit that somebody waits for. Its default is
1000, a checkpoint every 20 orders. ``JournalStore.tidy`` is there earlier."""
WAL_BYTES_MAX = 64 * 1024 * 1024
"""Size to which the write-ahead log is cut after a checkpoint."""
BEGIN_TO_WRITE = "BEGIN IMMEDIATE"
WRITER_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}",
    f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}",
)


def writer_engine(path: Path, busy_timeout_s: float) -> sa.Engine:
    """Return the engine of the one writer: write-ahead log, every commit synced to disk, transactions IMMEDIATE.

    A deferred transaction that reads and then writes fails at once when another one wrote in between, whatever the
    busy timeout says; an IMMEDIATE one waits its turn.
    """
    return _engine(path, busy_timeout_s, "rwc", BEGIN_TO_WRITE, WRITER_PRAGMAS)


def reader_engine(path: Path, busy_timeout_s: float) -> sa.Engine:
    """Return an engine that cannot write: for looking on while a bot runs, or after.

    A reader of a write-ahead log shares memory with the writer through a file beside the database. Where it may not
    make that file, and no log shows that a bot runs, the database is read as one that nobody changes.
    """
    log = path.with_name(f"{path.name}-wal")
    immutable = not log.exists() and not os.access(path.parent, os.W_OK)
    return _engine(path, busy_timeout_s, "ro&immutable=1" if immutable else "ro", "BEGIN", ())


def _engine(path: Path, busy_timeout_s: float, mode: str, begin: str, pragmas: tuple[str, ...]) -> sa.Engine:
    engine = sa.create_engine(
        f"sqlite:///file:{quote(str(path))}?mode={mode}&uri=true",
        poolclass=sa.pool.NullPool,
        # One connection is used by one thread at a time, but not by the thread that opened it.
        connect_args={"timeout": busy_timeout_s, "check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(dbapi_connection: sqlite3.Connection, _: object) -> None:
        dbapi_connection.isolation_level = None  # or sqlite3 begins transactions by itself, deferred, and skips DDL
        for pragma in pragmas:
            dbapi_connection.execute(pragma)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
