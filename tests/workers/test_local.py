"""Worker processes: they end with their parent, however it ends, and one that was killed is a sentence."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from app.cli.failures import report_failure
from app.ports.exit_codes import ExitCode
from app.workers import WorkerLost, local_workers

ROOT = Path(__file__).parents[2]
WORKS = """
import os, time
from app.workers import local_workers

def make(): ...

def pid(_, part):
    time.sleep(0.2)
    return [os.getpid()]

def sleep(_, seconds):
    time.sleep(seconds)
    return []

if __name__ == "__main__":
    with local_workers(2, make) as pool:
        print(*set(pool.in_order(pid, range(4))), flush=True)
        list(pool.in_order(sleep, [600]))
"""
ENDED_S = 10


def runs(pid):
    """Whether a process is there, and not only its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent_in_the_midst_of_work(tmp_path, number):
    (tmp_path / "works.py").write_text(WORKS)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "works.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert pids
        assert all(runs(pid) for pid in pids)
        parent.send_signal(number)
        assert parent.wait(timeout=ENDED_S) == -number
    ends = time.monotonic() + ENDED_S
    while any(runs(pid) for pid in pids):
        assert time.monotonic() < ends
        time.sleep(0.02)


def die(_, __):
    os.kill(os.getpid(), signal.SIGKILL)


def divided(by, parts):
    return [part / by for part in parts]


def test_what_comes_of_parts_is_in_their_order():
    """Twenty parts on two processes, each of which has made the ten to divide by."""
    with local_workers(2, partial(int, "10")) as pool:
        assert list(pool.in_order(divided, [[at, at + 5] for at in range(0, 200, 10)])) == [at / 2 for at in range(40)]


def test_a_worker_that_was_killed_is_a_sentence_and_no_bug(capsys):
    with pytest.raises(WorkerLost) as caught, local_workers(1, os.getpid) as pool:
        list(pool.in_order(die, range(2)))
    assert report_failure(caught.value) == ExitCode.UNCLEAN_STOP
    assert capsys.readouterr().err.startswith("error: a worker process ended before its work was done")
