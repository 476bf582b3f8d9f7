"""Whether the venue takes an order. Pure."""

from collections.abc import Mapping
from decimal import Decimal

from app.domain.errors import InvalidOrder
from app.domain.instrument import Instrument
from app.domain.margin import initial_margin
from app.domain.money import ZERO, plain
from app.domain.order import Order, Side, check_order
from app.domain.portfolio import Portfolio
from app.exchanges.matching.prices import Prices
from app.exchanges.matching.resting import RestingOrder, crosses
from app.exchanges.matching.rules import MatchingRules


def refusal(
    order: Order,
    instruments: Mapping[str, Instrument],
    books: Portfolio,
    prices: Prices,
    resting: Mapping[str, RestingOrder],
    rules: MatchingRules,
) -> str | None:
    """Return why the venue refuses an order that has an id of its own, or None.

    Args:
        order: As it arrived.
        instruments: What is listed.
        books: The account.
        prices: What is known of prices now.
        resting: The account's working orders, by client order id.
        rules: How the book is made up where there are no quotes.
    """
    why = _not_well_formed(order, instruments)
    if why is not None or order.reduce_only:
        return why or _cannot_reduce(order, books)
    instrument, price = instruments[order.symbol], _measured_at(order, books, prices)
    if price is None:
        return "no price yet"
    notional = instrument.notional(order.contracts, price)
    if notional < instrument.notional_min:
        return f"notional {plain(notional)} is below {plain(instrument.notional_min)}"
    if order.post_only:
        last = prices.last.get(order.symbol)
        if crosses(order, *prices.book(instrument, price if last is None else last, rules)):
            return "post-only, and would execute at once"
    need = initial_margin(notional, books.leverage)
    if resting:
        need += _reserved(instruments, books, prices, resting)
    free = books.margin_available
    return f"insufficient margin: {plain(need)} needed, {plain(free)} free" if need > free else None


def _not_well_formed(order: Order, instruments: Mapping[str, Instrument]) -> str | None:
    instrument = instruments.get(order.symbol)
    if instrument is None:
        return f"unknown symbol {order.symbol}"
    try:
        check_order(order, instrument)
    except InvalidOrder as error:
        return str(error)
    return None


def _cannot_reduce(order: Order, books: Portfolio) -> str | None:
    held = books.position(order.symbol).contracts
    reduces = held < ZERO if order.side is Side.BUY else held > ZERO
    return None if reduces else "reduce-only, and there is nothing to reduce"


def _measured_at(order: Order, books: Portfolio, prices: Prices) -> Decimal | None:
    return order.price or order.trigger_price or prices.reference(order, books)


def _reserved(
    instruments: Mapping[str, Instrument], books: Portfolio, prices: Prices, resting: Mapping[str, RestingOrder]
) -> Decimal:
    """Return the initial margin of the working orders that may grow a position."""
    total = ZERO
    for item in resting.values():
        price = _measured_at(item.order, books, prices)
        if not item.order.reduce_only and price is not None:
            notional = instruments[item.order.symbol].notional(item.remaining, price)
            total += initial_margin(notional, books.leverage)
    return total
