"""Trials on many processes of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from app.research.trial import EngineFactory, Evaluate, InProcess, Outcome, Trial

CHUNKS_PER_WORKER = 8
"""Parts of a batch for each worker: enough that they end together, few enough to spread the cost of handing over."""

_here: Evaluate | None = None


@contextmanager
def workers(engine_for: EngineFactory, count: int | None = None) -> Iterator[Evaluate]:
    """Start processes; give what runs trials on them; end them.

    Args:
        engine_for: Makes the engines, in each process; it must be picklable.
        count: Processes; None is one for each core.
    """
    used = count or os.cpu_count() or 1
    # Spawned, not forked: a worker begins as a process does, whatever the parent has running.
    pool = ProcessPoolExecutor(
        used, mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(engine_for,)
    )

    def evaluate(trials: Sequence[Trial]) -> Iterator[Outcome]:
        for outcomes in pool.map(_run, parts_of(trials, used)):
            yield from outcomes

    try:
        yield evaluate
    finally:
        pool.shutdown(cancel_futures=True)


def parts_of(trials: Sequence[Trial], count: int) -> list[Sequence[Trial]]:
    """Return the trials in parts for so many workers, in their order."""
    size = max(1, len(trials) // (count * CHUNKS_PER_WORKER))
    return [trials[at : at + size] for at in range(0, len(trials), size)]


def _begin(engine_for: EngineFactory) -> None:
    global _here  # noqa: PLW0603 - a worker process has one, for all its trials
    # Ctrl-C is the parent's: it ends the workers once the trials at hand are done.
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _here = InProcess(engine_for)


def _end_with_parent() -> None:
    """End when the parent is gone, were it killed: nobody would take the results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(trials: Sequence[Trial]) -> list[Outcome]:
    if _here is None:
        raise RuntimeError("the worker was not begun")
    return list(_here(trials))
