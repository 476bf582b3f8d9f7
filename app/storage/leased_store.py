"""Writes batches of records for as long as the lease is ours, and keeps it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from app.ports.journal import JournalFailed, LeaseLost
from app.storage.diagnosis import diagnosed
from app.storage.errors import ConnectionLost, StorageError
from app.storage.lease import Lease
from app.storage.projections import Projections
from app.storage.store import Encoded, JournalStore

STOP_S = 5.0
"""How long stopping waits for the keeper; a server that hangs must not hang the stop."""


class LeasedStore(JournalStore):
    """A store whose every transaction proves that nobody else has taken the lease, and renews it.

    In between a thread renews it, on the same connection and in turn with the writer: so a connection that is lost is
    noticed while nothing is written, too. A lease that is lost once is lost for good, even if a renewal comes through
    later. A store that has failed keeps its lease if it can: its bot still cancels and reduces.
    """

    def __init__(
        self, connection: sa.Connection, lease: Lease, projections: Projections, busy_timeout_s: float
    ) -> None:
        super().__init__(connection, lease.place, projections, busy_timeout_s)
        self._lease = lease
        self._turn = threading.Lock()
        self._hindrance: StorageError | None = None
        self._stopping = threading.Event()
        # A daemon, or a server that hangs would keep the process from ending.
        self._keeper = threading.Thread(
            target=self._keep, args=(lease.place.renew_every_s,), name="lease-keeper", daemon=True
        )

    @property
    def failed(self) -> JournalFailed | None:
        """Why nothing can be written any more; None while it can.

        Looks at the clock: a store that has failed for another reason loses the lease too, once it has run out, and
        what might be done without a store must not be done then.
        """
        if self._lease.is_over and not self._stopping.is_set() and not isinstance(self._broken, LeaseLost):
            self._broken = LeaseLost(self._lease.why_over(self._broken or self._hindrance))
        return self._broken

    def write(self, batch: Sequence[Encoded]) -> None:
        """Commit a batch. On return it is on the server's disk, and the lease is ours.

        Raises:
            JournalFailed: It is not, and no later one will be; ``LeaseLost`` when another bot may write by now.
        """
        with self._in_turn():
            super().write(batch)
        self.check()

    def tidy(self) -> None:
        """Do nothing: a server tidies up by itself."""

    def start(self) -> None:
        """Begin to renew."""
        self._keeper.start()

    def stop(self) -> bool:
        """Give the lease back; whether that is done, and the connection free to be closed."""
        self._stopping.set()
        self._keeper.join(STOP_S)
        return not self._keeper.is_alive()

    def _transaction(self) -> AbstractContextManager[DBAPICursor]:
        return self._lease.renewed(super()._transaction())

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Wait for a renewal that is under way, but not for longer than the lease is good."""
        while not self._turn.acquire(timeout=self._lease.left_s):
            self.check()
        try:
            yield
        finally:
            self._turn.release()

    # -- the keeper's thread -------------------------------------------------------------------------------------

    def _keep(self, renew_every_s: float) -> None:
        while not self._stopping.wait(renew_every_s):
            with self._turn:
                self._renew()
        # Here, and not where the stop waits: a server that hangs would hang it.
        with self._turn:
            self._lease.give_back(self._connection)

    def _renew(self) -> None:
        try:
            with diagnosed(self._place, self._busy_timeout_s), self._transaction():
                pass
        except LeaseLost as lost:
            self._broken = lost
        except ConnectionLost as lost:
            self._broken = self._broken or JournalFailed(str(lost))
        except StorageError as hindrance:
            self._hindrance = hindrance  # a renewal may be tried again, until the clock says that it is too late
        else:
            self._hindrance = None
