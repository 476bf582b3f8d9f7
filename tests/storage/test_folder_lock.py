"""One state folder, one bot."""

import fcntl
import os
import subprocess
import sys
import threading

import pytest

from app.storage import StateFolderInUse, StateFolderLock, is_held, read_holder

HOLD = """
import sys, pathlib
from app.storage import StateFolderLock
lock = StateFolderLock(pathlib.Path(sys.argv[1]), "live")
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_bot(tmp_path):
    """Another process that holds the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_bot_is_told_who_is_in_its_way(tmp_path, other_bot):
    lock = StateFolderLock(tmp_path)
    with pytest.raises(StateFolderInUse, match=f"in use by the bot with pid {other_bot.pid}, profile live") as caught:
        lock.acquire()
    assert caught.value.pid == other_bot.pid
    assert not lock.held


def test_a_bot_that_was_killed_locks_nobody_out(tmp_path, other_bot):
    other_bot.kill()
    other_bot.wait()
    lock = StateFolderLock(tmp_path)
    lock.acquire()
    assert lock.held
    lock.release()


def test_release_lets_the_next_one_in_and_may_be_repeated(tmp_path):
    first, second = StateFolderLock(tmp_path), StateFolderLock(tmp_path)
    first.acquire()
    first.release()
    first.release()
    second.acquire()
    assert read_holder(tmp_path).pid == os.getpid()
    second.release()


def test_a_holder_that_cannot_be_read_is_another_bot(tmp_path):
    first, second = StateFolderLock(tmp_path), StateFolderLock(tmp_path)
    first.acquire()
    try:
        first.path.write_text("half of a sent")
        with pytest.raises(StateFolderInUse, match="in use by another bot"):
            second.acquire()
    finally:
        first.release()


def test_nobody_has_signed(tmp_path):
    assert read_holder(tmp_path) is None


def test_the_kernel_says_whether_a_folder_is_held_and_the_number_of_a_process_does_not(tmp_path, other_bot):
    assert is_held(tmp_path)
    other_bot.kill()
    other_bot.wait()
    assert read_holder(tmp_path).pid == other_bot.pid
    assert not is_held(tmp_path)
    assert not is_held(tmp_path / "nowhere")


def test_a_look_at_the_lock_keeps_no_bot_from_starting(tmp_path):
    lock = StateFolderLock(tmp_path)
    with lock:
        pass
    looks = os.open(lock.path, os.O_RDONLY)
    fcntl.flock(looks, fcntl.LOCK_SH)
    threading.Timer(0.02, os.close, (looks,)).start()
    with lock:
        assert is_held(tmp_path)
