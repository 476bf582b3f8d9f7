"""Worker processes of this machine, which end with whoever started them, however that ends."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from app.workers.errors import WorkerLost

Thing = TypeVar("Thing")
Part = TypeVar("Part")
Done = TypeVar("Done")

_things: list[Any] = []
"""In a worker: the one thing that all its work needs."""


class LocalWorkers(Generic[Thing]):
    """Processes, each of which has made the thing that every part needs."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def in_order(self, work: Callable[[Thing, Part], Sequence[Done]], parts: Iterable[Part]) -> Iterator[Done]:
        """Yield what comes of each part, in the order of the parts.

        Args:
            work: A function of a module; called in a process with the thing and a part.
            parts: All are taken at once.

        Raises:
            WorkerLost: A process was killed, or could not make the thing. What was yielded is valid.
        """
        try:
            for done in self._pool.map(_do, ((work, part) for part in parts)):
                yield from done
        except BrokenProcessPool as error:
            raise WorkerLost from error


@contextmanager
def local_workers(count: int, make: Callable[[], Thing]) -> Iterator[LocalWorkers[Thing]]:
    """Start processes; give them; end them, once what each is at is done.

    Args:
        count: Processes.
        make: Makes what all the work needs, in each of them; it must be picklable.
    """
    # Polars, once it is imported, has the system go on with what Ctrl-C interrupts (2.1.0, 2026-11): who waits for a
    # worker would hear of it when that is done, were it in an hour.
    signal.siginterrupt(signal.SIGINT, True)  # noqa: FBT003 - it takes no names
    # Spawned, not forked: a worker begins as a process does, whatever the parent has running.
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=spawn, initializer=_begin, initargs=(make,))
    try:
        yield LocalWorkers(pool)
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(make: Callable[[], object]) -> None:
    # Ctrl-C is the parent's: it ends the workers once the work at hand is done.
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _things.append(make())


def _do(asked: tuple[Callable[[Any, Any], Sequence[Any]], Any]) -> Sequence[Any]:
    work, part = asked
    return work(_things[0], part)


def _end_with_parent() -> None:
    """End when the parent is gone, were it killed: nobody would take the results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
