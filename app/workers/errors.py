"""Why work that was handed to other processes is not done.

WorkerLost            a process of this machine has ended before its work

ClusterUnusable
├── ClusterRefused    before anything was handed out: it cannot be reached, or its workers are not like this process
└── ClusterLost       while it was at work: what came back by then is valid
"""


class ClusterUnusable(Exception):
    """A cluster that was asked for, and does not do the work."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"the cluster at {address} {why}")
        self.address = address


class ClusterRefused(ClusterUnusable):
    """It cannot be begun with."""


class ClusterLost(ClusterUnusable):
    """It was begun with, and does not go on."""


class WorkerLost(Exception):
    """A worker process of this machine has ended before its work was done."""

    def __init__(self) -> None:
        super().__init__(
            "a worker process ended before its work was done: it was killed, most often because memory ran out; "
            "try fewer --workers"
        )
