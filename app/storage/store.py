"""Writes batches of records: all of a batch and its projections in one transaction, or nothing."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from app.domain.order import SCHEMA_VERSION
from app.domain.records import OrderDenied, OrderIntended, StateSaved
from app.ports.journal import JournalFailed, LeaseLost
from app.storage.diagnosis import diagnose
from app.storage.engine import CHECKPOINT
from app.storage.fold import Numbered
from app.storage.place import Place
from app.storage.projections import Projections
from app.storage.transaction import transaction

CHECKPOINT_COMMITS = 100
"""Commits between two checkpoints: some 1000 pages."""


class Encoded(msgspec.Struct, frozen=True):
    """A record with its place in the journal and its encoding."""

    numbered: Numbered
    payload: bytes


class JournalStore:
    """The writing side of one account's journal. Used by one thread at a time.

    After a failure it writes no more: what it holds in memory may be ahead of what is on disk.
    """

    def __init__(
        self, connection: sa.Connection, place: Place, projections: Projections, busy_timeout_s: float
    ) -> None:
        self._connection = connection
        self._place = place
        self._projections = projections
        self._busy_timeout_s = busy_timeout_s
        self._broken: JournalFailed | None = None
        self._commits = 0
        """Since the last checkpoint."""

    @property
    def failed(self) -> JournalFailed | None:
        """Why nothing can be written any more; None while it can. The first reason stays."""
        return self._broken

    @property
    def lease_lost(self) -> bool:
        """Whether another bot may write by now: even what is durable is not to be acted on any more."""
        return isinstance(self.failed, LeaseLost)

    def check(self) -> None:
        """Raise what has failed, if anything has.

        Raises:
            JournalFailed: Nothing can be written any more.
        """
        failed = self.failed
        if failed is not None:
            raise type(failed)(str(failed))  # a new one for each who asks: an exception remembers where it was raised

    def start(self) -> None:
        """Begin what goes on between the batches; nothing, for a file."""

    def stop(self) -> bool:
        """End it; whether the connection is free to be closed."""
        return True

    def write(self, batch: Sequence[Encoded]) -> None:
        """Commit a batch. On return it is on disk.

        Raises:
            JournalFailed: It is not, and no later one will be.
        """
        self.check()
        try:
            with self._transaction() as cursor:
                self._insert(cursor, batch)
        except BaseException as error:  # an interrupt too: the projections in memory are ahead from here on
            failed = self._broken = self._broken or self._meaning_of(error)
            if isinstance(error, Exception):
                raise type(failed)(str(failed)) from error
            raise
        self._commits += 1

    def tidy(self) -> None:
        """Do what no order shall wait for: a file's checkpoint takes as long as ten commits.

        To be called when nobody waits for a write.
        """
        if self._commits >= CHECKPOINT_COMMITS:
            self._commits = 0
            with suppress(Exception):  # the records are safe in the log, and the next one tries again
                self._connection.connection.cursor().execute(CHECKPOINT)

    def _meaning_of(self, error: BaseException) -> JournalFailed:
        if isinstance(error, JournalFailed):
            return error
        return JournalFailed(str(diagnose(error, self._place, self._busy_timeout_s)))

    def _transaction(self) -> AbstractContextManager[DBAPICursor]:
        return transaction(self._connection)

    def _insert(self, cursor: DBAPICursor, batch: Sequence[Encoded]) -> None:
        origins = self._projections.fold_in(cursor, [encoded.numbered for encoded in batch])
        account_id = self._projections.account_id
        cursor.executemany(
            self._projections.statements.insert_record,
            [
                {
                    "seq": encoded.numbered.seq,
                    "time_ns": encoded.numbered.record.time_ns,
                    "kind": type(encoded.numbered.record).__name__,
                    "account_id": account_id,
                    "strategy_id": strategy_id,
                    "instrument_version": instrument_version,
                    "schema_version": _schema_version(encoded.numbered),
                    "payload": encoded.payload.decode(),
                }
                for encoded, (strategy_id, instrument_version) in zip(batch, origins, strict=True)
                # A part's memory only replaces what it saved before: kept in full, it would be most of the journal.
                if not isinstance(encoded.numbered.record, StateSaved)
            ],
        )
        self._projections.write_changes(cursor)


def _schema_version(numbered: Numbered) -> int:
    record = numbered.record
    return record.order.schema_version if isinstance(record, OrderIntended | OrderDenied) else SCHEMA_VERSION
