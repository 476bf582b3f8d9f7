"""A Dask cluster that is there already: what its workers need is sent to each once, and work is handed out in order.

``distributed`` is imported here and nowhere else, when a cluster is opened.
"""

import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from app.workers.errors import ClusterLost, ClusterRefused

ADDRESS = re.compile(r"(tcp|tls|ws|wss)://[^/\s]+:\d+")
CONNECT_S = 10.0
"""For the scheduler to answer; and as long for a worker to be there."""
AHEAD_PER_WORKER = 8
"""Parts that are handed out before the first is back: no worker waits, and a cluster's memory is bounded."""

Thing = TypeVar("Thing")
Part = TypeVar("Part")
Done = TypeVar("Done")
Answer = TypeVar("Answer")

_turn = threading.Lock()


class Cluster:
    """Workers of a cluster. Each process does one part at a time, however many threads it has."""

    def __init__(self, client: Any, address: str) -> None:  # noqa: ANN401 - distributed has no types
        self._client = client
        self._address = address

    @property
    def size(self) -> int:
        """How many workers there are now."""
        return len(self._client.scheduler_info(n_workers=-1)["workers"])

    def ask_all(self, question: Callable[..., Answer], *arguments: object) -> list[Answer]:
        """Return what a function returns on each worker.

        Raises:
            ClusterRefused: A worker cannot import what the question needs, or does not answer.
        """
        try:
            answers: dict[str, Answer] = self._client.run(question, *arguments)
        except Exception as error:
            raise ClusterRefused(self._address, f"does not understand: {type(error).__name__}: {error}") from error
        return list(answers.values())

    def in_order(
        self, work: Callable[[Thing, Part], Sequence[Done]], thing: Thing, parts: Iterable[Part]
    ) -> Iterator[Done]:
        """Yield what comes of each part, in the order of the parts.

        Args:
            work: A function of a module; called on a worker with the thing and a part.
            thing: What every part needs: sent to each worker once.
            parts: May be endless: only so many are taken ahead.

        Raises:
            ClusterLost: The work cannot be done. What was yielded is valid.
        """
        from distributed import CancelledError, KilledWorker  # noqa: PLC0415 - an optional dependency

        client, out = self._client, deque[Any]()
        waiting = iter(parts)
        try:
            shared = client.scatter(thing, broadcast=True, hash=False)
            ahead = AHEAD_PER_WORKER * max(1, self.size)
            while True:
                while len(out) < ahead and (part := next(waiting, None)) is not None:
                    out.append(client.submit(_alone, work, shared, part, pure=False))
                if not out:
                    return
                yield from out.popleft().result()
        except (CancelledError, KilledWorker, TimeoutError, OSError) as error:
            raise ClusterLost(self._address, f"does not go on: {type(error).__name__}: {error}") from error
        finally:
            client.cancel(list(out))


@contextmanager
def open_cluster(address: str, fingerprint: Callable[[], str]) -> Iterator[Cluster]:
    """Give the cluster; let go of it at the end. The cluster itself goes on.

    Args:
        address: Of its scheduler, as in tcp://10.0.0.5:8786.
        fingerprint: Tells this program's code from any other; every worker must come to the same.

    Raises:
        ClusterRefused: It does not answer, has no workers, or some of them run other code.
    """
    from distributed import Client  # noqa: PLC0415 - an optional dependency

    if ADDRESS.fullmatch(address) is None:
        raise ClusterRefused(address, "has no address: write it as tcp://HOST:8786")
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except OSError as error:
        # Its own words are long, and say no more.
        raise ClusterRefused(address, "does not answer: is a dask scheduler there?") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as error:
            raise ClusterRefused(address, f"has no worker: dask worker {address} --nthreads 1") from error
        cluster = Cluster(client, address)
        ours = fingerprint()
        others = sum(theirs != ours for theirs in cluster.ask_all(fingerprint))
        if others:
            raise ClusterRefused(
                address, f"has {others} workers with other code: install this version there, and start them anew"
            )
        yield cluster


def _alone(work: Callable[[Thing, Part], Sequence[Done]], thing: Thing, part: Part) -> Sequence[Done]:
    """Do a part when this process does no other: engines are made for one at a time."""
    with _turn:
        return work(thing, part)
