"""Worker processes of this machine, which end with whoever started them, however that ends."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVarTuple

from app.cluster.errors import WorkerLost

Args = TypeVarTuple("Args")


@contextmanager
def local_workers(count: int, begin: Callable[[*Args], None], *args: *Args) -> Iterator[ProcessPoolExecutor]:
    """Start processes; give the pool of them; end them, once what each is at is done.

    Args:
        count: Processes.
        begin: Called in each of them before anything else; it must be picklable, as what follows.
        args: For ``begin``.

    Raises:
        WorkerLost: One of them was killed, or could not begin.
    """
    # Spawned, not forked: a worker begins as a process does, whatever the parent has running.
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=spawn, initializer=_begin, initargs=(begin, *args))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise WorkerLost from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(begin: Callable[[*Args], None], *args: *Args) -> None:
    # Ctrl-C is the parent's: it ends the workers once the work at hand is done.
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    begin(*args)


def _end_with_parent() -> None:
    """End when the parent is gone, were it killed: nobody would take the results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
