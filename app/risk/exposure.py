"""What the account would hold in the worst case: positions plus everything that may still fill."""

from decimal import Decimal

import msgspec

from app.domain.money import ZERO
from app.domain.order import Order
from app.ports.books import Books

ONE = Decimal(1)


def worst_contracts(books: Books, symbol: str, order: Order | None = None) -> tuple[Decimal, Decimal]:
    """Return the largest long and the largest short that ``symbol`` can come to, both signed contracts.

    Every working order that may grow a position counts in full, one of unknown outcome included.

    Args:
        books: The account.
        symbol: Which symbol.
        order: One more order, which is not working yet.
    """
    held = books.portfolio.position(symbol).contracts
    high = low = held
    for item in books.working(symbol):
        if item.order.reduce_only:
            continue
        if item.order.signed_contracts > 0:
            high += item.remaining
        else:
            low -= item.remaining
    if order is not None:
        signed = order.signed_contracts
        if signed > 0:
            high += signed
        else:
            low += signed
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


def exposure_with(books: Books, order: Order) -> "Exposure":
    """Return what the account can come to in the worst case, with one more order."""
    symbol, portfolio = order.symbol, books.portfolio
    high, low = worst_contracts(books, symbol, order)
    own = gross = worst_notional(books, symbol, order)
    sides = _Sides()
    sides.add(books, symbol, high, low)
    others = {position.symbol for position in portfolio.positions}.union(books.working_symbols)
    others.discard(symbol)
    for other in sorted(others):
        gross += worst_notional(books, other)
        sides.add(books, other, *worst_contracts(books, other))
    return Exposure(high, low, own, gross, max(sides.long, -sides.short))


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


class _Sides:
    """Values of all symbols if all buys fill, and if all sells do."""

    __slots__ = ("long", "short")

    def __init__(self) -> None:
        self.long = self.short = ZERO

    def add(self, books: Books, symbol: str, high: Decimal, low: Decimal) -> None:
        mark = books.portfolio.mark(symbol)
        if mark is not None:
            unit = books.instruments[symbol].notional(ONE, mark)
            self.long += high * unit
            self.short += low * unit
