"""The store fails while the bot runs: nothing is acknowledged that is not on disk, and nothing goes on quietly."""

import sqlite3

import pytest

from app.domain.records import OrderSent
from app.ports.journal import JournalFailed
from app.storage import open_journal
from app.storage.diagnosis import diagnose
from app.storage.engine import JOURNAL_FILE
from app.storage.errors import JournalUnwritable
from tests.storage.inside import store_of
from tests.storage.records import filled, intended
from tests.storage.waiting import until


@pytest.fixture
def place(folder):
    """A file: what a server can do wrong is elsewhere."""
    return folder


def execute(journal, statement):
    """Run a statement on the writer's own connection."""
    return store_of(journal)._connection.connection.cursor().execute(statement).fetchone()


def fill_the_disk(journal):
    (pages,) = execute(journal, "PRAGMA page_count")
    execute(journal, f"PRAGMA max_page_count = {pages}")


def make_read_only(journal):
    execute(journal, "PRAGMA query_only = ON")


def corrupt(journal):
    """Overwrite all but the first page, past what the connection has cached."""
    journal.flush()  # a writer that is at work would have the pages that it needs in its cache again
    execute(journal, "PRAGMA wal_checkpoint(TRUNCATE)")
    execute(journal, "PRAGMA shrink_memory")
    path = store_of(journal)._place
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def append_until_it_fails(journal):
    for number in range(10_000):
        order_id = f"main-1-{number:06d}"
        journal.append(intended(order_id), *filled(f"t{number}", order_id))


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (fill_the_disk, "the disk is full"),
        (make_read_only, "it is read-only"),
        (corrupt, "cannot be read"),
    ],
)
def test_a_broken_store_says_why_and_takes_no_more(opened, break_it, says):
    journal = opened()
    assert journal.failure is None
    break_it(journal)
    with pytest.raises(JournalFailed, match=says):
        append_until_it_fails(journal)
    assert says in str(journal.failure)
    with pytest.raises(JournalFailed, match=says):
        journal.append(intended("main-1-999999"))
    with pytest.raises(JournalFailed, match=says):
        store_of(journal).write([])


def test_a_locked_database_fails_after_the_busy_timeout(opened, folder):
    journal = opened(busy_timeout_s=0.05)
    other = sqlite3.connect(folder / JOURNAL_FILE, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalFailed, match=r"locked by another program for 0\.05 s"):
            journal.append(intended())
    finally:
        other.close()


def test_what_was_durable_before_a_failure_is_there_after_a_restart(opened):
    """And of what failed, nothing: the transaction took all of it back."""
    journal = opened()
    journal.append(intended("main-1-000001"))
    fill_the_disk(journal)
    acknowledged = ["main-1-000001"]

    def append_and_note():
        for number in range(2, 10_000):
            journal.append(intended(f"main-1-{number:06d}"))
            acknowledged.append(f"main-1-{number:06d}")

    with pytest.raises(JournalFailed):
        append_and_note()
    journal.close()
    working = opened().recovered().working_orders
    assert [order.order.client_order_id for order in working] == acknowledged


def test_a_ticket_is_never_called_back_when_the_store_fails(opened):
    journal = opened()
    ticket = journal.append(OrderSent("main-1-000001", 1))
    make_read_only(journal)
    ticket.when_durable(lambda: pytest.fail("was not durable"))
    assert not ticket.durable
    assert journal.failure is not None
    with pytest.raises(JournalFailed):
        journal.flush()
    journal.close()


def test_an_interrupt_while_writing_ends_the_journal(opened, mocker):
    """What was folded in memory is ahead of the disk then: writing on would make it wrong."""
    journal = opened()
    mocker.patch.object(store_of(journal), "_insert", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        journal.append(intended())
    with pytest.raises(JournalFailed, match="KeyboardInterrupt"):
        journal.append(intended())


def test_an_unforeseen_error_is_named(tmp_path):
    error = diagnose(ValueError("strange"), tmp_path / "journal.sqlite", 1)
    assert isinstance(error, JournalUnwritable)
    assert "ValueError: strange" in str(error)


async def test_threaded_a_broken_store_says_why_and_calls_nobody_back(folder):
    journal = open_journal(folder, "main", threaded=True, busy_timeout_s=0.2)
    try:
        make_read_only(journal)
        ticket = journal.append(intended())
        ticket.when_durable(lambda: pytest.fail("was not durable"))
        await until(lambda: journal.failure is not None)
        assert "it is read-only" in str(journal.failure)
        assert not ticket.durable
        with pytest.raises(JournalFailed, match="read-only"):
            journal.append(intended("main-1-000002"))
        with pytest.raises(JournalFailed, match="read-only"):
            journal.flush()
    finally:
        journal.close()
