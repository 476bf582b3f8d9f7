"""A journal in memory whose durability and failures a test decides."""

from collections import deque
from collections.abc import Callable

from app.domain.records import Record, StateSaved
from app.ports.journal import JournalFailed, Recovered
from app.storage.fold import Fold, Numbered, recovered_from


class FakeTicket:
    """A promise that the test keeps, or not."""

    def __init__(self, journal: "FakeJournal", count: int) -> None:
        self._journal = journal
        self._count = count

    @property
    def durable(self) -> bool:
        """Whether the test has committed the records."""
        return self._journal.durable_count >= self._count

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once they are; at once if they are."""
        if self.durable:
            callback()
        else:
            self._journal.waiting.append((self._count, callback))


class FakeJournal:
    """Keeps every record in ``records``. Durable at once, or with ``delayed=True`` when the test calls ``commit``.

    ``fail(text)`` breaks the store; ``crashed()`` is what a restart finds: the durable records, and no others.
    """

    def __init__(
        self, recovered: Recovered | None = None, states: dict[str, bytes] | None = None, *, delayed: bool = False
    ) -> None:
        self.records: list[Record] = []
        """Of this start."""
        self.history: list[Record] = []
        """Of the starts before."""
        self.delayed = delayed
        self.durable_count = 0
        self.waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self.closed = False
        self._recovered = recovered or recovered_from(Fold(), 1, None)
        self._states = dict(states or {})
        self._failure: JournalFailed | None = None

    def append(self, first: Record, /, *rest: Record) -> FakeTicket:
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))
        records = (first, *rest)
        self.records += records
        self._states.update({record.owner: record.payload for record in records if isinstance(record, StateSaved)})
        if not self.delayed:
            self.commit()
        return self.ticket()

    def ticket(self) -> FakeTicket:
        return FakeTicket(self, len(self.records))

    def recovered(self) -> Recovered:
        return self._recovered

    def state_of(self, owner: str) -> bytes | None:
        return self._states.get(owner)

    def digest(self) -> str:
        """Return how much was recorded: enough to tell two runs of a test apart."""
        return str(len(self.records))

    @property
    def failure(self) -> JournalFailed | None:
        return self._failure

    def flush(self) -> None:
        if self._failure is not None:
            raise JournalFailed(str(self._failure))
        self.commit()

    def close(self) -> None:
        self.closed = True

    # -- what the test decides -----------------------------------------------------------------------------------

    def commit(self, count: int | None = None) -> None:
        """Make the next ``count`` records durable (None: all), and call back who waited, in order."""
        if self._failure is not None:
            return
        left = len(self.records) - self.durable_count
        self.durable_count += left if count is None else min(count, left)
        while self.waiting and self.waiting[0][0] <= self.durable_count:
            self.waiting.popleft()[1]()

    def fail(self, text: str = "the disk is full", kind: type[JournalFailed] = JournalFailed) -> None:
        """Break the store: what is not durable now never will be."""
        self._failure = kind(text)

    def of(self, kind: type[Record]) -> list[Record]:
        """Return the records of one kind."""
        return [record for record in self.records if isinstance(record, kind)]

    def crashed(self) -> "FakeJournal":
        """Return the journal of the next start, after a crash at this moment."""
        fold, states = Fold(), {}
        durable = self.history + self.records[: self.durable_count]
        for seq, record in enumerate(durable, 1):
            fold.apply(Numbered(seq, record))
            if isinstance(record, StateSaved):
                states[record.owner] = record.payload
        recovered = recovered_from(fold, self._recovered.epoch + 1, durable[-1].time_ns if durable else None)
        again = FakeJournal(recovered, states, delayed=self.delayed)
        again.history = durable
        return again
