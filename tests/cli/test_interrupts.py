"""Ctrl-C, once and twice."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.cli import interrupts
from app.cli.interrupts import second_aborts
from app.ports.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]
WAITS = """
import functools, sys, time
import polars
from app.cli.ending import end_with
from app.workers import local_workers

def long(thing, part):
    print("works", flush=True)
    time.sleep(3600)

def command():
    with local_workers(1, functools.partial(int, 1)) as pool:
        try:
            return list(pool.in_order(long, [1]))
        finally:
            print("interrupted", flush=True)

if __name__ == "__main__":
    end_with(command)
"""


@pytest.fixture(autouse=True)
def _as_python_begins():
    """A test run may have been started with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Aborted(Exception):
    """Instead of the end of the process."""


def test_the_first_interrupts_and_the_second_ends_the_process(mocker):
    mocker.patch.object(interrupts, "abort", side_effect=Aborted)
    with second_aborts():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(Aborted):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_where_it_is_ignored_or_handled_it_stays_so():
    """As in a background job of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with second_aborts():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_thread_that_is_not_the_main_one_changes_no_signals():
    seen = []

    def inside():
        with second_aborts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_who_waits_for_a_worker_hears_of_ctrl_c_at_once_and_leaves_at_the_second(tmp_path):
    """With polars imported, which has the system go on with what a signal interrupts."""
    script = tmp_path / "waits.py"
    script.write_text(WAITS)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "works\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    time.sleep(0.1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == ExitCode.ABORTED
    assert process.stderr.readline() == "aborted\n"
    process.stdout.close()
    process.stderr.close()
