"""The tables. The journal is the truth; all others are projections of it, except ``meta``, ``states`` and ``lease``.

Amounts are exact decimal strings, times UTC nanoseconds. Each row names its account: a database outlives a change of
settings, and two accounts must never mix.
"""

from decimal import Decimal

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class Exact(sa.types.TypeDecorator[Decimal]):
    """A Decimal, digit for digit: SQLite's own numbers are binary floats. Written as text, read as Decimal."""

    impl = sa.Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Decimal | None:
        """Return what was stored."""
        del dialect
        return None if value is None else Decimal(value)


SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A place in the journal. SQLite's INTEGER has 64 bits, and only as INTEGER is it the row's own number."""


def _required(name: str, kind: sa.types.TypeEngine[Decimal] | sa.types.TypeEngine[str] | type) -> sa.Column[object]:
    return sa.Column(name, kind, nullable=False)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _from_record(*, is_key: bool = False) -> sa.Column[int]:
    """Return the reference to the record a row comes from; as the key where a record makes at most one row."""
    return sa.Column("seq", SEQ, sa.ForeignKey("journal.seq"), primary_key=is_key, autoincrement=False, nullable=False)


journal = sa.Table(
    "journal",
    metadata,
    sa.Column("seq", SEQ, primary_key=True, autoincrement=False),
    _required("time_ns", sa.BigInteger),
    _required("kind", sa.Text),
    _required("account_id", sa.Text),
    _required("strategy_id", sa.Text),
    _required("instrument_version", sa.Integer),
    _required("schema_version", sa.Integer),
    _required("payload", sa.Text),
)

orders = sa.Table(
    "orders",
    metadata,
    _from_record(is_key=True),
    _required("account_id", sa.Text),
    _required("client_order_id", sa.Text),
    _required("strategy_id", sa.Text),
    _required("symbol", sa.Text),
    _required("status", sa.Text),
    _required("filled", Exact),
    sa.Column("venue_order_id", sa.Text),
    _required("reason", sa.Text),
    _required("updated_ns", sa.BigInteger),
    _required("intent", sa.Text),
    sa.Index(None, "account_id", "status"),
    sa.UniqueConstraint("account_id", "client_order_id"),
)

fills = sa.Table(
    "fills",
    metadata,
    _from_record(is_key=True),
    _required("account_id", sa.Text),
    _required("trade_id", sa.Text),
    _required("strategy_id", sa.Text),
    sa.Column("client_order_id", sa.Text),
    sa.Column("venue_order_id", sa.Text),
    _required("symbol", sa.Text),
    _required("side", sa.Text),
    _required("contracts", Exact),
    _required("price", Exact),
    _required("fee", Exact),
    _required("fee_currency", sa.Text),
    _required("liquidity", sa.Text),
    _required("liquidation", sa.Boolean),
    _required("time_ns", sa.BigInteger),
    sa.UniqueConstraint("account_id", "trade_id"),
)

funding = sa.Table(
    "funding",
    metadata,
    _from_record(is_key=True),
    _required("account_id", sa.Text),
    _required("reference", sa.Text),
    _required("strategy_id", sa.Text),
    _required("symbol", sa.Text),
    _required("amount", Exact),
    _required("currency", sa.Text),
    _required("rate", Exact),
    _required("mark_price", Exact),
    _required("contracts", Exact),
    _required("time_ns", sa.BigInteger),
    sa.UniqueConstraint("account_id", "reference"),
)

positions = sa.Table(
    "positions",
    metadata,
    _key("account_id"),
    _key("symbol"),
    _required("strategy_id", sa.Text),
    _required("contracts", Exact),
    _required("cost", Exact),
    sa.Column("isolated_margin", Exact),
    _required("updated_ns", sa.BigInteger),
)

ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    _from_record(is_key=True),
    _required("account_id", sa.Text),
    _required("strategy_id", sa.Text),
    _required("reference", sa.Text),
    _required("currency", sa.Text),
    _required("wallet", Exact),
    _required("deposits", Exact),
    _required("realized", Exact),
    _required("fees", Exact),
    _required("funding", Exact),
    _required("time_ns", sa.BigInteger),
)

ledger_totals = sa.Table(
    "ledger_totals",
    metadata,
    _key("account_id"),
    _key("ledger_account"),
    _key("currency"),
    _required("total", Exact),
)

reasons = sa.Table(
    "reasons",
    metadata,
    _key("account_id"),
    _key("owner"),
    _key("code"),
    _required("severity", sa.Text),
    _required("detail", sa.Text),
    _required("latched", sa.Boolean),
    _required("time_ns", sa.BigInteger),
    _from_record(),
)

states = sa.Table(
    "states",
    metadata,
    _key("account_id"),
    _key("owner"),
    _required("payload", sa.LargeBinary),
    _required("time_ns", sa.BigInteger),
)
"""What parts remember. Each memory replaces the one before, and has no row in the journal: kept in full, the memories
would be most of it."""

days = sa.Table(
    "days",
    metadata,
    _key("account_id"),
    _key("day"),
    _required("equity_start", Exact),
    _required("equity_end", Exact),
    _required("time_ns", sa.BigInteger),
    _from_record(),
)

meta = sa.Table(
    "meta",
    metadata,
    _key("account_id"),
    _key("name"),
    _required("value", sa.Text),
)

lease = sa.Table(
    "lease",
    metadata,
    _key("name"),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    _required("account_id", sa.Text),
    _required("host", sa.Text),
    sa.Column("pid", sa.BigInteger, nullable=False),
    _required("profile", sa.Text),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
)
"""Who may write, on a server: one row, whose epoch grows with each new holder. In a file it stays empty: there the lock
of the state folder says it."""

PROJECTIONS = (orders, fills, funding, positions, ledger_entries, ledger_totals, reasons, days)
"""What can be thrown away and rebuilt from the journal."""
