"""The journal on disk."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from app.domain.events import (
    Fill,
    FlattenCommand,
    FundingPaid,
    HaltCommand,
    ReasonCleared,
    ReasonRaised,
    ResumeCommand,
)
from app.domain.ledger import LedgerEntry
from app.domain.records import (
    CancelIntended,
    DayClosed,
    Mismatch,
    OrderIntended,
    PositionChanged,
    Record,
    StateSaved,
)
from app.ports.journal import JournalFailed, Recovered
from app.storage.fold import Numbered
from app.storage.run_digest import DIGESTED, RunDigest
from app.storage.store import Encoded

URGENT = frozenset(
    {
        OrderIntended,
        CancelIntended,
        Fill,
        FundingPaid,
        LedgerEntry,
        PositionChanged,
        ReasonRaised,
        ReasonCleared,
        HaltCommand,
        ResumeCommand,
        FlattenCommand,
        StateSaved,
        Mismatch,
        DayClosed,
    }
)
"""What only we know. The rest the exchange would tell again (an order is open, was canceled), or it decides nothing (a
denial); ``OrderSent`` neither: an order whose intent is on record is taken for sent until the exchange denies it."""


class Commit(Protocol):
    """When and on which thread records are committed."""

    durable_seq: int

    @property
    def failed(self) -> JournalFailed | None:
        """Why nothing can be written any more; None while it can."""

    def put(self, records: list[Encoded], *, urgent: bool) -> None:
        """Take records in."""

    def when_durable(self, seq: int, callback: Callable[[], None]) -> None:
        """Call ``callback`` once the record ``seq`` is durable."""

    def flush(self) -> None:
        """Commit everything taken in."""

    def close(self) -> bool:
        """Commit what can be committed, and end; whether the connection is free to be closed."""


class SqlTicket:
    """A promise that records up to one of them will be durable."""

    __slots__ = ("_commit", "_seq")

    def __init__(self, commit: Commit, seq: int) -> None:
        self._commit = commit
        self._seq = seq

    @property
    def durable(self) -> bool:
        """Whether they are on disk."""
        return self._seq <= self._commit.durable_seq

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once they are: at once if they are already. Never called if the store fails."""
        self._commit.when_durable(self._seq, callback)


class SqlJournal:
    """Append-only and durable; ``open_journal`` makes one.

    Everything given to one ``append`` is committed together, and so are the projections of it.
    """

    def __init__(
        self, commit: Commit, recovered: Recovered, states: dict[str, bytes], last_seq: int, release: Callable[[], None]
    ) -> None:
        self._commit = commit
        self._recovered = recovered
        self._states = states
        self._seq = last_seq
        self._release = release
        self._closed = False
        self._digest = RunDigest()
        self._encode = msgspec.json.Encoder().encode

    def append(self, first: Record, /, *rest: Record) -> SqlTicket:
        """Take records in, together.

        Raises:
            JournalFailed: The store cannot take any more; new orders must stop. It is a ``LeaseLost``, and stays one,
                when another bot may write by now.
        """
        if self._closed:
            raise JournalFailed("the journal is closed: the bot has stopped")
        failed = self._commit.failed
        if failed is not None:
            raise type(failed)(str(failed))  # a new one each time: an exception remembers where it was raised
        batch = []
        urgent = False
        for record in (first, *rest):
            self._seq += 1
            kind = type(record)
            payload = self._encode(record)
            batch.append(Encoded(Numbered(self._seq, record), payload))
            urgent = urgent or kind in URGENT
            if kind in DIGESTED:
                self._digest.add_encoded(payload)
            elif isinstance(record, StateSaved):
                self._states[record.owner] = record.payload
        self._commit.put(batch, urgent=urgent)
        return SqlTicket(self._commit, self._seq)

    def ticket(self) -> SqlTicket:
        """Return the promise for all that was taken in before."""
        return SqlTicket(self._commit, self._seq)

    def recovered(self) -> Recovered:
        """Return what was on record when the journal was opened."""
        return self._recovered

    def state_of(self, owner: str) -> bytes | None:
        """Return what ``owner`` saved last, in this run or before; None when it never did."""
        return self._states.get(owner)

    @property
    def failure(self) -> JournalFailed | None:
        """Why the store cannot be written any more; None while it can."""
        return self._commit.failed

    def digest(self) -> str:
        """Return the fingerprint of this run's orders and fills so far."""
        return self._digest.hexdigest()

    def flush(self) -> None:
        """Commit everything appended so far; returns when it is durable.

        Raises:
            JournalFailed: It cannot be.
        """
        self._commit.flush()

    def close(self) -> None:
        """Commit what is left and release the database and the folder. May be called more than once.

        Never raises: whether everything is on disk, ``failure`` says. A writer that hangs keeps both until the process
        ends, since closing a connection in use would hang too.
        """
        if not self._closed:
            self._closed = True
            if self._commit.close():
                self._release()
