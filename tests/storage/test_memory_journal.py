"""The journal of runs that end with the process."""

import subprocess
import sys
import tracemalloc

from app.domain.records import OrderSent, StateSaved
from app.storage import MemoryJournal
from tests.storage.records import fill, intended


def test_tickets_are_durable_at_once():
    called = []
    ticket = MemoryJournal().append(intended())
    ticket.when_durable(lambda: called.append(True))
    assert ticket.durable
    assert called == [True]


def test_nothing_is_recovered_and_it_is_the_first_start():
    recovered = MemoryJournal().recovered()
    assert recovered.epoch == 1
    assert recovered.last_time_ns is None
    assert recovered.working_orders == recovered.positions == recovered.trade_ids == recovered.reasons == ()


def test_the_last_state_of_each_owner_is_kept():
    journal = MemoryJournal()
    journal.append(StateSaved("risk", b"1", 1), StateSaved("risk", b"2", 2))
    assert journal.state_of("risk") == b"2"
    assert journal.state_of("strategy") is None


def test_records_orders_and_fills_are_counted():
    journal = MemoryJournal()
    journal.append(intended(), OrderSent("main-1-000001", 1), fill())
    assert (journal.records, journal.orders, journal.fills) == (3, 1, 1)
    journal.flush()
    journal.close()
    assert journal.failure is None


def test_equal_runs_have_equal_digests_and_other_runs_others():
    journals = [MemoryJournal() for _ in range(3)]
    for journal in journals:
        journal.append(intended(), fill())
    assert journals[0].digest() == journals[1].digest()
    journals[2].append(fill("t2"))
    assert journals[0].digest() != journals[2].digest()


def test_chatter_does_not_change_the_digest():
    journal = MemoryJournal()
    before = journal.digest()
    journal.append(OrderSent("main-1-000001", 1))
    assert journal.digest() == before


def test_memory_does_not_grow_with_the_run():
    journal = MemoryJournal()
    records = intended(), fill(), StateSaved("risk", b"x" * 1000, 1)
    journal.append(*records)
    tracemalloc.start()
    try:
        for _ in range(20_000):
            journal.append(*records)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 20_000


def test_importing_the_package_does_not_import_the_database():
    """A benchmark keeps its journal in memory and must not pay for SQLAlchemy."""
    code = "import sys, app.storage; sys.exit('sqlalchemy' in sys.modules or 'alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
