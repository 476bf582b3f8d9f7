"""Commits on the caller's thread: simulation and tests, where time is virtual and threads would break it."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from app.ports.journal import JournalFailed
from app.storage.store import Encoded, JournalStore

BUFFERED_RECORDS_MAX = 256
"""Records that may wait for the next commit: what a crash can cost of facts that the exchange would tell again."""


class CommitNow:
    """Commits records that need it before it returns; the others, in order, with the next of those."""

    def __init__(self, store: JournalStore, last_seq: int) -> None:
        self._store = store
        self._buffer: list[Encoded] = []
        self.durable_seq = last_seq

    @property
    def failed(self) -> JournalFailed | None:
        """Why nothing can be written any more; None while it can."""
        return self._store.failed

    def put(self, records: Sequence[Encoded], *, urgent: bool) -> None:
        """Take records in; commit when they are urgent or many.

        Raises:
            JournalFailed: They could not be committed.
        """
        self._buffer += records
        if urgent or len(self._buffer) >= BUFFERED_RECORDS_MAX:
            self.flush()

    def when_durable(self, seq: int, callback: Callable[[], None]) -> None:
        """Call ``callback`` once the record ``seq`` is durable: somebody waits, so commit now.

        Not once the lease is lost: what waited for the record is not ours to do any more.
        """
        if seq > self.durable_seq:
            try:
                self.flush()
            except JournalFailed:
                return
        if not self._store.lease_lost:
            callback()

    def flush(self) -> None:
        """Commit what is buffered.

        Raises:
            JournalFailed: It could not be committed.
        """
        if self._buffer:
            self._store.write(self._buffer)
            self.durable_seq = self._buffer[-1].numbered.seq
            self._buffer = []
            self._store.tidy()

    def close(self) -> bool:
        """Commit what is buffered, unless the store has failed; the connection can then be closed."""
        with suppress(JournalFailed):  # whoever cares reads ``failed``; closing goes on
            self.flush()
        return True
