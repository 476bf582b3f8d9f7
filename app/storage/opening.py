"""The ways into a state folder. Each imports SQLAlchemy (0.13 s) only when it is gone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.storage.summary import RECENT_ROWS, Summary

if TYPE_CHECKING:
    from app.storage.sql_journal import SqlJournal

READ_TIMEOUT_S = 1.0


def open_journal(
    folder: Path, account_id: str, *, threaded: bool, busy_timeout_s: float, profile: str = ""
) -> "SqlJournal":
    """Lock the state folder and open its journal, which is created or migrated if need be. Counts as a start.

    Args:
        folder: The state folder; created when it is missing.
        account_id: Whose records they are.
        threaded: Commit on a thread of its own (live trading) instead of the caller's (simulation).
        busy_timeout_s: How long to wait for another program that has the database locked.
        profile: For the lock file, so that a second bot can say who is in its way.

    Raises:
        StorageError: It cannot be opened; the message says what to do.
    """
    from app.storage.open_sql import open_sql_journal  # noqa: PLC0415 - see the first line of this file

    return open_sql_journal(
        folder, account_id, threaded=threaded, busy_timeout_s=busy_timeout_s, profile=profile, is_start=True
    )


@contextmanager
def open_stopped(folder: Path, account_id: str, *, busy_timeout_s: float, profile: str = "") -> Iterator["SqlJournal"]:
    """Lock the state folder of a bot that does not run and open its journal, within the block. Counts as no start.

    Args:
        folder: The state folder; created when it is missing.
        account_id: Whose records they are.
        busy_timeout_s: How long to wait for another program that has the database locked.
        profile: For the lock file.

    Raises:
        StateFolderInUse: A bot runs.
        StorageError: It cannot be opened; the message says what to do.
    """
    from app.storage.open_sql import open_sql_journal  # noqa: PLC0415 - see the first line of this file

    journal = open_sql_journal(
        folder, account_id, threaded=False, busy_timeout_s=busy_timeout_s, profile=profile, is_start=False
    )
    try:
        yield journal
    finally:
        journal.close()


def rebuild_projections(folder: Path, *, busy_timeout_s: float) -> int:
    """Make all projections again from the journal; no bot may run meanwhile. Returns the number of records read.

    Raises:
        StorageError: It cannot be done; the message says what to do.
    """
    from app.storage.rebuilding import rebuild_sql_projections  # noqa: PLC0415 - see the first line of this file

    return rebuild_sql_projections(folder, busy_timeout_s)


def read_summary(folder: Path, account_id: str | None = None, *, recent: int = RECENT_ROWS) -> Summary:
    """Return what the journal says now, while a bot runs or after. Never writes, never migrates, takes no lock.

    Args:
        folder: The state folder.
        account_id: Whose; None is the account of the last record.
        recent: How many of the latest orders and fills, and days.

    Raises:
        StorageError: There is nothing to read; the message says what to do.
    """
    from app.storage.read_side import read_sql_summary  # noqa: PLC0415 - see the first line of this file

    return read_sql_summary(folder, account_id, recent, READ_TIMEOUT_S)
