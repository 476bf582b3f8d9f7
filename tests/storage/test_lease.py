"""One account, one writer, on a server: whoever lost the lease never commits again, and knows it."""

import asyncio
import os
import signal
import socket
import threading
import time

import msgspec
import pytest
from dependency_injector import providers

from app.ports.journal import JournalFailed, LeaseLost
from app.storage import JournalInUse, lease, read_summary, rebuild_projections, schema_of
from app.storage.server import connect_server
from tests.storage.inside import store_of, writer_of
from tests.storage.looking import let_lease_expire
from tests.storage.records import intended
from tests.storage.waiting import until

HOLDER = rf"the bot on host {socket.gethostname()} with pid {os.getpid()}, profile testing, running since \d{{4}}-"


@pytest.fixture
def place(server_place):
    """A server: a file has a lock instead."""
    return server_place


@pytest.fixture
def clock(mocker):
    """The holder's clock, for the test to move."""
    ahead = [0.0]
    real = lease.now_s

    def now_s():
        return real() + ahead[0]

    def advance(seconds):
        ahead[0] += seconds

    mocker.patch.object(lease, "now_s", now_s)
    return advance


@pytest.fixture
def brief(place, opened):
    """A place with a lease that runs out soon. Migrated before: that may take longer."""
    opened().close()
    return msgspec.structs.replace(place, lease_s=1.0, wait_s=10.0)


def stop_renewing(journal):
    """As if the process had been frozen."""
    store_of(journal)._renew = lambda: None


def stored(rows):
    return [kind for (kind,) in rows("SELECT kind FROM journal ORDER BY seq")]


def expiry(rows):
    ((expires_at,),) = rows("SELECT expires_at FROM lease")
    return expires_at


# -- two writers ---------------------------------------------------------------------------------------------------


def test_a_second_writer_is_told_who_is_in_its_way(opened, rows):
    first = opened()
    with pytest.raises(JournalInUse, match=f"is in use by {HOLDER}.*waited 0.3 s for its lease: stop that bot") as told:
        opened()
    assert (told.value.holder.pid, told.value.holder.profile) == (os.getpid(), "testing")
    with pytest.raises(JournalInUse):
        rebuild_projections(store_of(first)._place, busy_timeout_s=1)
    first.append(intended())
    assert stored(rows) == ["OrderIntended"]


def test_a_clean_close_lets_the_next_one_in_at_once(opened, place):
    at_once = msgspec.structs.replace(place, wait_s=0.0)
    for epoch in (1, 2, 3):
        journal = opened(at=at_once)
        assert journal.recovered().epoch == epoch
        journal.close()


def test_a_rebuild_lets_the_next_one_in_at_once(opened, place):
    opened().close()
    rebuild_projections(place, busy_timeout_s=1)
    assert opened(at=msgspec.structs.replace(place, wait_s=0.0)).recovered().epoch == 2


def test_a_start_waits_for_one_that_is_stopping(opened, place):
    first = opened()
    closing = threading.Timer(0.3, first.close)
    closing.start()
    assert opened(at=msgspec.structs.replace(place, wait_s=10.0)).recovered().epoch == 2
    closing.join()


@pytest.fixture
def bot_here(container, place):
    """A bot whose journal is at the place: how it is started."""
    storage = {"backend": "postgres", "url": place.url, "lease_wait_s": 20.0, "folder": None}
    settings = container.settings()
    container.settings.override(
        providers.Object(settings.model_copy(update={"storage": settings.storage.model_copy(update=storage)}))
    )
    container.journal.reset_override()
    return container


async def test_the_event_loop_goes_on_while_a_start_waits_for_a_lease(opened, bot_here, tmp_path):
    """Until it is given back the loop turns; then the bot is up, and its transactions are fenced."""
    bot_here.folder.override(providers.Object(tmp_path))
    first = opened()
    starting = asyncio.create_task(bot_here.init_resources())
    for _ in range(50):
        await asyncio.sleep(0.01)
    assert not starting.done()
    first.close()
    await starting
    journal = bot_here.journal()
    assert journal.recovered().epoch == 2
    assert store_of(journal).failed is None
    await bot_here.shutdown_resources()


@pytest.mark.parametrize("is_free", [False, True])
async def test_a_start_that_is_given_up_while_it_waits_takes_no_lease(opened, bot_here, tmp_path, place, is_free):
    """Nor does it keep one that it got in the very moment: the next bot is let in at once."""
    bot_here.folder.override(providers.Object(tmp_path))
    first = opened()
    starting = asyncio.create_task(bot_here.init_resources())
    await asyncio.sleep(0.3)
    if is_free:
        first.close()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    first.close()
    assert opened(at=msgspec.structs.replace(place, wait_s=2.0)).recovered().epoch in {2, 3}


