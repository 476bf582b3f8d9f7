"""What the account would hold in the worst case: positions plus everything that may still fill."""

from collections.abc import Collection
from decimal import Decimal

import msgspec

from app.domain.money import ONE, ZERO
from app.domain.order import Order, Side
from app.ports.books import Books

_BUY = Side.BUY


def worst_contracts(books: Books, symbol: str, order: Order | None = None) -> tuple[Decimal, Decimal]:
    """Return the largest long and the largest short that ``symbol`` can come to, both signed contracts.

    Every working order that may grow a position counts in full, one of unknown outcome included.

    Args:
        books: The account.
        symbol: Which symbol.
        order: One more order, which is not working yet.
    """
    high = low = books.portfolio.position(symbol).contracts
    for item in books.working(symbol):
        if item.order.reduce_only:
            continue
        if item.order.side is _BUY:
            high += item.remaining
        else:
            low -= item.remaining
    if order is not None:
        if order.side is _BUY:
            high += order.contracts
        else:
            low -= order.contracts
    return high, low


def worst_notional(books: Books, symbol: str, order: Order | None = None) -> Decimal:
    """Return the largest unsigned value that ``symbol`` can come to, at its mark.

    Without a mark: what the position cost, and what the working orders would at their own prices.
    """
    mark, instrument = books.portfolio.mark(symbol), books.instruments[symbol]
    if mark is not None:
        high, low = worst_contracts(books, symbol, order)
        return instrument.notional(max(high, -low), mark)
    total = abs(books.portfolio.position(symbol).cost)
    for item in books.working(symbol):
        price = item.order.price or item.order.trigger_price
        if price is not None and not item.order.reduce_only:
            total += instrument.notional(item.remaining, price)
    return total


def exposure_with(books: Books, order: Order, working_symbols: Collection[str]) -> "Exposure":
    """Return what the account can come to in the worst case, with one more order."""
    symbol, portfolio = order.symbol, books.portfolio
    high, low = worst_contracts(books, symbol, order)
    mark = portfolio.mark(symbol)
    if mark is None:
        own, long, short = worst_notional(books, symbol, order), ZERO, ZERO
    else:
        instrument = books.instruments[symbol]
        own, unit = instrument.notional(high if high > -low else low, mark), instrument.notional(ONE, mark)
        long, short = high * unit, low * unit
    gross = own
    others = set(working_symbols)
    for position in portfolio.positions:
        others.add(position.symbol)
    others.discard(symbol)
    for other in sorted(others):
        gross += worst_notional(books, other)
        mark = portfolio.mark(other)
        if mark is not None:
            unit = books.instruments[other].notional(ONE, mark)
            most, least = worst_contracts(books, other)
            long, short = long + most * unit, short + least * unit
    return Exposure(high, low, own, gross, max(long, -short))


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """The worst case of an order and of everything else. Values in the settlement currency."""

    high: Decimal
    """Largest long of the order's symbol, signed contracts."""
    low: Decimal
    """Largest short of the order's symbol, signed contracts."""
    own: Decimal
    """Largest unsigned value of the order's symbol."""
    gross: Decimal
    """Sum of the largest unsigned values of all symbols."""
    net: Decimal
    """Largest absolute net value, if all buys or all sells fill; symbols without a mark are left out."""


NO_EXPOSURE = Exposure(ZERO, ZERO, ZERO, ZERO, ZERO)
