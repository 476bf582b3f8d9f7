"""One session on a PostgreSQL server."""

from math import ceil
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.string import StrDumper

from app.storage.errors import ServerRefused
from app.storage.place import ServerPlace
from app.storage.server_diagnosis import diagnose_connecting

NUL_SHOWN_AS = "\N{REPLACEMENT CHARACTER}"
"""PostgreSQL has no text with a zero byte. What an exchange says may have one, and must not end the journal."""
SETTINGS = """
    SELECT set_config('search_path', quote_ident(%(schema)s), false),
           set_config('lock_timeout', %(lock)s, false),
           -- A holder that freezes within a transaction keeps the lease's row locked: the server lets go of it then.
           set_config('idle_in_transaction_session_timeout', %(lease)s, false),
           set_config('synchronous_commit',
                      CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                      ELSE current_setting('synchronous_commit') END, false)
"""


class TextDumper(StrDumper):
    """Sends text without zero bytes."""

    def dump(self, obj: str) -> Any:  # noqa: ANN401 - a buffer, of a type that psycopg keeps to itself
        """Return the bytes that are sent."""
        return super().dump(obj.replace("\0", NUL_SHOWN_AS) if "\0" in obj else obj)


def connect(place: ServerPlace, busy_timeout_s: float, *, read_only: bool) -> psycopg.Connection[Any]:
    """Return a connection in the place's schema: commits are flushed to the server's disk, no wait is for ever.

    Args:
        place: Where.
        busy_timeout_s: For reaching the server (at least 2 s), and for a lock.
        read_only: Refuse to write, and see one moment in each transaction.

    Raises:
        StorageError: The server cannot be reached, or refuses; the message says what to do.
    """
    defaults: dict[str, Any] = {
        "application_name": "perps-bot",
        "connect_timeout": max(2, ceil(busy_timeout_s)),
        # What was sent and is not confirmed within this time, is lost: a cut cable is noticed before the lease is over.
        "tcp_user_timeout": ceil(place.lease_s * 1000),
        "client_encoding": "UTF8",
    }
    given = _read(place)
    try:
        connection: psycopg.Connection[Any] = psycopg.connect(make_conninfo(**(defaults | given)), autocommit=True)
    except psycopg.Error as error:
        raise diagnose_connecting(error, place) from error
    connection.adapters.register_dumper(str, TextDumper)
    timeouts = {"lock": f"{ceil(busy_timeout_s * 1000)}ms", "lease": f"{ceil(place.lease_s * 1000)}ms"}
    connection.execute(SETTINGS, {"schema": place.schema, **timeouts})
    connection.autocommit = False
    connection.read_only = read_only or None  # None leaves it to the server, which may have its reasons
    # Not left to the server: the fence must see who has taken the lease while it waited for the row.
    level = psycopg.IsolationLevel
    connection.isolation_level = level.REPEATABLE_READ if read_only else level.READ_COMMITTED
    return connection


def _read(place: ServerPlace) -> dict[str, Any]:
    try:
        return conninfo_to_dict(place.url.get_secret_value())
    except psycopg.Error:
        # Its message quotes what it could not read, which may be the password.
        raise ServerRefused(place, "libpq cannot read the URL: see its parameters after the ?") from None
