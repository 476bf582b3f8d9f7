"""The ways into a journal. Each imports SQLAlchemy (0.13 s) only when it is gone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.storage.place import Place
from app.storage.summary import RECENT_ROWS, Summary

if TYPE_CHECKING:
    from threading import Event

    from app.storage.sql_journal import SqlJournal

READ_TIMEOUT_S = 1.0


def open_journal(
    place: Place,
    account_id: str,
    *,
    threaded: bool,
    busy_timeout_s: float,
    profile: str = "",
    new_instance: str = "",
    given_up: "Event | None" = None,
) -> "SqlJournal":
    """Become the one writer of a journal, which is created or migrated if need be. Counts as a start.

    Args:
        place: The state folder, created when it is missing and locked; or a server's, where a lease is taken, for which
            there is some waiting.
        account_id: Whose records they are.
        threaded: Commit on a thread of its own (live trading) instead of the caller's (simulation).
        busy_timeout_s: How long to wait for another program that has the database locked.
        profile: For the lock file or the lease, so that a second bot can say who is in its way.
        new_instance: What client order ids are to call the journal if it has no such name yet: six hexadecimal digits;
            or nothing, where nobody else can have made ids.
        given_up: Set by another thread to end the wait for a lease that somebody else holds.

    Raises:
        StorageError: It cannot be opened; the message says what to do.
    """
    from app.storage.open_sql import open_sql_journal  # noqa: PLC0415 - see the first line of this file

    return open_sql_journal(
        place,
        account_id,
        threaded=threaded,
        busy_timeout_s=busy_timeout_s,
        profile=profile,
        is_start=True,
        new_instance=new_instance,
        given_up=given_up,
    )


@contextmanager
def open_stopped(place: Place, account_id: str, *, busy_timeout_s: float, profile: str = "") -> Iterator["SqlJournal"]:
    """Hold the place of a bot that does not run and open its journal, within the block. Counts as no start.

    Args:
        place: The state folder, which is created when it is missing, or the server.
        account_id: Whose records they are.
        busy_timeout_s: How long to wait for another program that has the database locked.
        profile: So that a bot that is started meanwhile can say who is in its way.

    Raises:
        StateFolderInUse: A bot runs.
        StorageError: It cannot be opened; the message says what to do.
    """
    from app.storage.open_sql import open_sql_journal  # noqa: PLC0415 - see the first line of this file

    journal = open_sql_journal(
        place, account_id, threaded=False, busy_timeout_s=busy_timeout_s, profile=profile, is_start=False
    )
    try:
        yield journal
    finally:
        journal.close()


def rebuild_projections(
    place: Place, *, busy_timeout_s: float, profile: str = "", on_part: Callable[[float], None] = lambda _: None
) -> int:
    """Make all projections again from the journal; no bot may run meanwhile. Returns the number of records read.

    Args:
        place: The state folder, or a server's.
        busy_timeout_s: How long to wait for another program that has the database locked.
        profile: So that a bot that is started meanwhile can say who is in its way.
        on_part: Called from time to time with the part that is done, of 1.

    Raises:
        StorageError: It cannot be done, and nothing was changed; the message says what to do.
    """
    from app.storage.rebuilding import rebuild_sql_projections  # noqa: PLC0415 - see the first line of this file

    return rebuild_sql_projections(place, busy_timeout_s, profile, on_part)


def read_summary(place: Place, account_id: str | None = None, *, recent: int = RECENT_ROWS) -> Summary:
    """Return what the journal says now, while a bot runs or after. Never writes, never migrates, locks nothing.

    Args:
        place: The state folder, or a server's.
        account_id: Whose; None is the account of the last record.
        recent: How many of the latest orders and fills, and days.

    Raises:
        StorageError: There is nothing to read; the message says what to do.
    """
    from app.storage.read_side import read_sql_summary  # noqa: PLC0415 - see the first line of this file

    return read_sql_summary(place, account_id, recent, READ_TIMEOUT_S)
