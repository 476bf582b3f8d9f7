"""What a guard is: a watch on the running account, which restricts trading while something is wrong."""

from decimal import Decimal
from typing import Protocol

import msgspec

from app.domain.events import Fill, FundingPaid, Severity
from app.domain.ledger import LedgerEntry
from app.domain.market import SECOND_NS
from app.ports.books import Books
from app.risk.leeway import Leeway

DAY_NS = 86_400 * SECOND_NS


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
