"""Group commit on a thread of its own."""

import asyncio
import threading
import time

import pytest

from app.domain.records import OrderSent
from app.ports.journal import JournalFailed
from app.storage import commit_threaded, read_summary
from tests.storage.inside import store_of, writer_of
from tests.storage.records import filled, intended
from tests.storage.waiting import until


class Gate:
    """Holds the writer back before it writes, until opened."""

    def __init__(self, journal, mocker):
        self.open = threading.Event()
        self.batches = []
        store = store_of(journal)
        write = store.write

        def wait_then_write(batch):
            self.batches.append(len(batch))
            assert self.open.wait(5)
            write(batch)

        mocker.patch.object(store, "write", wait_then_write)


async def durable(ticket):
    async with asyncio.timeout(5):
        event = asyncio.Event()
        ticket.when_durable(event.set)
        await event.wait()


async def test_append_returns_before_anything_is_written(opened, mocker):
    journal = opened(threaded=True)
    gate = Gate(journal, mocker)
    ticket = journal.append(intended())
    assert not ticket.durable
    gate.open.set()
    await durable(ticket)
    assert ticket.durable


async def test_an_order_that_waits_has_the_loop_wait_for_the_disk(opened, mocker):
    """Else the two threads would take the interpreter from each other while the order waits."""
    mocker.patch.object(commit_threaded, "LINGER_S", 5)
    called = []
    journal = opened(threaded=True)
    for number in range(3):
        ticket = journal.append(intended(f"main-1-{number:06d}"))
        ticket.when_durable(lambda number=number: called.append(number))
    await asyncio.sleep(0)
    assert called == [0, 1, 2]


async def test_a_disk_that_hangs_holds_the_loop_up_once(opened, mocker):
    mocker.patch.object(commit_threaded, "LINGER_S", 0.2)
    journal = opened(threaded=True)
    gate = Gate(journal, mocker)
    began_s = time.monotonic()
    for number in range(20):
        ticket = journal.append(intended(f"main-1-{number:06d}"))
        ticket.when_durable(lambda: None)
        await asyncio.sleep(0)
    assert 0.2 <= time.monotonic() - began_s < 20 * 0.2
    gate.open.set()
    await durable(ticket)


async def test_callbacks_run_on_the_loop_in_the_order_of_the_records(opened):
    journal = opened(threaded=True)
    called = []
    tickets = []
    for number in range(200):
        ticket = journal.append(intended(f"main-1-{number:06d}"))
        ticket.when_durable(lambda number=number: called.append((number, threading.current_thread())))
        tickets.append(ticket)
        if number % 50 == 0:
            await asyncio.sleep(0.002)
    await durable(tickets[-1])
    assert called == [(number, threading.main_thread()) for number in range(200)]


async def test_a_ticket_is_not_durable_before_those_that_waited_earlier_were_called(opened):
    """Else a late callback, called at once, could overtake an early one that is on its way to the loop."""
    journal = opened(threaded=True)
    called = []
    first = journal.append(intended())
    first.when_durable(lambda: called.append("first"))
    writer_of(journal)._wake()
    while writer_of(journal)._committed_seq < 1:
        pass  # the loop is kept from running meanwhile
    first.when_durable(lambda: called.append("second"))
    assert called == []
    await durable(first)
    first.when_durable(lambda: called.append("third"))
    assert called == ["first", "second", "third"]


async def test_what_comes_while_the_writer_writes_goes_into_one_transaction(opened, mocker):
    journal = opened(threaded=True)
    gate = Gate(journal, mocker)
    journal.append(intended("main-1-000001"))
    await until(lambda: gate.batches)
    for number in range(2, 52):
        last = journal.append(intended(f"main-1-{number:06d}"))
    gate.open.set()
    await durable(last)
    assert gate.batches == [1, 50]


async def test_a_group_is_bounded(opened, mocker):
    mocker.patch.object(commit_threaded, "GROUP_RECORDS_MAX", 3)
    journal = opened(threaded=True)
    gate = Gate(journal, mocker)
    for number in range(8):
        last = journal.append(OrderSent(f"main-1-{number}", 1))
    gate.open.set()
    await durable(last)
    assert max(gate.batches) <= 3


@pytest.mark.parametrize("most", [1, 3, 4, 7])
async def test_what_belongs_together_is_written_together(opened, mocker, most):
    """A fill without the ledger entry that it caused would be taken for booked at the next start."""
    mocker.patch.object(commit_threaded, "GROUP_RECORDS_MAX", most)
    journal = opened(threaded=True)
    gate = Gate(journal, mocker)
    for number in range(8):
        last = journal.append(*(OrderSent(f"main-1-{number}", part) for part in range(3)))
    gate.open.set()
    await durable(last)
    assert sum(gate.batches) == 24
    assert {size % 3 for size in gate.batches} == {0}


async def test_a_full_queue_fails_the_journal(opened, mocker):
    """A disk that hangs must stop new orders, not eat memory."""
    mocker.patch.object(commit_threaded, "QUEUED_RECORDS_MAX", 3)
    journal = opened(threaded=True)
    gate = Gate(journal, mocker)

    def append_many():
        for number in range(10):
            journal.append(intended(f"main-1-{number:06d}"))

    with pytest.raises(JournalFailed, match=r"behind by \d records: the disk hangs"):
        append_many()
    assert "the disk hangs" in str(journal.failure)
    gate.open.set()


async def test_flush_and_close_write_everything_and_call_back(opened, place):
    journal = opened(threaded=True)
    called = []
    journal.append(intended("main-1-000001")).when_durable(lambda: called.append(1))
    journal.flush()
    assert called == [1]
    for number in range(2, 500):
        journal.append(intended(f"main-1-{number:06d}"))
    journal.append(*filled()).when_durable(lambda: called.append(2))
    journal.close()
    assert called == [1, 2]
    assert read_summary(place).records == 501 + 1
    await asyncio.sleep(0)  # what the writer had told the loop comes late, and changes nothing
    assert called == [1, 2]


async def test_closing_does_not_wait_forever_for_a_disk_that_hangs(opened, mocker):
    mocker.patch.object(commit_threaded, "CLOSE_S", 0.01)
    journal = opened(threaded=True, busy_timeout_s=0.01)
    gate = Gate(journal, mocker)
    ticket = journal.append(intended())
    with pytest.raises(JournalFailed, match=r"did not finish within 0\.02 s"):
        journal.flush()
    journal.close()
    assert not ticket.durable
    gate.open.set()
    writer_of(journal)._thread.join(5)


def test_a_loop_that_is_gone_is_no_failure(opened, mocker):
    """The bot's loop ended before the last record was written: it is written all the same."""
    journal = opened(threaded=True)
    gate = Gate(journal, mocker)

    async def append():
        return journal.append(intended())

    ticket = asyncio.run(append())
    gate.open.set()
    journal.close()
    assert journal.failure is None
    assert ticket.durable


def test_a_journal_that_nobody_used_closes(opened):
    journal = opened(threaded=True)
    journal.close()
    assert journal.failure is None
