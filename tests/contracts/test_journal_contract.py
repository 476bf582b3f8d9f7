"""What every journal promises, run on each: in memory, in a file, on a server, and on the fake of other tests."""

from decimal import Decimal
from functools import partial

import pytest
from pydantic import SecretStr

from app.domain.order import OrderStatus
from app.domain.position import Position
from app.domain.records import OrderSent, StateSaved
from app.ports.journal import JournalFailed
from app.storage import MemoryJournal, ServerPlace, open_journal
from tests.fakes.journal import FakeJournal
from tests.storage.records import BTC, filled, intended

KINDS = ["memory", "fake", "file", "server"]
KEPT = ["fake", "file", "server"]
"""Those that survive the process."""


class Opener:
    """Opens a journal of one kind, again and again at the same place."""

    def __init__(self, make):
        self._make = make
        self._opened = []

    def __call__(self):
        journal = self._make(self._opened[-1] if self._opened else None)
        self._opened.append(journal)
        return journal

    def close(self):
        for journal in self._opened:
            journal.close()


def fake(before):
    return FakeJournal() if before is None else before.crashed()


def in_database(place, before):
    del before
    return open_journal(place, "main", threaded=False, busy_timeout_s=1)


@pytest.fixture
def opened(request, tmp_path):
    if request.param == "memory":
        opener = Opener(lambda before: MemoryJournal())
    elif request.param == "fake":
        opener = Opener(fake)
    elif request.param == "file":
        opener = Opener(partial(in_database, tmp_path / "state"))
    else:
        url = SecretStr(request.getfixturevalue("server").url())
        opener = Opener(partial(in_database, ServerPlace(url=url, schema="perps_main")))
    yield opener
    opener.close()


every = pytest.mark.parametrize("opened", KINDS, indirect=True)
kept = pytest.mark.parametrize("opened", KEPT, indirect=True)


@every
def test_a_first_start_finds_nothing(opened):
    journal = opened()
    recovered = journal.recovered()
    assert (recovered.epoch, recovered.last_time_ns, recovered.working_orders) == (1, None, ())
    assert (recovered.positions, recovered.trade_ids, recovered.ledger_totals) == ((), (), {})
    assert journal.state_of("risk") is None
    assert journal.failure is None


@every
def test_to_append_nothing_is_a_bug(opened):
    with pytest.raises(TypeError):
        opened().append()


@every
def test_a_ticket_that_is_asked_for_is_for_all_that_were_taken_in_before(opened):
    journal = opened()
    assert journal.ticket().durable
    journal.append(OrderSent("main-1-000001", 110))
    ticket = journal.ticket()
    called = []
    ticket.when_durable(lambda: called.append("durable"))
    assert (ticket.durable, called) == (True, ["durable"])


@every
def test_what_waits_for_a_record_is_called_once_it_is_durable(opened):
    journal = opened()
    called = []
    ticket = journal.append(intended())
    ticket.when_durable(lambda: called.append("intent"))
    journal.append(OrderSent("main-1-000001", 110)).when_durable(lambda: called.append("sent"))
    assert called == ["intent", "sent"]
    assert ticket.durable


@every
def test_what_a_part_saves_replaces_what_it_saved_before(opened):
    journal = opened()
    journal.append(StateSaved("risk", b"\x00old", 1), StateSaved("strategy", b"x", 2))
    journal.append(StateSaved("risk", b"\xffnew", 3))
    assert (journal.state_of("risk"), journal.state_of("strategy")) == (b"\xffnew", b"x")


@every
def test_orders_and_fills_change_the_digest(opened):
    journal = opened()
    seen = [journal.digest()]
    for records in ((intended(),), filled()):
        journal.append(*records)
        seen.append(journal.digest())
    assert len(set(seen)) == 3


@kept
def test_a_restart_goes_on_where_the_last_one_ended(opened):
    journal = opened()
    journal.append(intended())
    journal.append(OrderSent("main-1-000001", 110), *filled(), StateSaved("risk", b"peak", 320))
    journal.close()
    again = opened()
    recovered = again.recovered()
    (working,) = recovered.working_orders
    assert (working.order.client_order_id, working.status, working.filled) == (
        "main-1-000001",
        OrderStatus.PARTIALLY_FILLED,
        Decimal(1),
    )
    assert recovered.epoch == 2
    assert recovered.positions == (Position(BTC, Decimal(1), Decimal("100.10")),)
    assert recovered.trade_ids == ("t1",)
    assert again.state_of("risk") == b"peak"


@pytest.mark.parametrize("opened", ["file", "server"], indirect=True)
def test_a_journal_that_is_closed_takes_no_more(opened):
    journal = opened()
    journal.close()
    journal.close()
    with pytest.raises(JournalFailed, match="closed"):
        journal.append(intended())
