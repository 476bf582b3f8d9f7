"""How far marks may move, and until when, before any guard could say something else than that all is well.

Guards look at every mark, and nearly always there is nothing to see. So after each look the engine asks them how much
room there is: it draws a range around the mark of every position, works out the worst that the account can come to
within those ranges, and if every guard bears even that, a mark inside needs no closer look. That is three comparisons
instead of eight verdicts. Everything here errs on the safe side: the room is never larger than the guards allow.
"""

from decimal import Decimal

import msgspec

from app.domain.margin import maintenance_margin
from app.domain.money import LEDGER_QUANTUM, ZERO
from app.ports.books import Books

FOREVER_NS = 2**63 - 1
NOT_CALM = 0
"""Said by a guard that must look at the next event, whatever it is."""
RANGE_RATIO = Decimal("0.005")
"""Half the width of the range around a mark."""
SWING_RATIO = RANGE_RATIO / (1 - RANGE_RATIO)
"""What a value changes by at most within the range, as a part of it: an inverse contract's grows with 1 / price."""


class Room(msgspec.Struct, frozen=True, gc=False):
    """The range of one position's mark, and what the position can come to within it."""

    low: Decimal
    high: Decimal
    swing: Decimal
    """Largest change of its value, settlement currency."""
    maintenance: Decimal
    """Largest maintenance margin."""


class Leeway(msgspec.Struct, frozen=True):
    """The ranges of all positions, and the worst that the account can come to within them. Settlement currency."""

    rooms: dict[str, Room]
    equity_low: Decimal
    equity_high: Decimal
    maintenance: Decimal

    def collateral_low(self, books: Books, symbol: str) -> Decimal:
        """Return the least that can stand for a position while the others move within their ranges."""
        portfolio = books.portfolio
        collateral = portfolio.collateral_of(symbol)
        if portfolio.position(symbol).isolated_margin is not None:
            return collateral
        for other, room in self.rooms.items():
            if other != symbol:
                collateral -= room.swing + room.maintenance - portfolio.maintenance_of(other)
        return collateral


def leeway_around(books: Books) -> Leeway:
    """Return the ranges around the present marks; without a mark, a range that no price is in."""
    portfolio = books.portfolio
    rooms: dict[str, Room] = {}
    swing_total = maintenance_total = ZERO
    for position in portfolio.positions:
        symbol, mark = position.symbol, portfolio.mark(position.symbol) or ZERO
        value, width = portfolio.notional(symbol), mark * RANGE_RATIO
        swing = value * SWING_RATIO + LEDGER_QUANTUM
        maintenance = maintenance_margin(books.instruments[symbol], value + swing)
        rooms[symbol] = Room(mark - width, mark + width, swing, maintenance)
        swing_total += swing
        maintenance_total += maintenance
    equity = portfolio.equity
    return Leeway(rooms, equity - swing_total, equity + swing_total, maintenance_total)