def test_two_who_start_at_once_in_an_empty_database_take_turns(opened, place):
    """Nobody sees a schema that is half made; one gets it, and the other is told."""
    outcomes = []

    def start():
        try:
            outcomes.append(opened(busy_timeout_s=10))
        except JournalInUse as error:
            outcomes.append(error)

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(isinstance(outcome, JournalInUse) for outcome in outcomes) == [False, True]


def test_two_accounts_write_to_one_database_at_once(opened, place):
    other = msgspec.structs.replace(place, schema=schema_of("second"))
    journals = opened(), opened("second", at=other)
    for journal in journals:
        assert journal.append(intended()).durable
    assert [read_summary(at).account_id for at in (place, other)] == ["main", "second"]


def test_the_summary_says_who_writes(opened, place):
    journal = opened()
    assert read_summary(place).writer.pid == os.getpid()
    let_lease_expire(place)
    assert read_summary(place).writer is None
    journal.close()
    assert read_summary(place).writer is None


# -- renewal -------------------------------------------------------------------------------------------------------


async def test_an_idle_holder_renews(opened, place, rows):
    opened(at=msgspec.structs.replace(place, renew_every_s=0.02))
    before = expiry(rows)
    await until(lambda: expiry(rows) > before)


def test_a_commit_renews(opened, rows):
    journal = opened()
    before = expiry(rows)
    journal.append(intended())
    assert expiry(rows) > before


def test_a_transaction_that_is_undone_renews_nothing(opened, clock):
    """Eight seconds are good; five of them are gone."""
    store = store_of(opened())
    clock(5)
    with store._turn, pytest.raises(ValueError, match="undone"), store._transaction():
        raise ValueError("undone")
    assert store._lease.left_s < 3
    store.write([])
    assert store._lease.left_s > 7


def test_the_holder_takes_itself_for_out_before_others_do(opened, clock):
    """Ten seconds, of which it leaves two unused: a commit may be slow, and clocks run unlike."""
    journal = opened()
    clock(7)
    assert journal.failure is None
    clock(1)
    with pytest.raises(LeaseLost, match=r"ran out: it could not be renewed for 8 s, and another bot may write by now"):
        journal.append(intended())


def test_a_lost_lease_is_lost_for_good(opened, clock, rows):
    """The clock of a machine that slept is ahead; that nobody else came meanwhile changes nothing."""
    journal = opened()
    clock(3600)
    assert "ran out" in str(journal.failure)
    clock(-3600)
    for _ in range(2):
        with pytest.raises(LeaseLost, match="ran out"):
            journal.append(intended())
    with pytest.raises(LeaseLost):
        store_of(journal).write([])
    journal.close()
    assert stored(rows) == []


def test_a_closed_journal_loses_nothing(opened, clock):
    journal = opened()
    journal.close()
    clock(3600)
    assert journal.failure is None


# -- taking over ---------------------------------------------------------------------------------------------------


def test_a_lease_that_ran_out_is_taken_over(opened, brief, rows):
    """By the server's clock, after no more than its validity; the one before knows by its own."""
    first = opened(at=brief)
    stop_renewing(first)
    started = time.monotonic()
    second = opened(at=brief)
    assert time.monotonic() - started < 5
    with pytest.raises(LeaseLost):
        first.append(intended("main-1-000001"))
    second.append(intended("main-2-000001"))
    assert stored(rows) == ["OrderIntended"]
    assert rows("SELECT client_order_id FROM orders") == [("main-2-000001",)]


def test_a_stale_holder_never_commits(opened, place, rows):
    """Even if its own clock says that all is well: the epoch of the row is not its own."""
    first = opened()
    let_lease_expire(place)
    second = opened()
    assert first.failure is None
    with pytest.raises(LeaseLost, match=f"was lost to {HOLDER}.*this one writes no more"):
        first.append(intended("main-1-000001"))
    assert "was lost to" in str(first.failure)
    first.close()
    second.append(intended("main-2-000001"))
    assert rows("SELECT client_order_id FROM orders") == [("main-2-000001",)]
    with pytest.raises(JournalInUse):
        opened()  # closing the stale one has not given away the lease of the other


def test_a_row_that_was_deleted_makes_no_second_holder(opened, server, place, rows):
    """Somebody tidied up by hand: whoever comes next is the holder, and only that one."""
    first = opened()
    server.execute("DELETE FROM lease", schema=place.schema)
    second = opened()
    with pytest.raises(LeaseLost):
        first.append(intended("main-1-000001"))
    second.append(intended("main-2-000001"))
    assert rows("SELECT client_order_id FROM orders") == [("main-2-000001",)]


async def test_a_stale_holder_that_idles_learns_of_it(opened, place):
    first = opened(at=msgspec.structs.replace(place, renew_every_s=0.3))
    let_lease_expire(place)
    opened()
    await until(lambda: first.failure is not None)
    assert "was lost to" in str(first.failure)


