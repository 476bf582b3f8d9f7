"""A journal in a database that is closed whatever a test does: in a file, and on a server."""

from functools import partial

import pytest
from pydantic import SecretStr

from app.storage import ServerPlace, open_journal, schema_of
from tests.storage.looking import look


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def server_place(server):
    """A place on the server, with times that no test waits long for."""
    return ServerPlace(url=SecretStr(server.url()), schema=schema_of("main"), lease_s=10, renew_every_s=5, wait_s=0.3)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    """Where the journal lies. A module that is about one kind of database only has a fixture of its own."""
    return request.getfixturevalue("folder" if request.param == "sqlite" else "server_place")


@pytest.fixture
def rows(place):
    """Runs a query beside the journal, and returns what it finds."""
    return partial(look, place)


@pytest.fixture
def opened(place):
    """Opens journals at the place; closes those that the test left open."""
    journals = []

    def open_one(
        account_id="main", *, at=place, threaded=False, busy_timeout_s=0.2, profile="testing", new_instance=""
    ):
        journal = open_journal(
            at,
            account_id,
            threaded=threaded,
            busy_timeout_s=busy_timeout_s,
            profile=profile,
            new_instance=new_instance,
        )
        journals.append(journal)
        return journal

    yield open_one
    for journal in journals:
        journal.close()
