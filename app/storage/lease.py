"""The right to write a journal on a server: one row, good for some seconds, with an epoch that fences its holders."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from app.ports.journal import LeaseLost
from app.storage.holder import Holder
from app.storage.place import ServerPlace
from app.storage.transaction import core_transaction, transaction

MARGIN_RATIO = 0.2
"""Part of its validity that a holder leaves unused: for a commit that is slow, and for clocks that run unlike."""
TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(%(schema)s, 0))"
"""One who opens a schema at a time, from before it exists."""
FIND_TABLE = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'lease'"
# Times are the server's, and those of the statement: a transaction's own time stands still while it migrates.
READ = """
    SELECT host, pid, profile, since, COALESCE(expires_at > clock_timestamp(), false) FROM lease WHERE name = 'writer'
"""
READ_AND_LOCK = f"{READ} FOR UPDATE SKIP LOCKED"
# The first epoch is no 1: were the row deleted, or the schema made anew, beneath a bot that runs, it would be the same.
TAKE = """
    INSERT INTO lease (name, epoch, account_id, host, pid, profile, since, expires_at)
    VALUES ('writer', (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint, %(account_id)s,
            %(host)s, %(pid)s, %(profile)s, clock_timestamp(), clock_timestamp() + %(validity)s)
    ON CONFLICT (name) DO UPDATE SET
        epoch = lease.epoch + 1, account_id = excluded.account_id, host = excluded.host, pid = excluded.pid,
        profile = excluded.profile, since = excluded.since, expires_at = excluded.expires_at
    RETURNING epoch
"""
RENEW = "UPDATE lease SET expires_at = clock_timestamp() + %(validity)s WHERE name = 'writer' AND epoch = %(epoch)s"
GIVE_BACK = "UPDATE lease SET expires_at = NULL WHERE name = 'writer' AND epoch = %(epoch)s"

# The time of a machine that slept counts too, where the system has such a clock.
now_s = partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic


class Lease:
    """A lease, from the holder's side. Used by one thread at a time, but for ``is_over`` and ``left_s``.

    In the database it is good until ``expires_at``, by the server's clock. The holder takes itself for out earlier: by
    its own clock, counted from before the renewal was sent, and with a margin.
    """

    def __init__(self, place: ServerPlace, account_id: str, profile: str) -> None:
        self.place = place
        self._account_id = account_id
        self._profile = profile
        self._good_s = place.lease_s * (1 - MARGIN_RATIO)
        self._epoch = 0
        self._over_s = 0.0

    @property
    def is_over(self) -> bool:
        """Whether somebody else may write by now."""
        return self.left_s == 0

    @property
    def left_s(self) -> float:
        """How long it is good yet; 0 when it is over."""
        return max(0.0, self._over_s - now_s())

    def take(self, connection: sa.Connection, prepare: Callable[[], None]) -> Holder | None:
        """Become the holder, unless somebody is, who is returned.

        ``prepare`` is called in the same transaction, and only for who becomes the holder: never beneath a bot that
        runs.
        """
        with core_transaction(connection) as cursor:
            cursor.execute(TAKE_TURN, {"schema": self.place.schema})
            holder = read_holder(cursor, lock=True)
            if holder is not None:
                return holder
            prepare()
            asked_s = now_s()
            cursor.execute(
                TAKE,
                {
                    "account_id": self._account_id,
                    "host": socket.gethostname(),
                    "pid": os.getpid(),
                    "profile": self._profile,
                    "validity": timedelta(seconds=self.place.lease_s),
                },
            )
            (self._epoch,) = cursor.fetchone() or (0,)
        self._over_s = asked_s + self._good_s
        return None

    @contextmanager
    def renewed(self, transaction: AbstractContextManager[DBAPICursor]) -> Iterator[DBAPICursor]:
        """Run a transaction that no holder after this one has to fear; renews the lease with it.

        The row stays locked until the transaction ends: nobody takes the lease over in between. The renewal counts from
        when it was sent, once it is committed.

        Raises:
            LeaseLost: Somebody else has taken it.
        """
        with transaction as cursor:
            asked_s = now_s()
            cursor.execute(RENEW, {"validity": timedelta(seconds=self.place.lease_s), "epoch": self._epoch})
            if cursor.rowcount != 1:
                raise LeaseLost(self._taken(read_holder(cursor)))
            yield cursor
        self._over_s = asked_s + self._good_s

    def give_back(self, connection: sa.Connection) -> None:
        """Let the next one in at once, if it is still ours; never raises."""
        if self._epoch and not self.is_over:
            self._over_s = 0.0
            with suppress(Exception), transaction(connection) as cursor:  # if not, the lease runs out by itself
                cursor.execute(GIVE_BACK, {"epoch": self._epoch})

    def why_over(self, cause: Exception | None) -> str:
        """Return the sentence for a lease that was not renewed in time, because of ``cause`` or for no known reason."""
        because = "" if cause is None else f" (before that, {cause})"
        return (
            f"the lease of the journal {self.place} ran out: it could not be renewed for {self._good_s:g} s, and "
            f"another bot may write by now{because}; see to the server and the load of this machine, then restart"
        )

    def _taken(self, holder: Holder | None) -> str:
        return (
            f"the lease of the journal {self.place} was lost to {holder or 'another bot'}: this one writes no more; "
            "see that only one of them is started"
        )


def read_holder(cursor: DBAPICursor, *, lock: bool = False) -> Holder | None:
    """Return who holds the lease; None when nobody does.

    Args:
        cursor: Of the place's connection.
        lock: Keep others from taking the lease until the transaction ends. One who is in a transaction of its own just
            now counts as the holder: there is no waiting.
    """
    if _row(cursor, FIND_TABLE) is None:
        return None
    row = _row(cursor, READ_AND_LOCK) if lock else None
    is_busy = lock and row is None
    row = row or _row(cursor, READ)
    if row is None:
        return None
    host, pid, profile, since, is_good = row
    return Holder(pid, since.astimezone(UTC), profile, host) if is_good or is_busy else None


def _row(cursor: DBAPICursor, query: str) -> tuple[Any, ...] | None:
    cursor.execute(query)
    found: tuple[Any, ...] | None = cursor.fetchone()
    return found
