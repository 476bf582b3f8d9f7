"""A Dask cluster on loopback: a scheduler and two workers, as processes of their own."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

START_S = 60
MODULE = (sys.executable, "-m")


class DaskCluster:
    """Its processes, and where its scheduler listens."""

    def __init__(self, scheduler, address):
        self.scheduler = scheduler
        self.address = address
        self.workers = []


@contextmanager
def dask_cluster(folder, workers=2, path=()):
    """Give a cluster; its workers may still be on their way.

    Args:
        folder: For what it leaves behind.
        workers: Processes; one thread each.
        path: What the workers can import beside what is installed.
    """
    file = folder / "scheduler.json"
    quiet = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error", "PYTHONPATH": os.pathsep.join(map(str, path))}
    common = {"cwd": folder, "env": os.environ | quiet, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    common_words = ("--host", "127.0.0.1", "--no-dashboard")
    scheduler = subprocess.Popen(
        [*MODULE, "distributed.cli.dask_scheduler", *common_words, "--port", "0", "--scheduler-file", str(file)],
        **common,
    )
    processes = [scheduler]
    try:
        made = DaskCluster(scheduler, _address(file))
        for number in range(workers):
            words = ("--nthreads", "1", "--no-nanny", "--local-directory", str(folder / f"worker-{number}"))
            # Tests that are killed clean nothing up: a worker whose scheduler is gone ends by itself.
            words += ("--death-timeout", "20")
            worker = subprocess.Popen(
                [*MODULE, "distributed.cli.dask_worker", made.address, *common_words, *words], **common
            )
            processes.append(worker)
            made.workers.append(worker)
        yield made
    finally:
        for process in reversed(processes):
            # They hold nothing; a worker that is asked waits for what it runs.
            process.kill()
        for process in processes:
            process.wait(timeout=START_S)


def _address(file):
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        try:
            return json.loads(file.read_text())["address"]
        except (OSError, ValueError):
            time.sleep(0.05)
    raise TimeoutError("the scheduler did not start")
