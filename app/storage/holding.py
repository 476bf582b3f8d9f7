"""The right to write a journal, taken before anything is read: a lock on the folder, or a lease on the server."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from threading import Event

import msgspec
import sqlalchemy as sa
from loguru import logger
from sqlalchemy.engine.interfaces import DBAPICursor

from app.storage.diagnosis import diagnosed
from app.storage.engine import CHECKPOINT, JOURNAL_FILE, writer_engine
from app.storage.errors import JournalInUse, JournalUnreadable
from app.storage.folder_lock import StateFolderLock
from app.storage.lease import Lease
from app.storage.place import Place, ServerPlace
from app.storage.schema import bring_to_head, check_whole, migrate_if_due
from app.storage.server import connect_server
from app.storage.transaction import core_transaction

POLL_S = 0.2
"""Between looks at a lease that somebody else holds."""
FIND_SCHEMA = "SELECT 1 FROM pg_namespace WHERE nspname = %(schema)s"


class Held(msgspec.Struct, frozen=True):
    """The writer's connection, to a database that is at head."""

    place: Place
    """The server's, or the file's."""
    connection: sa.Connection
    lease: Lease | None
    """None for a file: the kernel keeps its lock for as long as this process lives."""

    def transaction(self) -> AbstractContextManager[DBAPICursor]:
        """Give a transaction of the connection that no later holder has to fear.

        Raises:
            LeaseLost: Somebody else writes by now.
        """
        transaction = core_transaction(self.connection)
        return transaction if self.lease is None else self.lease.renewed(transaction)


def hold(
    place: Place, account_id: str, busy_timeout_s: float, profile: str = "", given_up: Event | None = None
) -> AbstractContextManager[Held]:
    """Hold the right to write the journal at ``place``, which is created or migrated if need be.

    Args:
        place: The state folder, or a server's.
        account_id: Whose records they are.
        busy_timeout_s: How long to wait for another program that has the database locked.
        profile: For the lock file or the lease.
        given_up: Set by another thread to end the wait for a lease that somebody else holds.

    Raises:
        StorageError: It cannot be had, or what was done with it failed; the message says what to do.
    """
    if isinstance(place, ServerPlace):
        return _hold_server(place, account_id, busy_timeout_s, profile, given_up or Event())
    return _hold_folder(place, busy_timeout_s, profile)


@contextmanager
def _hold_folder(folder: Path, busy_timeout_s: float, profile: str) -> Iterator[Held]:
    path = folder / JOURNAL_FILE
    with (
        StateFolderLock(folder, profile),
        diagnosed(path, busy_timeout_s),
        _undamaged(path) as has_log,
        writer_engine(path, busy_timeout_s).connect() as connection,
    ):
        if not has_log:
            check_whole(connection, path)
        bring_to_head(connection, path)
        # The tables are in the file itself from here on: see ``check_whole``.
        connection.connection.cursor().execute(CHECKPOINT)
        yield Held(path, connection, None)


@contextmanager
def _undamaged(path: Path) -> Iterator[bool]:
    """Refuse a file that was emptied: SQLite would take it for a new one, and with it the kill switch would be lost.

    Gives whether there is a log beside the file.
    """
    later = path.with_name(f"{path.name}-wal")
    if path.is_file() and not path.stat().st_size and later.is_file() and later.stat().st_size:
        raise JournalUnreadable(path, "it is empty, but what was written after it is not")
    yield later.is_file()


@contextmanager
def _hold_server(
    place: ServerPlace, account_id: str, busy_timeout_s: float, profile: str, given_up: Event
) -> Iterator[Held]:
    with diagnosed(place, busy_timeout_s), connect_server(place, busy_timeout_s) as connection:
        lease = Lease(place, account_id, profile)
        _wait_for(lease, connection, given_up)
        try:
            yield Held(place, connection, lease)
        finally:
            lease.give_back(connection)


def _wait_for(lease: Lease, connection: sa.Connection, given_up: Event) -> None:
    place = lease.place
    give_up_s = time.monotonic() + place.wait_s
    prepare = partial(_prepare, connection, place)
    holder = lease.take(connection, prepare)
    if holder is not None:
        logger.info(f"the journal {place} is in use by {holder}: waiting up to {place.wait_s:g} s for its lease")
    while holder is not None:
        if given_up.wait(POLL_S) or time.monotonic() >= give_up_s:
            raise JournalInUse(place, holder, place.wait_s)
        holder = lease.take(connection, prepare)


def _prepare(connection: sa.Connection, place: ServerPlace) -> None:
    """Make the schema if it is missing, and migrate it if that is due, in the connection's transaction."""
    if connection.exec_driver_sql(FIND_SCHEMA, {"schema": place.schema}).first() is None:
        connection.execute(sa.schema.CreateSchema(place.schema))
    migrate_if_due(connection, place)
