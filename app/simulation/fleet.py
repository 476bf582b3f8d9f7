"""Many seeds on all cores. Each is a run of its own, so what comes of it does not depend on who runs it, or when."""

import gc
import os
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

from loguru import logger

from app.settings import LoadedSettings
from app.simulation.faults import plan_of
from app.simulation.world import Outcome, run_plan
from app.workers import Cluster, local_workers

BATCH_SEEDS = 5
"""Seeds handed to a worker at once: enough to spread the cost of handing, few enough for a steady progress."""


def run_seeds(seeds: Iterable[int], loaded: LoadedSettings, workers: int | None = None) -> Iterator[Outcome]:
    """Yield what came of each seed, in the order of the seeds.

    Args:
        seeds: Which.
        loaded: The settings of the bot.
        workers: Processes; None is one for each core.

    Raises:
        WorkerLost: A process was killed.
    """
    count = workers or os.cpu_count() or 1
    if count == 1:
        yield from (run_plan(plan_of(seed), loaded) for seed in seeds)
        return
    with local_workers(count, partial(_settled, loaded)) as pool:
        yield from pool.in_order(_run_batch, _batches(seeds))


def seeds_on_cluster(seeds: Iterable[int], loaded: LoadedSettings, cluster: Cluster) -> Iterator[Outcome]:
    """Yield what came of each seed, in the order of the seeds, having run them on a cluster.

    Raises:
        ClusterLost: It does not go on.
    """
    return cluster.in_order(_run_elsewhere, loaded, _batches(seeds))


def _run_elsewhere(loaded: LoadedSettings, seeds: tuple[int, ...]) -> list[Outcome]:
    logger.remove()
    return _run_batch(loaded, seeds)


def _batches(seeds: Iterable[int]) -> Iterator[tuple[int, ...]]:
    rest = iter(seeds)
    while batch := tuple(islice(rest, BATCH_SEEDS)):
        yield batch


def _settled(loaded: LoadedSettings) -> LoadedSettings:
    """Return the settings, in a process that is set up for many seeds."""
    # What is loaded by now stays; and a seed makes little that is garbage in cycles.
    gc.freeze()
    gc.set_threshold(10_000)
    return loaded


def _run_batch(loaded: LoadedSettings, seeds: tuple[int, ...]) -> list[Outcome]:
    return [run_plan(plan_of(seed), loaded) for seed in seeds]
