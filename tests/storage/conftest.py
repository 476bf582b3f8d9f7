"""A journal on disk that is closed whatever a test does."""

import pytest

from app.storage import open_journal


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def opened(folder):
    """Opens journals in the state folder; closes those that the test left open."""
    journals = []

    def open_one(account_id="main", *, threaded=False, busy_timeout_s=0.2, profile="testing"):
        journal = open_journal(folder, account_id, threaded=threaded, busy_timeout_s=busy_timeout_s, profile=profile)
        journals.append(journal)
        return journal

    yield open_one
    for journal in journals:
        journal.close()
