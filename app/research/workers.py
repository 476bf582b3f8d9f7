"""Trials on many processes of this machine."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from app.research.trial import EngineFactory, Evaluate, InProcess, Outcome, Trial
from app.workers import local_workers

CHUNKS_PER_WORKER = 8
"""Parts of a batch for each worker: enough that they end together, few enough to spread the cost of handing over."""


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
    with local_workers(used, partial(InProcess, engine_for)) as pool:

        def evaluate(trials: Sequence[Trial]) -> Iterator[Outcome]:
            return pool.in_order(_run, parts_of(trials, used))

        yield evaluate


def parts_of(trials: Sequence[Trial], count: int) -> list[Sequence[Trial]]:
    """Return the trials in parts for so many workers, in their order."""
    size = max(1, len(trials) // (count * CHUNKS_PER_WORKER))
    return [trials[at : at + size] for at in range(0, len(trials), size)]


def _run(evaluate: InProcess, trials: Sequence[Trial]) -> list[Outcome]:
    return list(evaluate(trials))
