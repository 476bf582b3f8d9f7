"""Throws the projections away and makes them again from the journal; saved memories are no projection, and stay."""

from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from app.domain.records import Record
from app.storage import tables
from app.storage.errors import JournalUnreadable
from app.storage.fold import Numbered
from app.storage.holding import hold
from app.storage.place import Place
from app.storage.projections import Projections
from app.storage.read_side import check_exists
from app.storage.recovery import last_seq
from app.storage.statements import statements_of

CHUNK_RECORDS = 1_000
"""Records in memory at a time."""
DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def rebuild_sql_projections(place: Place, busy_timeout_s: float, profile: str, on_part: Callable[[float], None]) -> int:
    """Rebuild the projections of all accounts, in one transaction; return the number of records read."""
    check_exists(place, busy_timeout_s)
    with hold(place, "", busy_timeout_s, profile) as held, held.transaction() as cursor:
        return _rebuild(held.connection, cursor, held.place, on_part)


def _rebuild(connection: sa.Connection, cursor: DBAPICursor, place: Place, on_part: Callable[[float], None]) -> int:
    for table in tables.PROJECTIONS:
        connection.execute(sa.delete(table))
    accounts: dict[str, Projections] = {}
    statements = statements_of(connection)
    last, count, after = last_seq(connection), 0, 0
    while rows := _chunk(connection, after):
        after = rows[-1].seq
        count += len(rows)
        by_account: dict[str, list[Numbered]] = {}
        for row in rows:
            by_account.setdefault(row.account_id, []).append(Numbered(row.seq, _decoded(row, place)))
        for account_id, records in by_account.items():
            projections = accounts.setdefault(account_id, Projections(account_id, statements))
            projections.fold_in(cursor, records)
            projections.write_changes(cursor)
        on_part(after / last)
    return count


def _decoded(row: sa.Row[Any], place: Place) -> Record:
    try:
        return DECODER.decode(row.payload)
    except msgspec.DecodeError as error:
        raise JournalUnreadable(place, f"record {row.seq}: {error}") from error


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
