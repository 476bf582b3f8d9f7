"""Looking at a file leaves it, and the folder around it, as they were."""

import pytest

from app.storage import read_summary
from tests.storage import records


@pytest.fixture
def place(folder):
    """A file."""
    return folder


def test_a_summary_after_the_bot_has_stopped_changes_nothing(opened, folder):
    journal = opened()
    journal.append(records.intended())
    journal.close()
    before = (folder / "journal.sqlite").read_bytes()
    assert read_summary(folder).records == 1
    assert (folder / "journal.sqlite").read_bytes() == before
    assert opened().recovered().epoch == 2


def test_a_folder_that_the_reader_may_not_write(opened, folder, mocker):
    """A copy on read-only media, another user's folder: no file may appear beside the database."""
    journal = opened()
    journal.append(records.intended())
    journal.close()
    mocker.patch("os.access", return_value=False)
    assert read_summary(folder).records == 1
    assert sorted(path.name for path in folder.iterdir()) == ["bot.lock", "journal.sqlite"]
