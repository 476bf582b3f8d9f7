"""Finds the designed error behind an exception of psycopg, by its SQLSTATE where the server gave one.

The codes are those of https://www.postgresql.org/docs/15/errcodes-appendix.html.
"""

import re
from types import MappingProxyType

import psycopg

from app.storage.errors import (
    ConnectionLost,
    DatabaseMissing,
    JournalLocked,
    JournalUnreadable,
    JournalUnwritable,
    ServerRefused,
    ServerUnreachable,
    StorageError,
)
from app.storage.place import ServerPlace

BUSY = frozenset({"55P03", "57014", "40P01", "40001"})
"""A lock was not to be had in time, the statement was canceled, a deadlock, a conflict."""
CORRUPT = frozenset({"XX001", "XX002"})
LOST = frozenset({"08", "57P01", "57P02", "57P03", "57P05", "25P03"})
"""The connection broke, the server shuts down or has crashed, a session was ended because it idled."""
UNWRITABLE = MappingProxyType(
    {
        "53100": "the server's disk is full",
        "53200": "the server is out of memory",
        "53": "the server is out of resources",
        "58": "the server's disk reported an error",
        "25006": "the server takes no writes, it is a standby or read-only",
        "42501": "permission denied",
    }
)
"""By code, or by its class, which is its first two characters."""
NO_DATABASE = re.compile(r'database ".*" does not exist')
NOT_YET = re.compile(r"the database system is (starting up|shutting down|in recovery mode|not yet accepting)")


def diagnose_connecting(error: psycopg.Error, place: ServerPlace) -> StorageError:
    """Return the designed error for a connection that did not come about.

    libpq passes on no SQLSTATE then, so that its text must do. A server that speaks another language than English is
    told from one that is not there by the password it asked for; what it says is part of the sentence anyhow.
    """
    text = str(error).partition("\n")[0]
    _, is_answer, answer = text.partition("FATAL:")
    why = answer.strip() or text
    asked = error.pgconn is not None and (error.pgconn.used_password or error.pgconn.needs_password)
    if NO_DATABASE.search(why):
        return DatabaseMissing(place, why)
    if (is_answer or asked) and not NOT_YET.search(why):
        return ServerRefused(place, why)
    return ServerUnreachable(place, why)


def diagnose_server(cause: BaseException, place: ServerPlace, busy_timeout_s: float) -> StorageError:
    """Return the designed error that says what ``cause`` means for an open journal."""
    while isinstance(cause.__context__, psycopg.Error):
        cause = cause.__context__  # where a rollback failed too, what comes first says why
    code = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    text = str(cause).partition("\n")[0]
    if code is None:
        # An error of the driver itself: the connection broke, and the server could not say why.
        if isinstance(cause, psycopg.OperationalError):
            return ConnectionLost(place, text)
        return JournalUnwritable(place, f"{type(cause).__name__}: {text}")
    if code in LOST or code[:2] in LOST:
        return ConnectionLost(place, text)
    if code in BUSY:
        return JournalLocked(place, busy_timeout_s)
    if code in CORRUPT:
        return JournalUnreadable(place, text)
    known = UNWRITABLE.get(code) or UNWRITABLE.get(code[:2])
    return JournalUnwritable(place, f"{known}: {text}" if known else f"{type(cause).__name__}: {text}")
