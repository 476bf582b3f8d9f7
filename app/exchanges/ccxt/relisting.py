"""When a venue's instruments are to be read again, because their ticks follow their prices. Pure."""

from decimal import Decimal

from app.domain.market import MarkPrice

MOVE = Decimal("1.2")
"""A tick is read with room for a price that is half as high again: it is read again before that room is used up."""


class Relisting:
    """Watches marks for prices that have moved since their ticks were read.

    Of one that has risen the tick may soon be too fine. Of one that has fallen it may be coarser than it needs to be:
    whatever lies on the coarser one lies on the finer one, too.
    """

    def __init__(self) -> None:
        self._read_at: dict[str, Decimal] = {}

    def is_due(self, mark: MarkPrice) -> bool:
        """Whether the tick of the mark's symbol may soon be another. The first mark is what it was read at."""
        read_at = self._read_at.setdefault(mark.symbol, mark.price)
        return mark.price > MOVE * read_at or MOVE * mark.price < read_at

    def begin(self) -> None:
        """Take the next marks for those that all ticks are read at."""
        self._read_at.clear()
