"""What the account would hold in the worst case: positions plus everything that may still fill."""

from collections.abc import Iterable
from decimal import Decimal

from app.domain.money import ZERO
from app.domain.order import Order
from app.ports.books import Books


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


def exposed_symbols(books: Books, symbol: str) -> Iterable[str]:
    """Return ``symbol`` and every other symbol with a position or a working order."""
    symbols = dict.fromkeys((symbol,))
    symbols.update(dict.fromkeys(position.symbol for position in books.portfolio.positions))
    symbols.update(dict.fromkeys(books.working_symbols))
    return symbols


def gross_notional(books: Books, order: Order) -> Decimal:
    """Return the sum of the worst-case values of all symbols, with ``order``."""
    return sum(
        (
            worst_notional(books, symbol, order if symbol == order.symbol else None)
            for symbol in exposed_symbols(books, order.symbol)
        ),
        ZERO,
    )


def net_notional(books: Books, order: Order) -> Decimal:
    """Return the largest absolute net value, if all buys or all sells fill, with ``order``."""
    long_side = short_side = ZERO
    for symbol in exposed_symbols(books, order.symbol):
        mark = books.portfolio.mark(symbol)
        if mark is None:
            continue
        high, low = worst_contracts(books, symbol, order if symbol == order.symbol else None)
        unit = books.instruments[symbol].notional(Decimal(1), mark)
        long_side += high * unit
        short_side += low * unit
    return max(long_side, -short_side)
