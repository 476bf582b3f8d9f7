"""The journal and its first projections."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    _create_journal()
    _create_orders()
    _create_fills()
    _create_funding()
    _create_books()
    _create_control()


def downgrade() -> None:
    """Refuse: the journal is the truth, and nothing older than the first schema could hold it."""
    raise NotImplementedError("the first schema has no predecessor: restore a backup instead")


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _time(name: str = "time_ns") -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _seq() -> sa.Column[int]:
    return sa.Column("seq", SEQ, autoincrement=False, nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _from_journal(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["seq"], ["journal.seq"], name=f"fk_{table}_seq")


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _create_journal() -> None:
    op.create_table(
        "journal",
        _seq(),
        _time(),
        _text("kind"),
        _text("account_id"),
        _text("strategy_id"),
        _number("instrument_version"),
        _number("schema_version"),
        _text("payload"),
        _key("journal", "seq"),
    )


def _create_orders() -> None:
    op.create_table(
        "orders",
        _text("account_id"),
        _text("client_order_id"),
        _text("strategy_id"),
        _text("symbol"),
        _text("status"),
        _text("filled"),
        _text("venue_order_id", nullable=True),
        _text("reason"),
        _time("updated_ns"),
        _text("intent"),
        _seq(),
        _from_journal("orders"),
        _key("orders", "seq"),
        sa.UniqueConstraint("account_id", "client_order_id", name="uq_orders_account_id_client_order_id"),
    )
    op.create_index("ix_orders_account_id_status", "orders", ["account_id", "status"])


def _create_fills() -> None:
    op.create_table(
        "fills",
        _text("account_id"),
        _text("trade_id"),
        _text("strategy_id"),
        _text("client_order_id", nullable=True),
        _text("venue_order_id", nullable=True),
        _text("symbol"),
        _text("side"),
        _text("contracts"),
        _text("price"),
        _text("fee"),
        _text("fee_currency"),
        _text("liquidity"),
        _flag("liquidation"),
        _time(),
        _seq(),
        _from_journal("fills"),
        _key("fills", "seq"),
        sa.UniqueConstraint("account_id", "trade_id", name="uq_fills_account_id_trade_id"),
    )


def _create_funding() -> None:
    op.create_table(
        "funding",
        _text("account_id"),
        _text("reference"),
        _text("strategy_id"),
        _text("symbol"),
        _text("amount"),
        _text("currency"),
        _text("rate"),
        _text("mark_price"),
        _text("contracts"),
        _time(),
        _seq(),
        _from_journal("funding"),
        _key("funding", "seq"),
        sa.UniqueConstraint("account_id", "reference", name="uq_funding_account_id_reference"),
    )


def _create_books() -> None:
    op.create_table(
        "positions",
        _text("account_id"),
        _text("symbol"),
        _text("strategy_id"),
        _text("contracts"),
        _text("cost"),
        _text("isolated_margin", nullable=True),
        _time("updated_ns"),
        _key("positions", "account_id", "symbol"),
    )
    op.create_table(
        "ledger_entries",
        _seq(),
        _text("account_id"),
        _text("strategy_id"),
        _text("reference"),
        _text("currency"),
        _text("wallet"),
        _text("deposits"),
        _text("realized"),
        _text("fees"),
        _text("funding"),
        _time(),
        _from_journal("ledger_entries"),
        _key("ledger_entries", "seq"),
    )
    op.create_table(
        "ledger_totals",
        _text("account_id"),
        _text("ledger_account"),
        _text("currency"),
        _text("total"),
        _key("ledger_totals", "account_id", "ledger_account", "currency"),
    )


def _create_control() -> None:
    op.create_table(
        "reasons",
        _text("account_id"),
        _text("owner"),
        _text("code"),
        _text("severity"),
        _text("detail"),
        _flag("latched"),
        _time(),
        _seq(),
        _from_journal("reasons"),
        _key("reasons", "account_id", "owner", "code"),
    )
    op.create_table(
        "states",
        _text("account_id"),
        _text("owner"),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        _time(),
        _key("states", "account_id", "owner"),
    )
    op.create_table(
        "days",
        _text("account_id"),
        _text("day"),
        _text("equity_start"),
        _text("equity_end"),
        _time(),
        _seq(),
        _from_journal("days"),
        _key("days", "account_id", "day"),
    )
    op.create_table(
        "meta",
        _text("account_id"),
        _text("name"),
        _text("value"),
        _key("meta", "account_id", "name"),
    )
