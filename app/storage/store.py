"""Writes batches of records: all of a batch and its projections in one transaction, or nothing."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import sqlalchemy as sa

from app.domain.order import SCHEMA_VERSION
from app.domain.records import OrderDenied, OrderIntended, StateSaved
from app.ports.journal import JournalFailed
from app.storage.diagnosis import diagnose
from app.storage.fold import Numbered
from app.storage.projections import Projections
from app.storage.statements import INSERT_RECORD


class Encoded(msgspec.Struct, frozen=True):
    """A record with its place in the journal and its encoding."""

    numbered: Numbered
    payload: bytes


class JournalStore:
    """The writing side of one account's journal. Used by one thread at a time.

    After a failure it writes no more: what it holds in memory may be ahead of what is on disk.
    """

    def __init__(self, connection: sa.Connection, path: Path, projections: Projections, busy_timeout_s: float) -> None:
        self._connection = connection
        self._path = path
        self._projections = projections
        self._busy_timeout_s = busy_timeout_s
        self.failure: str | None = None
        """Why nothing can be written any more; None while it can."""

    def write(self, batch: Sequence[Encoded]) -> None:
        """Commit a batch. On return it is on disk.

        Raises:
            JournalFailed: It is not, and no later one will be.
        """
        if self.failure is not None:
            raise JournalFailed(self.failure)
        try:
            with self._connection.begin():
                self._insert(batch)
        except BaseException as error:  # an interrupt too: the projections in memory are ahead from here on
            self.failure = str(diagnose(error, self._path, self._busy_timeout_s))
            if isinstance(error, Exception):
                raise JournalFailed(self.failure) from error
            raise

    def _insert(self, batch: Sequence[Encoded]) -> None:
        origins = self._projections.fold_in(self._connection, [encoded.numbered for encoded in batch])
        account_id = self._projections.account_id
        self._connection.connection.cursor().executemany(
            INSERT_RECORD,
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
        self._projections.write_changes(self._connection)


def _schema_version(numbered: Numbered) -> int:
    record = numbered.record
    return record.order.schema_version if isinstance(record, OrderIntended | OrderDenied) else SCHEMA_VERSION
