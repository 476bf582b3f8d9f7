"""Keeps the projections in step with the journal, within the transaction that appends to it."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from app.domain.events import Fill, FundingPaid
from app.domain.ledger import Account
from app.domain.order import TERMINAL, OrderStatus
from app.domain.records import OrderIntended
from app.domain.trading_state import TradingState
from app.storage import rows, tables
from app.storage.fold import RECENT_FUNDING_MAX, RECENT_TRADES_MAX, Changes, Fold, Numbered
from app.storage.statements import Statements

WORKING = tuple(status.value for status in OrderStatus if status not in TERMINAL)
Writing = tuple[str, list[rows.Row]]


class Projections:
    """The projections of one account."""

    def __init__(self, account_id: str, statements: Statements) -> None:
        self.account_id = account_id
        self.statements = statements
        self.fold = Fold()

    def load(self, connection: sa.Connection) -> None:
        """Take over what was written before."""
        fold = self.fold
        for row in self._rows(connection, tables.orders, tables.orders.c.status.in_(WORKING)):
            fold.orders[row.client_order_id] = rows.order_of(row)
        for row in self._rows(connection, tables.positions):
            fold.positions[row.symbol] = rows.position_of(row)
        for row in self._rows(connection, tables.ledger_totals):
            fold.totals[Account(row.ledger_account), row.currency] = row.total
        held = self._rows(connection, tables.reasons)
        fold.reasons = TradingState(tuple(rows.reason_of(row) for row in held))
        fold.reason_seqs = {(row.owner, row.code): row.seq for row in held}
        fold.trades = dict.fromkeys(self._recent(connection, tables.fills.c.trade_id, RECENT_TRADES_MAX))
        fold.settlements = dict.fromkeys(self._recent(connection, tables.funding.c.reference, RECENT_FUNDING_MAX))

    def states(self, connection: sa.Connection) -> dict[str, bytes]:
        """Return the saved states, by owner."""
        return {row.owner: row.payload for row in self._rows(connection, tables.states)}

    def fold_in(self, cursor: DBAPICursor, records: Sequence[Numbered]) -> list[tuple[str, int]]:
        """Add records up, in memory; return the strategy and the instrument version behind each."""
        self._fetch(cursor, records)
        origins = []
        for numbered in records:
            self.fold.apply(numbered)
            origins.append(self.fold.origin_of(numbered.record))
        return origins

    def write_changes(self, cursor: DBAPICursor) -> None:
        """Write what has changed. The records come first: rows refer to them, and SQLite searches whole tables else."""
        for statement, written in self._writings(self.fold.take_changes()):
            if written:
                cursor.executemany(statement, written)
        self.fold.forget_old()

    def _fetch(self, cursor: DBAPICursor, records: Sequence[Numbered]) -> None:
        """Bring back to hand what the records speak of and the fold has let go."""
        fold = self.fold
        for numbered in records:
            record = numbered.record
            if isinstance(record, Fill):
                self._fetch_key(cursor, self.statements.find_trade, record.trade_id, fold.trades)
            elif isinstance(record, FundingPaid):
                self._fetch_key(cursor, self.statements.find_settlement, record.reference, fold.settlements)
            named = record.order if isinstance(record, OrderIntended) else record
            key = getattr(named, "client_order_id", None)
            if key is not None and key not in fold.orders:
                found = self._find(cursor, self.statements.find_order, key)
                if found is not None:
                    fold.orders[key] = rows.order_from(*found)

    def _fetch_key(self, cursor: DBAPICursor, find: str, key: str, known: dict[str, None]) -> None:
        if key not in known and self._find(cursor, find, key) is not None:
            known[key] = None

    def _find(self, cursor: DBAPICursor, find: str, key: str) -> tuple[Any, ...] | None:
        cursor.execute(find, {"account_id": self.account_id, "key": key})
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found

    def _writings(self, changes: Changes) -> Iterator[Writing]:
        """Yield each statement with its rows; most have none."""
        fold, account, statements = self.fold, self.account_id, self.statements
        new = changes.new_orders
        yield statements.insert_order, [rows.order_row(account, fold.orders[key]) for key in new]
        yield (
            statements.move_order,
            [rows.moved_order_row(account, fold.orders[key]) for key in changes.moved_orders if key not in new],
        )
        yield statements.insert_fill, [rows.fill_row(account, fill) for fill in changes.fills]
        yield statements.insert_funding, [rows.funding_row(account, paid) for paid in changes.funding]
        yield statements.insert_entry, [rows.entry_row(account, entry) for entry in changes.entries]
        yield statements.put_position, [rows.position_row(account, fold.positions[key]) for key in changes.positions]
        yield statements.put_total, [rows.total_row(account, key, fold.totals[key]) for key in changes.totals]
        if changes.reasons:
            yield from self._reason_writings(changes)
        yield statements.put_state, [rows.state_row(account, saved) for saved in changes.states.values()]
        yield statements.put_day, [rows.day_row(account, *closed) for closed in changes.days.values()]

    def _reason_writings(self, changes: Changes) -> Iterator[Writing]:
        account, seqs, statements = self.account_id, self.fold.reason_seqs, self.statements
        held = {(reason.owner, reason.code): reason for reason in self.fold.reasons.reasons}
        yield (
            statements.put_reason,
            [rows.reason_row(account, held[key], seqs[key]) for key in changes.reasons if key in held],
        )
        yield statements.drop_reason, [rows.reason_key_row(account, key) for key in changes.reasons if key not in held]

    def _rows(
        self, connection: sa.Connection, table: sa.Table, *where: sa.ColumnElement[bool]
    ) -> Sequence[sa.Row[Any]]:
        """Return the account's rows: in the journal's order where they have a place in it, else by their key."""
        found = sa.select(table).where(table.c.account_id == self.account_id, *where)
        if "seq" in table.c:
            return connection.execute(found.order_by(table.c.seq)).all()
        # Not by the database: a server sorts text by its locale, and the order must be the same everywhere.
        keys = [column.name for column in table.primary_key.columns]
        return sorted(connection.execute(found), key=lambda row: [getattr(row, key) for key in keys])

    def _recent(self, connection: sa.Connection, key: sa.Column[Any], count: int) -> list[str]:
        """Return the latest ``count`` keys, oldest first."""
        found = rows.latest(key.table, self.account_id, count).with_only_columns(key)
        return list(connection.execute(found).scalars())[::-1]
