"""When a venue's instruments are to be read again, because their ticks follow their prices. Pure."""

from decimal import Decimal

from app.domain.market import MarkPrice

RISE = Decimal("1.2")
"""A tick is read with room for a price that is half as high again: it is read again before that room is used up."""


class Relisting:
    """Watches marks for prices that have risen since their ticks were read.

    Of a price that has fallen the tick is coarser than it needs to be, and still one that the venue takes.
    """

    def __init__(self) -> None:
        self._read_at: dict[str, Decimal] = {}

    def is_due(self, mark: MarkPrice) -> bool:
        """Whether the tick of the mark's symbol may soon be too fine. The first mark is what it was read at."""
        return mark.price > RISE * self._read_at.setdefault(mark.symbol, mark.price)

    def begin(self) -> None:
        """Take the next marks for those that all ticks are read at."""
        self._read_at.clear()
