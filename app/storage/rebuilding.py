"""Throws the projections away and makes them again from the journal; saved memories are no projection, and stay."""

from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from app.domain.records import Record
from app.storage import tables
from app.storage.diagnosis import diagnose
from app.storage.engine import JOURNAL_FILE
from app.storage.errors import JournalMissing
from app.storage.fold import Numbered
from app.storage.folder_lock import StateFolderLock
from app.storage.open_sql import connect_writer
from app.storage.projections import Projections
from app.storage.schema import bring_to_head

CHUNK_RECORDS = 1_000
"""Records in memory at a time."""
DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def rebuild_sql_projections(folder: Path, busy_timeout_s: float) -> int:
    """Rebuild the projections of all accounts, in one transaction; return the number of records read."""
    path = folder / JOURNAL_FILE
    if not path.is_file():
        raise JournalMissing(path)
    lock = StateFolderLock(folder)
    lock.acquire()
    try:
        with connect_writer(path, busy_timeout_s) as connection:
            bring_to_head(connection, path)
            with connection.begin():
                return _rebuild(connection)
    except Exception as error:
        raise diagnose(error, path, busy_timeout_s) from error
    finally:
        lock.release()


def _rebuild(connection: sa.Connection) -> int:
    for table in tables.PROJECTIONS:
        connection.execute(sa.delete(table))
    accounts: dict[str, Projections] = {}
    count = after = 0
    while rows := _chunk(connection, after):
        after = rows[-1].seq
        count += len(rows)
        by_account: dict[str, list[Numbered]] = {}
        for row in rows:
            by_account.setdefault(row.account_id, []).append(Numbered(row.seq, DECODER.decode(row.payload)))
        for account_id, records in by_account.items():
            projections = accounts.setdefault(account_id, Projections(account_id))
            projections.fold_in(connection, records)
            projections.write_changes(connection)
    return count


def _chunk(connection: sa.Connection, after: int) -> list[sa.Row[Any]]:
    journal = tables.journal.c
    return list(
        connection.execute(
            sa.select(journal.seq, journal.account_id, journal.payload)
            .where(journal.seq > after)
            .order_by(journal.seq)
            .limit(CHUNK_RECORDS)
        )
    )
