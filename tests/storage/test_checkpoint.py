"""What was committed is moved from the log into the file after a commit, not within one."""

import pytest

from app.storage import store
from app.storage.engine import JOURNAL_FILE
from tests.storage.records import intended
from tests.storage.waiting import until


@pytest.fixture
def place(folder):
    """A file: a server tidies up by itself."""
    return folder


@pytest.fixture
def path(folder, mocker):
    """Where the records are once they have been moved, every three commits."""
    mocker.patch.object(store, "CHECKPOINT_COMMITS", 3)
    return folder / JOURNAL_FILE


def test_every_so_many_commits_are_moved_into_the_file(opened, path):
    journal = opened()
    empty = path.read_bytes()
    for number in range(2):
        journal.append(intended(f"main-1-{number:06d}"))
    assert path.read_bytes() == empty
    journal.append(intended("main-1-000002"))
    assert b"main-1-000002" in path.read_bytes()


async def test_a_writer_that_has_nothing_to_write_moves_them(opened, path):
    journal = opened(threaded=True)
    for number in range(3):
        journal.append(intended(f"main-1-{number:06d}"))
        journal.flush()
    await until(lambda: b"main-1-000002" in path.read_bytes())


def test_what_cannot_be_moved_is_safe_where_it_is(opened, path, mocker):
    mocker.patch.object(store, "CHECKPOINT", "nothing that SQLite knows")
    journal = opened()
    for number in range(4):
        assert journal.append(intended(f"main-1-{number:06d}")).durable
    assert journal.failure is None
