"""What is told of the account and cannot be booked. Pure: what to do about it is the coordinator's."""

from collections.abc import Mapping
from decimal import Decimal

from app.domain.events import Fill, FundingPaid
from app.domain.instrument import Instrument
from app.domain.market import SECOND_NS
from app.domain.order import Order

DIGITS_MAX = 18
"""Before and after the point: no venue tells more, and no account holds more (2026-11)."""
_SMALLEST, _LARGEST = Decimal(10) ** -DIGITS_MAX, Decimal(10) ** DIGITS_MAX
ORDERS_MAX = 1_000
"""How many of the largest orders one fill may be: a liquidation is no order, and may be larger than one."""
AHEAD_NS_MAX = 86_400 * SECOND_NS
"""By how much a stamp may be ahead of the bot's clock: one in microseconds is ahead by millennia."""


def flaw_of_fill(fill: Fill, listed: Mapping[str, Instrument], order: Order | None, now_ns: int) -> str:
    """Return why a fill cannot be booked, in words for people; nothing when it can.

    Args:
        fill: As it was told.
        listed: The symbols that the bot has instruments of.
        order: That it says it is of; None for a stranger's, or one that ended long ago.
        now_ns: The bot's clock.
    """
    instrument = listed.get(fill.symbol)
    if instrument is None:
        return _not_listed(fill.symbol)
    contracts, price = fill.contracts, fill.price
    if not (_is_size(contracts) and _is_size(price) and _is_amount(fill.fee)):
        return _untrue(fill, f"contracts {contracts}, price {price}, fee {fill.fee}")
    if contracts > ORDERS_MAX * instrument.contracts_max:
        return _untrue(fill, f"contracts {contracts}, where an order has at most {instrument.contracts_max}")
    if not 0 < fill.time_ns <= now_ns + AHEAD_NS_MAX:
        return _untrue(fill, f"time {fill.time_ns} ns, and the clock says {now_ns}")
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


def flaw_of_funding(paid: FundingPaid, listed: Mapping[str, Instrument], currency: str, now_ns: int) -> str:
    """Return why funding cannot be booked in an account in ``currency``, in words for people; nothing when it can."""
    if paid.symbol not in listed:
        return _not_listed(paid.symbol)
    if _is_amount(paid.amount) and paid.currency == currency and 0 < paid.time_ns <= now_ns + AHEAD_NS_MAX:
        return ""
    told = f"{paid.amount} {paid.currency} at {paid.time_ns} ns"
    return f"{paid.reference} cannot be true in an account in {currency}: {told}"


def _untrue(fill: Fill, why: str) -> str:
    return f"fill {fill.trade_id} of {fill.symbol} cannot be true: {why}"


def _words_of(fill: Fill) -> str:
    return f"{fill.side} {fill.contracts} {fill.symbol} at {fill.price}"


def _not_listed(symbol: str) -> str:
    return f"{symbol} is traded in this account and not by this bot: it is in none of its books"


def _is_size(number: Decimal) -> bool:
    return number.is_finite() and _SMALLEST <= number < _LARGEST


def _is_amount(number: Decimal) -> bool:
    """Whether it can be money; what a division came to may have any number of decimals."""
    return number.is_finite() and -_LARGEST < number < _LARGEST
