"""What a guard is: a watch on the running account, which restricts trading while something is wrong."""

from decimal import Decimal
from typing import Protocol

import msgspec

from app.domain.events import Fill, FundingPaid, Severity
from app.domain.ledger import LedgerEntry
from app.domain.market import SECOND_NS
from app.domain.money import ZERO
from app.ports.books import Books
from app.risk.leeway import Leeway

DAY_NS = 86_400 * SECOND_NS


def part_of(limit: Decimal | None, value: Decimal) -> float:
    """Return how much of a limit a value uses up, 1 where it leaves nothing; 0 without a limit.

    >>> part_of(Decimal(50), Decimal(45)), part_of(None, Decimal(45)), part_of(Decimal(0), Decimal(45))
    (0.9, 0.0, 1.0)
    """
    if limit is None or value <= ZERO:
        return 0.0
    return float(value / limit) if limit > ZERO else 1.0


class Breach(msgspec.Struct, frozen=True):
    """A guard's limit is passed."""

    severity: Severity
    value: str
    limit: str
    latched: bool = False


class Guard(Protocol):
    """A guard looks at every mark, fill and timer. Its memory is plain data, kept in the journal."""

    name: str

    def look(self, books: Books, equity: Decimal, now_ns: int) -> Breach | None:
        """Return what is wrong, or None."""

    def calm_until(self, leeway: Leeway, books: Books) -> int:
        """Return until when ``look`` would find nothing wrong, wherever the marks go within ``leeway``.

        Asked right after a ``look`` that found nothing. ``NOT_CALM`` when it cannot tell, or when there is something to
        remember at every mark.
        """

    def figure(self) -> str:
        """Return the value it watches and its limit, for people."""

    def nearness(self) -> float:
        """Return how much of its limit is used up: 1 at the limit, 0 without one, and while nothing is known."""

    def snapshot(self) -> dict[str, str]:
        """Return its memory."""

    def restore(self, memory: dict[str, str]) -> None:
        """Take over its memory of an earlier run."""


class WatchesFills(Protocol):
    """A guard that also wants to know of fills."""

    def on_fill(self, fill: Fill, entry: LedgerEntry, books: Books) -> None:
        """Take notice of an applied fill."""


class WatchesFunding(Protocol):
    """A guard that also wants to know of funding."""

    def on_funding(self, paid: FundingPaid, books: Books) -> None:
        """Take notice of an applied settlement."""
