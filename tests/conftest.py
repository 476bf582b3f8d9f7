"""One container fixture, overridden by each test as it needs."""

from contextlib import suppress

import pytest
from dependency_injector import providers
from hypothesis import settings as hypothesis_settings
from loguru import logger

from app.container import Container
from app.lifecycle import Deadlines
from app.settings import load_settings
from tests.fakes.exchange import FakeExchange
from tests.fakes.journal import FakeJournal
from tests.postgres_server import start_or_skip

hypothesis_settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis_settings.load_profile("repeatable")

SETTINGS = ("storage.backend=sqlite", "account.leverage=5")
"""What the container of the tests has otherwise than the profile ``benchmark``."""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No test reads this machine's settings, nor writes into its home."""
    for name in ("APP_PROFILE", "APP_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def warned():
    """What the log warns of during a test, line by line."""
    lines = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="WARNING")
    yield lines
    with suppress(ValueError):  # a run that configures the log for itself has removed it
        logger.remove(sink)


@pytest.fixture(scope="session")
def running_server():
    """A PostgreSQL server for all tests of a worker, started for the first that needs it."""
    server = start_or_skip()
    yield server
    server.remove()


@pytest.fixture
def server(running_server):
    """The server, with nothing in it; a journal goes into a schema of its own."""
    yield running_server
    running_server.clean()


@pytest.fixture
def exchange():
    return FakeExchange()


@pytest.fixture
def journal():
    return FakeJournal()


@pytest.fixture
def container(exchange, journal):
    """The real container, on a scripted exchange and a journal in memory; no strategy unless a test adds one."""
    made = Container(loaded=load_settings("benchmark", SETTINGS))
    made.exchange.override(providers.Object(exchange))
    made.journal.override(providers.Object(journal))
    made.strategies.override(providers.Object(()))
    made.folder.override(providers.Object(None))
    # Nobody answers on a scripted exchange unless the test does: a stop must not wait for it.
    made.deadlines.override(providers.Object(Deadlines(drain_s=0.5)))
    return made


@pytest.fixture
async def bot(container):
    """A started bot; stopped at the end, whatever the test did."""
    await container.init_resources()
    yield container.bot()
    with suppress(ExceptionGroup):
        await container.shutdown_resources()
