"""The fake that other tests lean on keeps the port's promises."""

import pytest

from app.domain.records import OrderIntended, StateSaved
from app.ports.journal import JournalFailed
from tests.fakes.journal import FakeJournal
from tests.storage.records import filled, intended


def test_durable_at_once_by_default():
    journal = FakeJournal(states={"risk": b"1"})
    called = []
    journal.append(intended()).when_durable(lambda: called.append(1))
    assert called == [1]
    assert journal.recovered().epoch == 1
    assert journal.state_of("risk") == b"1"
    assert journal.of(OrderIntended) == journal.records


def test_durability_that_the_test_delays():
    journal = FakeJournal(delayed=True)
    called = []
    tickets = [journal.append(intended(str(number))) for number in range(3)]
    for number, ticket in enumerate(tickets):
        ticket.when_durable(lambda number=number: called.append(number))
    journal.commit(2)
    assert [ticket.durable for ticket in tickets] == [True, True, False]
    journal.flush()
    assert called == [0, 1, 2]


def test_a_failure_stops_everything():
    journal = FakeJournal(delayed=True)
    ticket = journal.append(intended())
    ticket.when_durable(lambda: pytest.fail("was not durable"))
    journal.fail("the disk is full")
    journal.commit()
    assert str(journal.failure) == "the disk is full"
    with pytest.raises(JournalFailed, match="disk is full"):
        journal.append(intended())
    with pytest.raises(JournalFailed):
        journal.flush()
    journal.close()
    assert journal.closed


def test_a_crash_keeps_the_durable_prefix():
    journal = FakeJournal(delayed=True)
    journal.append(intended(), *filled(), StateSaved("risk", b"1", 9))
    journal.commit()
    journal.append(intended("lost"))
    again = journal.crashed()
    assert again.recovered().epoch == 2
    assert again.recovered().last_time_ns == 9
    assert [order.filled for order in again.recovered().working_orders] == [1]
    assert again.state_of("risk") == b"1"
    assert again.crashed().recovered().last_time_ns == 9
