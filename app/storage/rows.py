"""Turns what was folded into rows of the tables, as the driver takes them, and what SQLAlchemy reads back."""

from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from app.domain.events import Fill, FundingPaid, Liquidity, ReasonRaised, Severity
from app.domain.ledger import Account, LedgerEntry
from app.domain.money import ZERO
from app.domain.order import Order, OrderStatus, Side
from app.domain.position import Position
from app.domain.records import DayClosed, OrderRecord, StateSaved
from app.storage.fold import Caused, FoldedOrder, FoldedPosition, ReasonKey, TotalKey

Row = dict[str, str | int | bytes | None]
INTENT_ENCODER = msgspec.json.Encoder()
INTENT_DECODER = msgspec.json.Decoder(Order)
ORDER_READ = ("intent", "status", "filled", "venue_order_id", "reason", "seq", "updated_ns")


def latest(table: sa.FromClause, account_id: str, count: int) -> sa.Select[Any]:
    """Return the query of the latest ``count`` rows of an account, latest first.

    The account is compared as an expression, not as a column: SQLite else takes the index that begins with it, and
    sorts the rows of years for the ten at their end.
    """
    of_account = (table.c.account_id + "") == account_id
    return sa.select(table).where(of_account).order_by(table.c.seq.desc()).limit(count)


def order_row(account_id: str, folded: FoldedOrder) -> Row:
    """Return the whole row of an order."""
    order = folded.known.order
    return {
        "account_id": account_id,
        "client_order_id": order.client_order_id,
        "strategy_id": order.strategy_id,
        "symbol": order.symbol,
        "intent": INTENT_ENCODER.encode(order).decode(),
        "seq": folded.seq,
        **_progress(folded),
    }


def moved_order_row(account_id: str, folded: FoldedOrder) -> Row:
    """Return what changes of an order's row, and which row it is."""
    return {"of_account": account_id, "of_order": folded.known.order.client_order_id, **_progress(folded)}


def _progress(folded: FoldedOrder) -> Row:
    known = folded.known
    return {
        "status": known.status.value,
        "filled": str(known.filled),
        "venue_order_id": known.venue_order_id,
        "reason": known.reason,
        "updated_ns": folded.updated_ns,
    }


def order_of(row: sa.Row[Any]) -> FoldedOrder:
    """Return the order of a row."""
    return order_from(*(getattr(row, name) for name in ORDER_READ))


def order_from(
    intent: str,
    status: str,
    filled: Decimal | str,
    venue_order_id: str | None,
    reason: str,
    seq: int,
    updated_ns: int,
) -> FoldedOrder:
    """Return the order of what the driver reads of a row: the columns of ``ORDER_READ``."""
    known = OrderRecord(INTENT_DECODER.decode(intent), OrderStatus(status), Decimal(filled), venue_order_id, reason)
    return FoldedOrder(known, seq, updated_ns)


def fill_row(account_id: str, caused: Caused[Fill]) -> Row:
    """Return the row of a fill."""
    fill = caused.record
    return {
        "account_id": account_id,
        "trade_id": fill.trade_id,
        "strategy_id": caused.strategy_id,
        "client_order_id": fill.client_order_id,
        "venue_order_id": fill.venue_order_id,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "contracts": str(fill.contracts),
        "price": str(fill.price),
        "fee": str(fill.fee),
        "fee_currency": fill.fee_currency,
        "liquidity": fill.liquidity.value,
        "liquidation": fill.liquidation,
        "time_ns": fill.time_ns,
        "seq": caused.seq,
    }


def fill_of(row: sa.Row[Any]) -> Fill:
    """Return the fill of a row."""
    return Fill(
        trade_id=row.trade_id,
        client_order_id=row.client_order_id,
        venue_order_id=row.venue_order_id,
        symbol=row.symbol,
        side=Side(row.side),
        contracts=row.contracts,
        price=row.price,
        fee=row.fee,
        fee_currency=row.fee_currency,
        liquidity=Liquidity(row.liquidity),
        time_ns=row.time_ns,
        liquidation=row.liquidation,
    )


