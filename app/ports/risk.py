"""Risk: judges orders before they are sent, and watches the account all the time."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from app.domain.denial import Denial
from app.domain.events import Fill, FundingPaid, ReasonCleared, ReasonRaised
from app.domain.ledger import LedgerEntry
from app.domain.order import Order
from app.domain.records import DayClosed
from app.ports.books import Books


class RiskView(Protocol):
    """What others may see of risk."""

    def figures(self) -> Mapping[str, str]:
        """Return the value and limit of each guard, by its name, as text for people."""

    def nearness(self) -> Mapping[str, float]:
        """Return how much of its limit each guard has used up, by its name: 1 at the limit."""


class Risk(RiskView, Protocol):
    """One engine for every mode. Orders that reduce a position pass every growth limit."""

    def check(self, order: Order, books: Books) -> Denial | None:
        """Return why ``order`` must not be sent, or None. ``order`` itself is not among the working orders yet."""

    def on_mark(self, symbol: str, price: Decimal, time_ns: int, books: Books) -> bool:
        """Take notice of a mark before it is set; return whether to ``look`` once it is. False nearly always."""

    def on_timer(self, now_ns: int, books: Books) -> bool:
        """Take notice of the time; return whether to ``look``."""

    def look(self, books: Books) -> Sequence[ReasonRaised | ReasonCleared]:
        """Evaluate all guards; return the changes of reasons. Empty nearly always."""

    def on_fill(self, fill: Fill, entry: LedgerEntry, books: Books) -> None:
        """Take notice of an applied fill."""

    def on_funding(self, paid: FundingPaid, books: Books) -> None:
        """Take notice of an applied funding settlement."""

    def keep_raised(self, codes: Collection[str]) -> None:
        """Forget what was raised and is not among ``codes``: while its cause lasts, it is raised again."""

    @property
    def has_closed_days(self) -> bool:
        """Whether a day has ended since ``closed_days`` was called last, as far as the latest look tells."""

    def closed_days(self) -> Sequence[DayClosed]:
        """Return the days that ended since the last call."""

    def snapshot(self) -> bytes:
        """Return the guards' memory (day's figures, peak equity, losses in a row), for the journal."""

    def restore(self, payload: bytes) -> None:
        """Take over what ``snapshot`` returned in an earlier run."""
