"""The statements of the write path: built with SQLAlchemy, compiled to text once, run on the driver's cursor.

An order takes a dozen of them, and SQLAlchemy's own execution costs 0.1 ms each, as much as half a commit; the cursor
costs 0.01 ms. So parameters here are what the driver takes: text, integers, bytes, None.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from app.storage import tables
from app.storage.rows import ORDER_READ

PROGRESS = ("status", "filled", "venue_order_id", "reason", "updated_ns")


class Statements(msgspec.Struct, frozen=True, kw_only=True):
    """Their texts, for one kind of database."""

    insert_record: str
    put_meta: str
    insert_order: str
    move_order: str
    insert_fill: str
    insert_funding: str
    insert_entry: str
    put_position: str
    put_total: str
    put_reason: str
    drop_reason: str
    put_state: str
    put_day: str
    find_order: str
    find_trade: str
    find_settlement: str


class _Compiler:
    """Compiles for a dialect, which has an INSERT of its own for what the standard does not know."""

    def __init__(self, dialect: sa.Dialect, insert: Callable[[sa.Table], Any]) -> None:
        self._dialect = dialect
        self._insert = insert

    def text(self, statement: sa.ClauseElement) -> str:
        return str(statement.compile(dialect=self._dialect))

    def insert(self, table: sa.Table) -> str:
        return self.text(sa.insert(table))

    def upsert(self, table: sa.Table, *changed: str) -> str:
        statement = self._insert(table)
        return self.text(
            statement.on_conflict_do_update(
                index_elements=list(table.primary_key.columns),
                set_={name: statement.excluded[name] for name in changed},
            )
        )

    def find(self, table: sa.Table, key: sa.Column[str], *read: str) -> str:
        return self.text(
            sa.select(*(table.c[name] for name in read)).where(
                table.c.account_id == sa.bindparam("account_id"), key == sa.bindparam("key")
            )
        )


def statements_of(connection: sa.Connection) -> Statements:
    """Return the statements for the kind of database that is connected."""
    return _statements(connection.dialect.name)


@cache
def _statements(kind: str) -> Statements:
    made = _for_sqlite() if kind == "sqlite" else _for_postgres()
    return Statements(
        insert_record=made.insert(tables.journal),
        put_meta=made.upsert(tables.meta, "value"),
        insert_order=made.insert(tables.orders),
        move_order=made.text(
            sa.update(tables.orders)
            .where(tables.orders.c.account_id == sa.bindparam("of_account"))
            .where(tables.orders.c.client_order_id == sa.bindparam("of_order"))
            .values({name: sa.bindparam(name) for name in PROGRESS})
        ),
        insert_fill=made.insert(tables.fills),
        insert_funding=made.insert(tables.funding),
        insert_entry=made.insert(tables.ledger_entries),
        put_position=made.upsert(tables.positions, "strategy_id", "contracts", "cost", "isolated_margin", "updated_ns"),
        put_total=made.upsert(tables.ledger_totals, "total"),
        put_reason=made.upsert(tables.reasons, "severity", "detail", "latched", "time_ns", "seq"),
        drop_reason=made.text(
            sa.delete(tables.reasons)
            .where(tables.reasons.c.account_id == sa.bindparam("of_account"))
            .where(tables.reasons.c.owner == sa.bindparam("of_owner"))
            .where(tables.reasons.c.code == sa.bindparam("of_code"))
        ),
        put_state=made.upsert(tables.states, "payload", "time_ns"),
        put_day=made.upsert(tables.days, "equity_start", "equity_end", "time_ns", "seq"),
        find_order=made.find(tables.orders, tables.orders.c.client_order_id, *ORDER_READ),
        find_trade=made.find(tables.fills, tables.fills.c.trade_id, "trade_id"),
        find_settlement=made.find(tables.funding, tables.funding.c.reference, "reference"),
    )


def _for_sqlite() -> _Compiler:
    return _Compiler(sqlite.dialect(paramstyle="named"), sqlite.insert)


def _for_postgres() -> _Compiler:
    """Compile for psycopg, which gives each parameter its type: the server would guess, and guess NULLs wrong."""
    from sqlalchemy.dialects import postgresql, registry  # noqa: PLC0415 - 0.05 s that SQLite need not pay

    return _Compiler(registry.load("postgresql.psycopg")(paramstyle="pyformat"), postgresql.insert)
