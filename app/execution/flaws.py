"""What is told of the account and cannot be booked. Pure: what to do about it is the coordinator's."""

from collections.abc import Container
from decimal import Decimal

from app.domain.events import Fill, FundingPaid
from app.domain.order import Order


def flaw_of_fill(fill: Fill, listed: Container[str], order: Order | None) -> str:
    """Return why a fill cannot be booked, in words for people; nothing when it can.

    Args:
        fill: As it was told.
        listed: The symbols that the bot has instruments of.
        order: That it says it is of; None for a stranger's, or one that ended long ago.
    """
    if fill.symbol not in listed:
        return _not_listed(fill.symbol)
    if not (_is_positive(fill.contracts) and _is_positive(fill.price) and fill.fee.is_finite()):
        return _untrue(fill, f"contracts {fill.contracts}, price {fill.price}, fee {fill.fee}")
    if order is not None and (fill.symbol != order.symbol or fill.side is not order.side):
        ordered = f"{order.side} {order.symbol}"
        return _untrue(fill, f"it is a {fill.side}, and its order {order.client_order_id} is to {ordered}")
    return ""


def flaw_of_repetition(fill: Fill, first: Fill) -> str:
    """Return how a fill differs from what was booked under its trade id, in words for people; nothing when it agrees.

    The fee is not compared: some venues tell it later than the rest.
    """
    if (fill.symbol, fill.side, fill.contracts, fill.price) == (first.symbol, first.side, first.contracts, first.price):
        return ""
    return _untrue(fill, f"told as {_words_of(fill)}, and booked as {_words_of(first)}")


def flaw_of_funding(paid: FundingPaid, listed: Container[str], currency: str) -> str:
    """Return why funding cannot be booked in an account in ``currency``, in words for people; nothing when it can."""
    if paid.symbol not in listed:
        return _not_listed(paid.symbol)
    if paid.amount.is_finite() and paid.currency == currency:
        return ""
    return f"{paid.reference} cannot be true in an account in {currency}: {paid.amount} {paid.currency}"


def _untrue(fill: Fill, why: str) -> str:
    return f"fill {fill.trade_id} of {fill.symbol} cannot be true: {why}"


def _words_of(fill: Fill) -> str:
    return f"{fill.side} {fill.contracts} {fill.symbol} at {fill.price}"


def _not_listed(symbol: str) -> str:
    return f"{symbol} is traded in this account and not by this bot: it is in none of its books"


def _is_positive(number: Decimal) -> bool:
    return number.is_finite() and number > 0
