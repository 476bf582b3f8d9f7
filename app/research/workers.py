"""Trials on many processes of this machine."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app.cluster import local_workers
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

    Raises:
        WorkerLost: A process was killed; what came back by then is valid.
    """
    used = count or os.cpu_count() or 1
    with local_workers(used, _begin, engine_for) as pool:

        def evaluate(trials: Sequence[Trial]) -> Iterator[Outcome]:
            for outcomes in pool.map(_run, parts_of(trials, used)):
                yield from outcomes

        yield evaluate


def parts_of(trials: Sequence[Trial], count: int) -> list[Sequence[Trial]]:
    """Return the trials in parts for so many workers, in their order."""
    size = max(1, len(trials) // (count * CHUNKS_PER_WORKER))
    return [trials[at : at + size] for at in range(0, len(trials), size)]


def _begin(engine_for: EngineFactory) -> None:
    global _here  # noqa: PLW0603 - a worker process has one, for all its trials
    _here = InProcess(engine_for)


def _run(trials: Sequence[Trial]) -> list[Outcome]:
    if _here is None:
        raise RuntimeError("the worker was not begun")
    return list(_here(trials))
