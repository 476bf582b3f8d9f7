"""Finds the designed error behind an exception of the database."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from app.ports.journal import JournalFailed
from app.storage.errors import JournalLocked, JournalUnreadable, JournalUnwritable, StorageError
from app.storage.place import Place

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
UNWRITABLE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_IOERR: "the disk reported an input/output error",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PERM: "permission denied",
}
PRIMARY_CODE_MASK = 0xFF
"""SQLite's extended codes carry the primary one in the low byte (https://www.sqlite.org/rescode.html)."""


@contextmanager
def diagnosed(place: Place, busy_timeout_s: float) -> Iterator[None]:
    """Turn what the database raises into the designed error.

    Raises:
        StorageError: Something failed; the message says what to do.
        JournalFailed: As it was raised.
    """
    try:
        yield
    except (StorageError, JournalFailed):
        raise
    except Exception as error:
        raise diagnose(error, place, busy_timeout_s) from error


def diagnose(error: BaseException, place: Place, busy_timeout_s: float) -> StorageError:
    """Return the designed error that says what ``error`` means for the journal at ``place``."""
    if isinstance(error, StorageError):
        return error
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if not isinstance(place, Path):
        from app.storage.server_diagnosis import diagnose_server  # noqa: PLC0415 - it needs an optional dependency

        return diagnose_server(cause, place, busy_timeout_s)
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK) & PRIMARY_CODE_MASK
    if code in BUSY:
        return JournalLocked(place, busy_timeout_s)
    if code in CORRUPT:
        return JournalUnreadable(place, str(cause))
    return JournalUnwritable(place, UNWRITABLE.get(code) or f"{type(cause).__name__}: {cause}")
