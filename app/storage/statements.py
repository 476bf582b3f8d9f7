"""The statements of the write path: built with SQLAlchemy, compiled to text once, run on the driver's cursor.

An order takes a dozen of them, and SQLAlchemy's own execution costs 0.1 ms each, as much as half a commit; the cursor
costs 0.01 ms. So parameters here are what the driver takes: text, integers, bytes, None.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

from app.storage import tables

DIALECT = sqlite.dialect(paramstyle="named")
PROGRESS = ("status", "filled", "venue_order_id", "reason", "updated_ns")


def _text(statement: sa.ClauseElement) -> str:
    return str(statement.compile(dialect=DIALECT))


def _upsert(table: sa.Table, *changed: str) -> str:
    statement = insert(table)
    return _text(
        statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns), set_={name: statement.excluded[name] for name in changed}
        )
    )


def _find(table: sa.Table, key: sa.Column[str]) -> str:
    return _text(sa.select(key).where(table.c.account_id == sa.bindparam("account_id"), key == sa.bindparam("key")))


INSERT_RECORD = _text(sa.insert(tables.journal))
PUT_META = _upsert(tables.meta, "value")

INSERT_ORDER = _text(sa.insert(tables.orders))
MOVE_ORDER = _text(
    sa.update(tables.orders)
    .where(tables.orders.c.account_id == sa.bindparam("of_account"))
    .where(tables.orders.c.client_order_id == sa.bindparam("of_order"))
    .values({name: sa.bindparam(name) for name in PROGRESS})
)
INSERT_FILL = _text(sa.insert(tables.fills))
INSERT_FUNDING = _text(sa.insert(tables.funding))
INSERT_ENTRY = _text(sa.insert(tables.ledger_entries))
PUT_POSITION = _upsert(tables.positions, "strategy_id", "contracts", "cost", "isolated_margin", "updated_ns")
PUT_TOTAL = _upsert(tables.ledger_totals, "total")
PUT_REASON = _upsert(tables.reasons, "severity", "detail", "latched", "time_ns", "seq")
DROP_REASON = _text(
    sa.delete(tables.reasons)
    .where(tables.reasons.c.account_id == sa.bindparam("of_account"))
    .where(tables.reasons.c.owner == sa.bindparam("of_owner"))
    .where(tables.reasons.c.code == sa.bindparam("of_code"))
)
PUT_STATE = _upsert(tables.states, "payload", "time_ns")
PUT_DAY = _upsert(tables.days, "equity_start", "equity_end", "time_ns", "seq")

FIND_ORDER = _find(tables.orders, tables.orders.c.client_order_id)
FIND_TRADE = _find(tables.fills, tables.fills.c.trade_id)
FIND_SETTLEMENT = _find(tables.funding, tables.funding.c.reference)
