"""Finds the designed error behind an exception of the database."""

import sqlite3
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from app.storage.errors import JournalLocked, JournalUnreadable, JournalUnwritable, StorageError

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


def diagnose(error: BaseException, path: Path, busy_timeout_s: float) -> StorageError:
    """Return the designed error that says what ``error`` means for the journal at ``path``."""
    if isinstance(error, StorageError):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK) & PRIMARY_CODE_MASK
    if code in BUSY:
        return JournalLocked(path, busy_timeout_s)
    if code in CORRUPT:
        return JournalUnreadable(path, str(cause))
    return JournalUnwritable(path, UNWRITABLE.get(code) or f"{type(cause).__name__}: {cause}")
