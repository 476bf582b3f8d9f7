"""Fills that could not be booked as they were told, remembered until exchange and books agree again."""

import pytest

from app.domain.records import MemoryLost, StateSaved
from app.execution import flawed_fills
from app.execution.flawed_fills import OWNER, FlawedFills
from tests.builders import BTC, ETH, START_NS
from tests.fakes.clock import FakeClock


@pytest.fixture
def saved():
    """What was put on record."""
    return []


@pytest.fixture
def flawed(saved):
    return FlawedFills(FakeClock(START_NS), saved.append)


def restarted(saved):
    """Return what a restart finds."""
    again = FlawedFills(FakeClock(START_NS), [].append)
    assert again.restore(saved[-1].payload) is None
    return again


def test_a_symbol_is_left_out_until_exchange_and_books_agree(flawed):
    flawed.leave_out(BTC, "o1", "t1")
    assert flawed.left_out == {BTC: "o1"}
    assert not flawed.is_explained("t1")
    flawed.begin_comparison()
    flawed.agree()
    assert flawed.left_out == {}
    assert flawed.is_explained("t1")


def test_an_agreement_says_nothing_of_what_was_left_out_while_it_was_sought(flawed):
    """The comparison may have read the exchange before the second fill."""
    flawed.leave_out(BTC, "o1", "t1")
    flawed.begin_comparison()
    flawed.leave_out(ETH, None, "t2")
    flawed.agree()
    assert flawed.left_out == {ETH: None}
    assert (flawed.is_explained("t1"), flawed.is_explained("t2")) == (True, False)


def test_what_is_explained_stays_so_when_its_fill_is_told_again(flawed):
    """An agreement has taken in what it did: the next one need not."""
    flawed.leave_out(BTC, "o1", "t1")
    flawed.begin_comparison()
    flawed.agree()
    flawed.leave_out(BTC, "o2", "t1")
    assert flawed.is_explained("t1")
    flawed.agree()
    assert flawed.is_explained("t1")
    assert flawed.left_out == {BTC: "o2"}


def test_a_fill_without_a_trade_id_leaves_its_symbol_out(flawed):
    flawed.leave_out(BTC, None, None)
    assert flawed.left_out == {BTC: None}


def test_a_fill_that_is_told_right_after_all_is_forgotten(flawed, saved):
    flawed.leave_out(BTC, "o1", "t1")
    flawed.book("t1")
    flawed.begin_comparison()
    flawed.agree()
    assert not flawed.is_explained("t1")
    assert not restarted(saved).is_explained("t1")


def test_what_changes_nothing_is_not_put_on_record(flawed, saved):
    """Every fill and every comparison passes here."""
    flawed.book("t1")
    flawed.agree()
    flawed.leave_out(BTC, "o1", "t1")
    flawed.book("t2")
    assert len(saved) == 1


def test_a_restart_remembers(flawed, saved):
    flawed.leave_out(BTC, "o1", "t1")
    [record] = saved
    assert (type(record), record.owner, record.time_ns) == (StateSaved, OWNER, START_NS)
    again = restarted(saved)
    assert again.left_out == {BTC: "o1"}
    again.agree()
    assert again.left_out == {}
    assert again.is_explained("t1")


def test_a_memory_that_cannot_be_read_is_told_and_begins_anew(flawed):
    lost = flawed.restore(b"{")
    assert (type(lost), lost.time_ns, lost.what) == (MemoryLost, START_NS, "which fills could not be booked")
    assert lost.error
    assert flawed.left_out == {}


def test_of_many_the_oldest_is_forgotten(flawed, monkeypatch):
    """Two are kept; the symbol of the one that is forgotten stays left out."""
    monkeypatch.setattr(flawed_fills, "KEPT_MAX", 2)
    for symbol, trade_id in ((ETH, "t1"), (BTC, "t2"), (BTC, "t3")):
        flawed.leave_out(symbol, None, trade_id)
    assert flawed.left_out == {ETH: None, BTC: None}
    flawed.begin_comparison()
    flawed.agree()
    assert [flawed.is_explained(trade_id) for trade_id in ("t1", "t2", "t3")] == [False, True, True]
