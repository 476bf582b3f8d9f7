"""Trials on a Dask cluster: its workers get the data files, and read them as a process of this machine does."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import msgspec

from app.backtest import code_digest
from app.research.trial import Evaluate, InProcess, Movable, Outcome, Trial
from app.research.workers import parts_of
from app.strategies import StrategyRefused, strategy_class
from app.workers import ClusterRefused, open_cluster


class _Job(msgspec.Struct, frozen=True):
    """What every worker needs."""

    key: str
    engine_for: Movable
    files: Mapping[Path, bytes]
    """By the names that they have on the machine that asks."""


class _Begun:
    """A job on this worker, with its files in a folder of its own."""

    def __init__(self, job: _Job) -> None:
        self.key = job.key
        # Removed with this object: when the worker begins another job, or ends.
        self._folder = TemporaryDirectory(prefix="trials-")
        moved: dict[Path, Path] = {}
        for number, (path, content) in enumerate(job.files.items()):
            moved[path] = Path(self._folder.name) / f"{number}{path.suffix}"
            moved[path].write_bytes(content)
        self.evaluate = InProcess(job.engine_for.reading(moved))


_here: _Begun | None = None


@contextmanager
def on_cluster(
    address: str, engine_for: Movable, strategy: tuple[str, str], files: Sequence[Path]
) -> Iterator[Evaluate]:
    """Give what runs trials on a cluster.

    Args:
        address: Of its scheduler.
        engine_for: Makes the engines, on each worker; it must be picklable.
        strategy: Its id, and its name or dotted path, which every worker must be able to import.
        files: All that the engines read.

    Raises:
        ClusterRefused: It cannot be reached, or its workers are not like this process.
    """
    job = _Job(uuid4().hex, engine_for, {path: path.read_bytes() for path in files})
    with open_cluster(address, code_digest) as cluster:
        refusals = [refusal for refusal in cluster.ask_all(_refusal_of, *strategy) if refusal is not None]
        if refusals:
            raise ClusterRefused(address, f"cannot run the strategy: {refusals[0]}")

        def evaluate(trials: Sequence[Trial]) -> Iterator[Outcome]:
            yield from cluster.in_order(_run, job, parts_of(trials, max(1, cluster.size)))

        yield evaluate


def _refusal_of(strategy_id: str, name: str) -> str | None:
    try:
        strategy_class(strategy_id, name)
    except StrategyRefused as refused:
        return str(refused)
    return None


def _run(job: _Job, trials: Sequence[Trial]) -> list[Outcome]:
    global _here  # noqa: PLW0603 - a worker has one job, for all its trials
    if _here is None or _here.key != job.key:
        _here = _Begun(job)
    return list(_here.evaluate(trials))