def test_nobody_takes_over_in_the_middle_of_a_transaction(opened, place, rows):
    """What was begun under the lease is committed under it."""
    first = opened()
    store = store_of(first)
    with store._turn, store._transaction() as cursor:
        cursor.execute("UPDATE lease SET expires_at = clock_timestamp()")
        with pytest.raises(JournalInUse):
            opened()
    assert opened().recovered().epoch == 2


def test_a_holder_frozen_within_a_transaction_is_put_out_by_the_server(opened, brief):
    first = opened(at=brief)
    store = store_of(first)
    with store._turn:
        frozen = store._transaction()
        frozen.__enter__()
        assert opened(at=brief).recovered().epoch == 3
    with pytest.raises(LeaseLost):
        first.append(intended())


# -- the server is gone, or says nothing ---------------------------------------------------------------------------


async def test_a_server_that_hangs_costs_the_lease(opened, brief):
    """Nothing comes back, not even an error: the clock alone tells."""
    journal = opened(at=msgspec.structs.replace(brief, renew_every_s=0.1))
    backend = store_of(journal)._connection.connection.dbapi_connection.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    try:
        await until(lambda: journal.failure is not None)
        assert "ran out" in str(journal.failure)
        with pytest.raises(LeaseLost):
            journal.append(intended())
        with pytest.raises(LeaseLost):
            store_of(journal).write([])
    finally:
        os.kill(backend, signal.SIGCONT)


async def test_a_renewal_that_fails_is_tried_again(opened, place, server, rows):
    """Somebody looks at the row with a lock for a moment: that costs neither the lease nor the store."""
    journal = opened(at=msgspec.structs.replace(place, renew_every_s=0.05), busy_timeout_s=0.05)
    store = store_of(journal)
    before = expiry(rows)
    with connect_server(place, 1) as other, other.begin():
        other.exec_driver_sql("SELECT 1 FROM lease FOR UPDATE")
        await until(lambda: store._hindrance is not None)
    await until(lambda: expiry(rows) > before)
    assert journal.append(intended()).durable


async def test_a_store_that_has_failed_keeps_its_lease(opened, place, rows, mocker):
    """Its bot still cancels and reduces: nobody else shall begin beside it."""
    journal = opened(at=msgspec.structs.replace(place, renew_every_s=0.05))
    mocker.patch.object(store_of(journal), "_insert", side_effect=ValueError("strange"))
    with pytest.raises(JournalFailed, match="strange"):
        journal.append(intended())
    before = expiry(rows)
    await until(lambda: expiry(rows) > before)
    assert "strange" in str(journal.failure)


def test_a_write_waits_for_a_renewal_that_hangs_no_longer_than_the_lease(opened, brief):
    journal = opened(at=brief)
    store = store_of(journal)
    with store._turn, pytest.raises(LeaseLost):
        store.write([])


async def test_a_connection_that_is_lost_is_noticed_while_nothing_is_written(opened, place, server, clock):
    journal = opened(at=msgspec.structs.replace(place, renew_every_s=0.05))
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'perps-bot'")
    await until(lambda: journal.failure is not None)
    assert "was lost (terminating connection" in str(journal.failure)
    with pytest.raises(JournalFailed) as before:
        journal.append(intended())
    assert type(before.value) is JournalFailed
    clock(3600)
    with pytest.raises(LeaseLost, match=r"ran out.*before that, the connection to the journal"):
        journal.append(intended())


async def test_what_waited_for_a_record_is_not_done_after_the_lease_is_lost(opened, clock):
    """The record is durable, the loop comes late: an order would go out beside those of another bot."""
    journal = opened(threaded=True)
    ticket = journal.append(intended())
    ticket.when_durable(lambda: pytest.fail("was called back"))
    writer_of(journal)._wake()
    while writer_of(journal)._committed_seq < 1:
        pass  # the loop is kept from running meanwhile
    clock(3600)
    await asyncio.sleep(0.01)
    assert not ticket.durable


@pytest.mark.parametrize("threaded", [False, True])
async def test_what_is_durable_already_is_not_acted_on_either(opened, clock, threaded):
    journal = opened(threaded=threaded)
    ticket = journal.append(intended())
    journal.flush()
    called = []
    ticket.when_durable(lambda: called.append("before"))
    clock(3600)
    ticket.when_durable(lambda: called.append("after"))
    assert called == ["before"]


def test_a_renewal_that_hangs_does_not_hang_the_stop(opened, mocker):
    mocker.patch("app.storage.leased_store.STOP_S", 0.01)
    journal = opened()
    store = store_of(journal)
    mocker.patch.object(store, "_keeper", threading.Thread(target=time.sleep, args=(0.3,)))
    store._keeper.start()
    journal.close()
    assert not store._connection.closed
    store._keeper.join()
    journal._release()
    assert store._connection.closed
