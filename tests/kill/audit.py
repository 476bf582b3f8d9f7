"""Compares what the bot's journal says with what the venue says. Every line of the answer is a defect."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec
import sqlalchemy as sa

from app.domain.ledger import Account
from app.domain.order import TERMINAL, Order, Purpose
from app.storage import schema_of, tables
from tests.kill.protocol import Report

SHOWN_MAX = 5
"""Ids that are shown of a long list."""


class Books(msgspec.Struct):
    """What the journal of one account says."""

    orders: dict[str, str]
    """Status of each order that was ever intended."""
    fills: set[str]
    settlements: set[str]
    positions: dict[str, tuple[Decimal, Decimal]]
    """Contracts and cost."""
    totals: dict[Account, Decimal]
    entries: dict[Account, Decimal]
    """What the ledger's entries add up to, one by one."""
    reasons: set[str]
    starts: int


def read_books(url: str, account_id: str) -> Books:
    """Read the tables directly: SQLAlchemy's URL of a file, or libpq's of a server."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool) if "sqlite" in url else _server(url, account_id)
    with engine.connect() as connection:

        def rows(table: sa.Table) -> Iterable[sa.Row]:
            return connection.execute(sa.select(table).where(table.c.account_id == account_id))

        entries = [{account: getattr(row, account.value) for account in Account} for row in rows(tables.ledger_entries)]
        return Books(
            orders={row.client_order_id: row.status for row in rows(tables.orders)},
            fills={row.trade_id for row in rows(tables.fills)},
            settlements={row.reference for row in rows(tables.funding)},
            positions={row.symbol: (row.contracts, row.cost) for row in rows(tables.positions) if row.contracts},
            totals=dict.fromkeys(Account, Decimal(0))
            | {Account(row.ledger_account): row.total for row in rows(tables.ledger_totals)},
            entries={account: sum((entry[account] for entry in entries), Decimal(0)) for account in Account},
            reasons={f"{row.owner}:{row.code}" for row in rows(tables.reasons)},
            starts=next((int(row.value) for row in rows(tables.meta) if row.name == "epoch"), 0),
        )


def _server(url: str, account_id: str) -> sa.Engine:
    import psycopg

    path = f"-c search_path={schema_of(account_id)}"
    return sa.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url, options=path), poolclass=sa.pool.NullPool
    )


def duplicates(report: Report) -> list[str]:
    """Return what was sent twice: true at any moment, however the bot fares."""
    found = [f"{key} was submitted {count} times" for key, count in report.submits.items() if count > 1]
    found += [f"{key} made {count} orders" for key, count in report.accepted.items() if count > 1]
    entries = Counter(
        (record.order.symbol, record.order.target_sequence)
        for record in report.orders
        if record.order.purpose is Purpose.ENTRY
    )
    return found + [f"target {key} was entered {count} times" for key, count in entries.items() if count > 1]


def orphans(report: Report, books: Books) -> list[str]:
    """Return the orders at the venue that the journal does not know: true at any moment too."""
    return [f"{key} is not in the journal" for key in report.submits if key not in books.orders]


def differences(report: Report, books: Books) -> list[str]:
    """Return where journal and venue are apart, once nothing is on its way any more."""
    found = _apart("fills", {fill.trade_id for fill in report.fills}, books.fills)
    # The venue remembers the latest settlements only.
    found += [f"funding {p.reference} is missing" for p in report.settlements if p.reference not in books.settlements]
    there = {position.symbol: (position.contracts, position.cost) for position in report.positions}
    if there != books.positions:
        found.append(f"positions: venue {there}, journal {books.positions}")
    found += _ledger(report.totals, books)
    terminal = {status.value for status in TERMINAL}
    working = {key for key, status in books.orders.items() if status not in terminal}
    found += _apart("working orders", set(report.working), working)
    theirs = {record.order.client_order_id: record.status.value for record in report.orders}
    ended = sorted(working - set(report.working))
    found += [f"{key} is {books.orders[key]} in the journal, {theirs.get(key)} at the venue" for key in ended]
    if report.on_the_wire:
        found.append(f"{report.on_the_wire} requests are on their way")
    return found


def unprotected(report: Report) -> list[str]:
    """Return the positions that have neither a stop of their size at the venue, nor an exit that works."""
    found = []
    working = set(report.working)
    open_orders = [record for record in report.orders if record.order.client_order_id in working]
    for position in report.positions:
        guards = [r for r in open_orders if r.order.symbol == position.symbol and _reduces(r.order, position.contracts)]
        stops = [r.order.contracts - r.filled for r in guards if r.order.purpose is Purpose.STOP_LOSS]
        exits = [r for r in guards if r.order.purpose is Purpose.EXIT]
        if stops != [abs(position.contracts)] and not exits:
            found.append(f"{position.contracts} {position.symbol} has stops of {stops}")
    return found


def _reduces(order: Order, held: Decimal) -> bool:
    return order.reduce_only and order.signed_contracts * held < 0


def _ledger(there: Mapping[Account, Decimal], books: Books) -> list[str]:
    found = [
        f"{account}: venue {there[account]}, journal {books.totals.get(account)}"
        for account in Account
        if there[account] != books.totals.get(account, 0)
    ]
    if books.totals != books.entries:
        found.append(f"totals {books.totals} are not the sum of the entries {books.entries}")
    if sum(books.totals.values()):
        found.append(f"the ledger sums to {sum(books.totals.values())}")
    return found


def _apart(what: str, there: set[str], here: set[str]) -> list[str]:
    return [
        f"{what}: {len(keys)} {where}: {', '.join(sorted(keys)[:SHOWN_MAX])}"
        for keys, where in ((there - here, "only at the venue"), (here - there, "only in the journal"))
        if keys
    ]
