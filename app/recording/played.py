"""A clock and a journal that a record drives."""

from collections.abc import Callable
from typing import Protocol

from app.domain.records import OrderIntended, Record
from app.ports.journal import Journal, JournalFailed, Recovered, Ticket


class PlayedClock:
    """Implements ``Clock``: the times of the record, and nothing in between."""

    def __init__(self, now_ns: int, *, is_virtual: bool) -> None:
        self.now_ns = now_ns
        self._is_virtual = is_virtual

    def step(self, now_ns: int) -> None:
        """Be at a time of the record."""
        self.now_ns = now_ns

    def advance_to(self, time_ns: int) -> None:
        """Move with the stream, where the stream was the clock."""
        if self._is_virtual:
            self.now_ns = max(self.now_ns, time_ns)

    def follow(self, time_ns: int) -> None:
        """Begin where the exchange's data did, where the stream was the clock."""
        self.advance_to(time_ns)


class Promises(Protocol):
    """Who knows when the store had what."""

    memories: dict[str, bytes]

    def is_durable(self, client_order_id: str) -> bool:
        """Whether the store had an intent at once."""

    def promise(self, client_order_id: str, callback: Callable[[], None]) -> None:
        """Call ``callback`` when the store has an intent."""


class PlayedJournal:
    """Implements ``Journal`` on one in memory: knows what the recorded run found, and is as slow as its store was."""

    def __init__(self, journal: Journal, recovered: Recovered, promises: Promises) -> None:
        self._journal = journal
        self._recovered = recovered
        self._promises = promises

    def append(self, first: Record, /, *rest: Record) -> Ticket:
        """Take records in."""
        ticket = self._journal.append(first, *rest)
        for record in (first, *rest):
            if isinstance(record, OrderIntended):
                return PlayedTicket(self._promises, record.order.client_order_id)
        return ticket

    def ticket(self) -> Ticket:
        """Return the promise for all that was taken in before."""
        return self._journal.ticket()

    def recovered(self) -> Recovered:
        """Return what the recorded run found."""
        return self._recovered

    def state_of(self, owner: str) -> bytes | None:
        """Return what ``owner`` saved last, in this run or before the recorded one."""
        saved = self._journal.state_of(owner)
        return self._promises.memories.get(owner) if saved is None else saved

    def digest(self) -> str:
        """Return a digest of this run's orders and fills."""
        return self._journal.digest()

    @property
    def failure(self) -> JournalFailed | None:
        """Never."""
        return self._journal.failure


class PlayedTicket:
    """A promise that the record keeps."""

    __slots__ = ("_client_order_id", "_promises")

    def __init__(self, promises: Promises, client_order_id: str) -> None:
        self._promises = promises
        self._client_order_id = client_order_id

    @property
    def durable(self) -> bool:
        """Whether the intent was on disk at once."""
        return self._promises.is_durable(self._client_order_id)

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when it was."""
        self._promises.promise(self._client_order_id, callback)
