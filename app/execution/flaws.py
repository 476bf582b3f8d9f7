"""What is told of the account and cannot be booked. Pure: what to do about it is the coordinator's."""

from collections.abc import Container
from decimal import Decimal

from app.domain.events import Fill, FundingPaid


def flaw_of_fill(fill: Fill, listed: Container[str]) -> str:
    """Return why a fill cannot be booked, in words for people; nothing when it can."""
    if fill.symbol not in listed:
        return _not_listed(fill.symbol)
    if _is_positive(fill.contracts) and _is_positive(fill.price) and fill.fee.is_finite():
        return ""
    numbers = f"contracts {fill.contracts}, price {fill.price}, fee {fill.fee}"
    return f"fill {fill.trade_id} of {fill.symbol} cannot be true: {numbers}"


def flaw_of_funding(paid: FundingPaid, listed: Container[str], currency: str) -> str:
    """Return why funding cannot be booked in an account in ``currency``, in words for people; nothing when it can."""
    if paid.symbol not in listed:
        return _not_listed(paid.symbol)
    if paid.amount.is_finite() and paid.currency == currency:
        return ""
    return f"{paid.reference} cannot be true in an account in {currency}: {paid.amount} {paid.currency}"


def _not_listed(symbol: str) -> str:
    return f"{symbol} is traded in this account and not by this bot: it is in none of its books"


def _is_positive(number: Decimal) -> bool:
    return number.is_finite() and number > 0