def funding_row(account_id: str, caused: Caused[FundingPaid]) -> Row:
    """Return the row of a funding settlement."""
    paid = caused.record
    return {
        "account_id": account_id,
        "reference": paid.reference,
        "strategy_id": caused.strategy_id,
        "symbol": paid.symbol,
        "amount": str(paid.amount),
        "currency": paid.currency,
        "rate": str(paid.rate),
        "mark_price": str(paid.mark_price),
        "contracts": str(paid.contracts),
        "time_ns": paid.time_ns,
        "seq": caused.seq,
    }


def entry_row(account_id: str, caused: Caused[LedgerEntry]) -> Row:
    """Return the row of a ledger entry: a column for each ledger account."""
    entry = caused.record
    amounts = dict.fromkeys(Account, ZERO)
    for posting in entry.postings:
        amounts[posting.account] += posting.amount
    return {
        "seq": caused.seq,
        "account_id": account_id,
        "strategy_id": caused.strategy_id,
        "reference": entry.reference,
        "currency": entry.currency,
        "time_ns": entry.time_ns,
        **{account.value: str(amount) for account, amount in amounts.items()},
    }


def position_row(account_id: str, held: FoldedPosition) -> Row:
    """Return the row of a position; a flat one too, since it says which strategy trades the symbol."""
    position = held.position
    return {
        "account_id": account_id,
        "symbol": position.symbol,
        "strategy_id": held.strategy_id,
        "contracts": str(position.contracts),
        "cost": str(position.cost),
        "isolated_margin": None if position.isolated_margin is None else str(position.isolated_margin),
        "updated_ns": held.updated_ns,
    }


def position_of(row: sa.Row[Any]) -> FoldedPosition:
    """Return the position of a row."""
    position = Position(row.symbol, row.contracts, row.cost, row.isolated_margin)
    return FoldedPosition(position, row.strategy_id, row.updated_ns)


def total_row(account_id: str, key: TotalKey, total: Decimal) -> Row:
    """Return the row of a ledger account's total."""
    return {"account_id": account_id, "ledger_account": key[0].value, "currency": key[1], "total": str(total)}


def reason_row(account_id: str, reason: ReasonRaised, seq: int) -> Row:
    """Return the row of a reason that holds trading back."""
    return {
        "account_id": account_id,
        "owner": reason.owner,
        "code": reason.code,
        "severity": reason.severity.value,
        "detail": reason.detail,
        "latched": reason.latched,
        "time_ns": reason.time_ns,
        "seq": seq,
    }


def reason_key_row(account_id: str, key: ReasonKey) -> Row:
    """Return which row of a reason is to go."""
    return {"of_account": account_id, "of_owner": key[0], "of_code": key[1]}


def reason_of(row: sa.Row[Any]) -> ReasonRaised:
    """Return the reason of a row."""
    return ReasonRaised(
        time_ns=row.time_ns,
        owner=row.owner,
        code=row.code,
        severity=Severity(row.severity),
        detail=row.detail,
        latched=row.latched,
    )


def state_row(account_id: str, saved: StateSaved) -> Row:
    """Return the row of a part's saved state."""
    return {
        "account_id": account_id,
        "owner": saved.owner,
        "payload": saved.payload,
        "time_ns": saved.time_ns,
    }


def day_row(account_id: str, seq: int, closed: DayClosed) -> Row:
    """Return the row of a day's figures."""
    return {
        "account_id": account_id,
        "day": closed.day,
        "equity_start": str(closed.equity_start),
        "equity_end": str(closed.equity_end),
        "time_ns": closed.time_ns,
        "seq": seq,
    }


def day_of(row: sa.Row[Any]) -> DayClosed:
    """Return the day's figures of a row."""
    return DayClosed(day=row.day, equity_start=row.equity_start, equity_end=row.equity_end, time_ns=row.time_ns)
