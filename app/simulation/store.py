"""The store of a simulated bot: it outlives the bot's process, keeps what was durable, and can be slow, full or locked.

It adds its records up with the same code as the journals on disk (``app.storage.fold``).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random

from app.domain.records import OrderIntended, Record, StateSaved
from app.ports.journal import JournalFailed, Recovered
from app.storage.fold import Fold, Numbered, recovered_from
from app.storage.run_digest import DIGESTED, RunDigest

COMMIT_S = (0.0002, 0.004)
"""Between which a commit takes, when nothing is wrong."""


class SimulatedStore:
    """What is on disk."""

    def __init__(self, random: Random, instance: str = "") -> None:
        self._random = random
        self._instance = instance
        self._fold = Fold()
        self.records: list[Record] = []
        """Durable, in order."""
        self.states: dict[str, bytes] = {}
        self.intended: set[str] = set()
        """Client order ids whose intent is durable."""
        self.epoch = 0
        self.slow_until_s = 0.0
        self.failure: str | None = None
        """Set while it takes nothing; a new process may find it mended."""
        self.healthy_since_s = 0.0
        """Since when it is neither slow nor refuses anything."""

    def open(
        self, on_append: Callable[[tuple[Record, ...]], None], on_commit: Callable[[], None]
    ) -> "SimulatedJournal":
        """Return the journal of one more start.

        Args:
            on_append: Called with records before they are taken in.
            on_commit: Called when records have become durable, before anybody is told.
        """
        self.epoch += 1
        last_ns = self.records[-1].time_ns if self.records else None
        recovered = recovered_from(self._fold, self.epoch, last_ns, self._instance)
        return SimulatedJournal(self, recovered, on_append, on_commit)

    def delay_s(self) -> float:
        """Return how long the next commit takes."""
        low, high = COMMIT_S
        delay = self._random.uniform(low, high)
        slow = self.slow_until_s - asyncio.get_running_loop().time()
        return delay if slow <= 0 else delay + self._random.uniform(0.0, slow)

    def keep(self, record: Record) -> None:
        """Make a record durable."""
        if isinstance(record, StateSaved):
            self.states[record.owner] = record.payload
            return
        if isinstance(record, OrderIntended):
            self.intended.add(record.order.client_order_id)
        self.records.append(record)
        self._fold.apply(Numbered(len(self.records), record))
        self._fold.take_changes()


class SimulatedJournal:
    """Implements ``Journal`` for one life of the bot. Order of appending is order of commit."""

    def __init__(
        self,
        store: SimulatedStore,
        recovered: Recovered,
        on_append: Callable[[tuple[Record, ...]], None],
        on_commit: Callable[[], None],
    ) -> None:
        self._store = store
        self._recovered = recovered
        self._on_append = on_append
        self._on_commit = on_commit
        self._states = dict(store.states)
        self._digest = RunDigest()
        self._queue: deque[tuple[int, tuple[Record, ...]]] = deque()
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self._taken = 0
        self._dead = False
        self._failure: JournalFailed | None = None
        self.durable = 0

    # -- Journal -------------------------------------------------------------------------------------------------

    def append(self, first: Record, /, *rest: Record) -> "SimulatedTicket":
        """Take records in, together."""
        records = (first, *rest)
        if not self._dead:
            self._on_append(records)
        if self._dead:
            # Nobody is there any more to whom it could be said.
            return SimulatedTicket(self, self.durable + 1)
        if self.failure is not None:
            raise JournalFailed(str(self.failure))
        for record in records:
            if type(record) in DIGESTED:
                self._digest.add(record)  # type: ignore[arg-type] # an intent or a fill: the line above says so
            if isinstance(record, StateSaved):
                self._states[record.owner] = record.payload
        self._taken += 1
        self._queue.append((self._taken, records))
        if len(self._queue) == 1:
            self._begin_commit()
        return SimulatedTicket(self, self._taken)

    def ticket(self) -> "SimulatedTicket":
        """Return the promise for all that was taken in before."""
        return SimulatedTicket(self, self._taken)

    def recovered(self) -> Recovered:
        """Return what was durable when this life began."""
        return self._recovered

    def state_of(self, owner: str) -> bytes | None:
        """Return what ``owner`` saved last."""
        return self._states.get(owner)

    def digest(self) -> str:
        """Return the fingerprint of this life's orders and fills."""
        return self._digest.hexdigest()

    @property
    def failure(self) -> JournalFailed | None:
        """Why nothing is taken any more; for good in this life, as with the journals on disk."""
        if self._failure is None and self._store.failure is not None:
            self._failure = JournalFailed(self._store.failure)
        return self._failure

    # -- the world -----------------------------------------------------------------------------------------------

    def die(self) -> None:
        """The process is gone: what was not durable never was."""
        self._dead = True
        self._queue.clear()
        self._waiting.clear()

    def when_durable(self, count: int, callback: Callable[[], None]) -> None:
        """Call ``callback`` once the first ``count`` appends are durable."""
        if count <= self.durable:
            callback()
        else:
            self._waiting.append((count, callback))

    def _begin_commit(self) -> None:
        asyncio.get_running_loop().call_later(self._store.delay_s(), self._commit)

    def _commit(self) -> None:
        """Commit the whole queue at once, as a writer does that finds many waiting."""
        if self._dead or self.failure is not None:
            return
        while self._queue:
            self.durable, records = self._queue.popleft()
            for record in records:
                self._store.keep(record)
        self._on_commit()
        while self._waiting and self._waiting[0][0] <= self.durable and not self._dead:
            self._waiting.popleft()[1]()


class SimulatedTicket:
    """A promise that records will be durable."""

    __slots__ = ("_count", "_journal")

    def __init__(self, journal: SimulatedJournal, count: int) -> None:
        self._journal = journal
        self._count = count

    @property
    def durable(self) -> bool:
        """Whether they are."""
        return self._count <= self._journal.durable

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once they are; never if the store fails."""
        self._journal.when_durable(self._count, callback)
