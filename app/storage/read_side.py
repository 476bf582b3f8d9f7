"""Reads a journal without touching it: for ``status``, beside a running bot or after."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from app.domain.ledger import Account
from app.storage import rows, tables
from app.storage.diagnosis import diagnosed
from app.storage.engine import JOURNAL_FILE, reader_engine
from app.storage.errors import JournalMissing
from app.storage.lease import read_holder
from app.storage.place import Place, ServerPlace
from app.storage.projections import WORKING
from app.storage.recovery import last_seq, last_time_ns, read_epoch
from app.storage.schema import check_at_head, table_names
from app.storage.server import connect_server
from app.storage.summary import Summary


def read_sql_summary(place: Place, account_id: str | None, recent: int, timeout_s: float) -> Summary:
    """Return the summary of the journal at ``place``, all of it from one moment."""
    with _reading(place, timeout_s) as connection:
        check_at_head(connection, place)
        return _summary(connection, account_id or _last_account(connection), recent)


def check_exists(place: Place, timeout_s: float) -> None:
    """Refuse a place that no bot has written to.

    Raises:
        JournalMissing: There is nothing.
    """
    with _reading(place, timeout_s):
        pass


@contextmanager
def _reading(place: Place, timeout_s: float) -> Iterator[sa.Connection]:
    """Connect to what is there, in a transaction."""
    if isinstance(place, ServerPlace):
        with (
            diagnosed(place, timeout_s),
            connect_server(place, timeout_s, read_only=True) as connection,
            connection.begin(),
        ):
            if not table_names(connection):
                raise JournalMissing(place)
            yield connection
        return
    path = place / JOURNAL_FILE
    if not path.is_file():
        raise JournalMissing(path)
    with diagnosed(path, timeout_s), reader_engine(path, timeout_s).connect() as connection, connection.begin():
        yield connection


def _last_account(connection: sa.Connection) -> str:
    """Return whose record came last; before there is any, who was started."""
    journal, meta = tables.journal.c, tables.meta.c
    found = connection.execute(sa.select(journal.account_id).order_by(journal.seq.desc()).limit(1)).scalar()
    return found or connection.execute(sa.select(meta.account_id).order_by(meta.account_id).limit(1)).scalar() or ""


def _summary(connection: sa.Connection, account_id: str, recent: int) -> Summary:
    def of_account(table: sa.Table) -> sa.Select[Any]:
        return sa.select(table).where(table.c.account_id == account_id)

    orders, days = tables.orders.c, tables.days.c
    # Not sorted by the database: a server sorts text by its locale.
    held = sorted(connection.execute(of_account(tables.positions)), key=lambda row: row.symbol)
    working = of_account(tables.orders).where(orders.status.in_(WORKING)).order_by(orders.seq)
    reasons = of_account(tables.reasons).order_by(tables.reasons.c.seq)
    return Summary(
        account_id=account_id,
        epoch=read_epoch(connection, account_id),
        writer=read_holder(connection.connection.cursor()) if connection.dialect.name == "postgresql" else None,
        records=last_seq(connection),
        last_time_ns=last_time_ns(connection, account_id),
        positions=tuple(position for row in held if not (position := rows.position_of(row).position).is_flat),
        working_orders=tuple(rows.order_of(row).known for row in connection.execute(working)),
        ledger_totals=_totals(connection.execute(of_account(tables.ledger_totals))),
        reasons=tuple(map(rows.reason_of, connection.execute(reasons))),
        recent_orders=tuple(
            rows.order_of(row).known for row in connection.execute(rows.latest(tables.orders, account_id, recent))
        ),
        recent_fills=tuple(map(rows.fill_of, connection.execute(rows.latest(tables.fills, account_id, recent)))),
        days=tuple(
            map(rows.day_of, connection.execute(of_account(tables.days).order_by(days.day.desc()).limit(recent)))
        ),
    )


def _totals(found: Iterable[sa.Row[Any]]) -> dict[str, dict[Account, Decimal]]:
    totals: dict[str, dict[Account, Decimal]] = {}
    for row in found:
        totals.setdefault(row.currency, {})[Account(row.ledger_account)] = row.total
    return totals
