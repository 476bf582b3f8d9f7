"""The journal: an ordered, durable record of what the bot intended, learned and decided."""

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

import msgspec

from app.domain.events import ReasonRaised
from app.domain.ledger import Account
from app.domain.position import Position
from app.domain.records import OrderRecord, Record


class Ticket(Protocol):
    """A promise that records will be durable."""

    @property
    def durable(self) -> bool:
        """Whether they are on disk."""

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once they are: at once if they are already. Never called if the store fails."""


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal knows of the account at the start of a run."""

    epoch: int
    """The number of this start: 1 for the first."""
    instance: str = ""
    """What its ids say of the journal that has the orders: six hexadecimal digits, made once. Empty where the journal
    needs none, for the account that the orders are sent to lies in it."""
    instance_since: int = 1
    """The first start whose ids named the instance; before it, older code made ids that named none."""
    last_time_ns: int | None
    """Time of the last record; None for an empty journal."""
    working_orders: tuple[OrderRecord, ...]
    positions: tuple[Position, ...]
    ledger_totals: dict[Account, Decimal]
    """Empty when nothing has been posted."""
    trade_ids: tuple[str, ...]
    """The most recent applied ones, oldest first."""
    funding_references: tuple[str, ...]
    reasons: tuple[ReasonRaised, ...]


class Journal(Protocol):
    """Append-only. Order of appending is order of commit: a crash keeps a prefix."""

    def append(self, first: Record, /, *rest: Record) -> Ticket:
        """Take records in, together. Returns at once.

        Raises:
            JournalFailed: The store cannot take any more; new orders must stop. It is a ``LeaseLost``, and stays one,
                when another bot may write by now.
        """

    def ticket(self) -> Ticket:
        """Return the promise for all that was taken in before; one more that is not kept if the store has failed."""

    def recovered(self) -> Recovered:
        """Return what was on record when the journal was opened."""

    def state_of(self, owner: str) -> bytes | None:
        """Return what ``owner`` saved last; None when it never did."""

    def digest(self) -> str:
        """Return a digest of this run's orders and fills: two runs with equal digests traded alike, byte for byte."""

    @property
    def failure(self) -> "JournalFailed | None":
        """Why the store cannot be written any more, a ``LeaseLost`` for a lost lease; None while it can.

        Whoever waits for a ticket asks for it: a store may fail after it has taken records in, and calls nobody back.
        """


class JournalFailed(Exception):
    """The store cannot be written: disk full, locked, corrupt."""


class LeaseLost(JournalFailed):
    """Another bot writes for this account, or may do so by now: nothing that needs the journal may go out any more."""
