"""Which positions must be liquidated within a range of mark prices. Pure.

Modelled on Binance USD-M (read 2025-10): a position whose collateral and unrealized PnL no longer cover its maintenance
margin is closed; the insurance fund takes what is lost beyond the bankruptcy price, so that an account never owes.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from app.domain.instrument import Instrument
from app.domain.margin import bankruptcy_price
from app.domain.money import ZERO, to_ledger
from app.domain.order import Side
from app.domain.portfolio import Portfolio
from app.domain.position import Position
from app.exchanges.matching.resting import PriceRange
from app.exchanges.matching.rules import to_tick

INFINITY = Decimal("Infinity")


class Liquidation(msgspec.Struct, frozen=True):
    """A position that must be closed, at which price, and what the venue charges for it."""

    position: Position
    price: Decimal
    fee: Decimal


def safe_marks(books: Portfolio, symbol: str) -> tuple[Decimal, Decimal]:
    """Return between which marks of ``symbol``, exclusive, nothing is due, as long as no fill changes the books."""
    if len(books.positions) > 1 and not books.isolated:
        # Each position's collateral depends on the marks of the others: none is safe without a look.
        return INFINITY, -INFINITY
    at = books.liquidation_price(symbol)
    if at is None:
        return -INFINITY, INFINITY
    return (at, INFINITY) if books.position(symbol).contracts > 0 else (-INFINITY, at)


def due_liquidations(
    books: Portfolio, instruments: Mapping[str, Instrument], symbol: str, marks: PriceRange
) -> Iterator[Liquidation]:
    """Yield what must be closed when the mark of ``symbol`` goes through ``marks``.

    The position in ``symbol`` first; then, under cross margin, while the account is still short of collateral, the
    others, largest maintenance margin first. The books must be brought up to date after each one that is yielded.
    """
    own = books.position(symbol)
    if not own.is_flat:
        price = _met_price(books, own, marks)
        if price is not None:
            yield _closing(books, instruments[symbol], own, price)
    if books.isolated:
        return
    while (worst := _worst_of_short_account(books, symbol)) is not None:
        mark = books.mark(worst.symbol)
        if mark is None:
            return
        yield _closing(books, instruments[worst.symbol], worst, mark)


def _met_price(books: Portfolio, position: Position, marks: PriceRange) -> Decimal | None:
    """Return the mark at which the position is liquidated within ``marks``: there, or at an open beyond it."""
    at = books.liquidation_price(position.symbol)
    if at is None:
        return None
    if position.contracts > 0:
        return min(at, marks.open) if marks.low <= at else None
    return max(at, marks.open) if marks.high >= at else None


def _worst_of_short_account(books: Portfolio, but: str) -> Position | None:
    """Return the position with the largest maintenance margin, if the account cannot cover all of them."""
    others = [position for position in books.positions if position.symbol != but]
    if not others or books.equity > books.maintenance_margin:
        return None
    return max(others, key=lambda position: books.maintenance_of(position.symbol))


def _closing(books: Portfolio, instrument: Instrument, position: Position, price: Decimal) -> Liquidation:
    collateral = books.collateral_of(position.symbol)
    floor = bankruptcy_price(instrument, position, collateral)
    if floor is not None:
        price = max(price, floor) if position.contracts > 0 else min(price, floor)
    # To the tick in the holder's favour: beyond the bankruptcy price the account would owe.
    price = to_tick(instrument, price, Side.BUY if position.contracts > 0 else Side.SELL)
    left = collateral + position.unrealized(instrument, price)
    fee = to_ledger(instrument.notional(position.contracts, price) * instrument.liquidation_fee_rate)
    return Liquidation(position, price, max(ZERO, min(fee, to_ledger(left))))
