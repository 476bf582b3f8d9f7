"""Commits on a thread of its own: live trading, where the event loop must not wait for the disk."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from app.ports.journal import JournalFailed
from app.storage.store import Encoded, JournalStore

QUEUED_RECORDS_MAX = 10_000
"""Records that may wait for the writer. More means a disk that hangs, and orders that are not on record."""
GROUP_RECORDS_MAX = 1_000
"""Records of one transaction, so that the first of a crowd need not wait for the last; more if they belong together."""
LINGER_S = 0.005
"""How long the loop stands still for an order that waits for the disk: ten times what one takes that is well."""
CLOSE_S = 10.0
"""How long closing waits for the writer beyond the busy timeout; a disk that hangs must not hang the stop."""


class CommitThreaded:
    """One writer thread with group commit: whatever came while it wrote goes into its next transaction.

    It is woken once the loop has done with the event that the records are of. A decision, what it is for and its intent
    are one transaction then: woken by the first of them, it would have the intent wait for the disk twice.

    When somebody waits, the loop does too, for a moment. Both threads share one interpreter: a loop that went on with
    other work would take it away from the writer at every statement, for 5 ms at a time (``sys.getswitchinterval``).
    A disk that hangs costs the loop that moment once; who waits is called back whenever it is done.

    ``put`` and ``when_durable`` belong to the event loop's thread. Callbacks run there too, in the order of the
    records; so ``durable_seq`` is moved there, and not by the writer, or a late callback could overtake an early one.
    """

    def __init__(self, store: JournalStore, last_seq: int, busy_timeout_s: float) -> None:
        self._store = store
        self._close_s = busy_timeout_s + CLOSE_S
        self._queue: deque[Sequence[Encoded]] = deque()
        """What was handed over together, each as a whole: half a fill on record is worse than none."""
        self._waiting_records = 0
        self._changed = threading.Condition()
        self._closing = False
        self._committed_seq = last_seq
        self._queued_seq = last_seq
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self._abandoned: JournalFailed | None = None
        self.durable_seq = last_seq
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = True
        self._is_awaited = False
        """Whether somebody waits, for whom the loop has not waited yet."""

    @property
    def failed(self) -> JournalFailed | None:
        """Why nothing can be written any more; None while it can."""
        return self._store.failed or self._abandoned

    def put(self, records: Sequence[Encoded], *, urgent: bool) -> None:
        """Queue records. All are urgent here: the writer takes them as soon as it is woken and free.

        Raises:
            JournalFailed: The writer has failed, or hangs.
        """
        del urgent
        loop = self._loop or self._start(asyncio.get_running_loop())
        with self._changed:
            if self._waiting_records + len(records) > QUEUED_RECORDS_MAX:
                behind = f"the journal's writer is behind by {self._waiting_records} records"
                self._abandoned = JournalFailed(f"{behind}: the disk hangs; free it and restart")
            self._check()
            self._queue.append(records)
            self._waiting_records += len(records)
            self._queued_seq = records[-1].numbered.seq
        if self._woken:
            self._woken = False
            loop.call_soon(self._hand_over)

    def when_durable(self, seq: int, callback: Callable[[], None]) -> None:
        """Call ``callback`` on the loop once the record ``seq`` is durable; at once if it is.

        Not once the lease is lost: what waited for the record is not ours to do any more.
        """
        if seq <= self.durable_seq:
            if not self._store.lease_lost:
                callback()
        else:
            self._is_awaited = self._is_awaited or not self._waiting
            self._waiting.append((seq, callback))

    def flush(self) -> None:
        """Wait until everything queued is durable; blocks the caller.

        Raises:
            JournalFailed: It will not be, or not in time.
        """
        self._wake()
        with self._changed:
            written = self._changed.wait_for(self._is_idle, timeout=self._close_s)
        if self.failed is None and not written:
            self._abandoned = JournalFailed(
                f"the journal's writer did not finish within {self._close_s:g} s: the disk hangs"
            )
        self._check()
        self._advance(self._committed_seq)

    def close(self) -> bool:
        """Write what is queued and end the thread; whether it has ended, so that its connection can be closed."""
        if self._thread is None:
            return True
        with suppress(JournalFailed):  # whoever cares has read ``failed``; closing goes on
            self.flush()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_S)
        return not self._thread.is_alive()

    def _wake(self) -> None:
        """Let the writer look into the queue."""
        self._woken = True
        with self._changed:
            self._changed.notify_all()

    def _hand_over(self) -> None:
        """Wake the writer. If somebody waits, leave the interpreter to it until it is done, or for a moment."""
        self._wake()
        if self._is_awaited:
            self._is_awaited = False
            with self._changed:
                self._changed.wait_for(self._is_idle, timeout=LINGER_S)
            self._advance(self._committed_seq)

    def _start(self, loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
        """Start the writer with the first record: opening needs no loop, and the loop that appends is the bot's."""
        # A daemon, or a disk that hangs would keep the process from ending.
        self._thread = threading.Thread(target=self._run, args=(loop,), name="journal-writer", daemon=True)
        self._thread.start()
        self._loop = loop
        return loop

    def _check(self) -> None:
        failed = self.failed
        if failed is not None:
            raise type(failed)(str(failed))

    def _is_idle(self) -> bool:
        return self._committed_seq >= self._queued_seq or self._store.failed is not None

    def _advance(self, seq: int) -> None:
        """On the loop's thread: let those go on who waited for records up to ``seq``."""
        if self._store.lease_lost:
            return
        self.durable_seq = max(self.durable_seq, seq)
        while self._waiting and self._waiting[0][0] <= self.durable_seq:
            _, callback = self._waiting.popleft()
            callback()

    # -- the writer's thread -------------------------------------------------------------------------------------

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while group := self._next_group():
            try:
                self._store.write(group)
            except JournalFailed:
                break
            with self._changed:
                self._committed_seq = group[-1].numbered.seq
                self._changed.notify_all()
            with suppress(RuntimeError):  # the loop has been closed: nobody is left who waits
                loop.call_soon_threadsafe(self._advance, self._committed_seq)
            if not self._queue:
                self._store.tidy()
        with self._changed:
            self._changed.notify_all()

    def _next_group(self) -> list[Encoded]:
        """Wait for records and return them; empty when closing and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            group: list[Encoded] = []
            while self._queue and len(group) + len(self._queue[0]) <= max(GROUP_RECORDS_MAX, len(self._queue[0])):
                group += self._queue.popleft()
            self._waiting_records -= len(group)
            return group
