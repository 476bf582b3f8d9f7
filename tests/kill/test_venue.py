"""The venue and the audit notice what they are there for."""

from collections import deque

import msgspec
import pytest

from app.domain.order import OrderType, Purpose, Side
from app.domain.records import OrderRecord
from tests.builders import BTC, limit, mark, order
from tests.kill.audit import Books, differences, duplicates, orphans, unprotected
from tests.kill.protocol import Request, Submit
from tests.kill.venue_process import Venue


class Sink:
    """A client that keeps what it is answered."""

    def __init__(self):
        self.answers = deque()

    def answer(self, request_id, ok=None, error=None):
        self.answers.append(error)


@pytest.fixture
def venue():
    made = Venue(1)
    made._market.is_calm = True
    made._engine.on_market(mark("1000"))
    return made


def submit(venue, an_order, valid_until_ns=2**62):
    sink = Sink()
    arguments = msgspec.Raw(msgspec.json.encode(Submit(an_order, valid_until_ns)))
    venue._arrive(sink, Request(1, "submit", arguments))
    return sink.answers.pop()


def quote(venue):
    for event in venue._market.at(venue._engine.time_ns + 1):
        venue._engine.on_market(event)
    venue._tell_outcomes()


def settled(venue):
    """Let market orders meet a price."""
    for _ in range(5):
        quote(venue)
    return venue._report()


def no_books():
    return Books(
        orders={}, fills=set(), settlements=set(), positions={}, totals={}, entries={}, reasons=set(), starts=1
    )


def test_an_id_is_taken_again_once_its_order_has_ended_and_that_is_noticed(venue):
    submit(venue, order("o1"))
    settled(venue)
    submit(venue, order("o1"))
    report = settled(venue)
    assert report.positions[0].contracts == 2
    assert duplicates(report) == ["o1 was submitted 2 times", "o1 made 2 orders"]


def test_two_entries_of_one_target_are_noticed(venue):
    submit(venue, limit("o1", price="999", target_sequence=7))
    submit(venue, limit("o2", price="999", target_sequence=7))
    assert duplicates(venue._report()) == [f"target {(BTC, 7)} was entered 2 times"]


def test_an_order_that_the_journal_does_not_know_is_an_orphan(venue):
    submit(venue, order("o1"))
    assert orphans(venue._report(), no_books()) == ["o1 is not in the journal"]


def test_what_arrives_after_its_time_is_refused_and_not_there(venue):
    assert submit(venue, order("o1"), valid_until_ns=1).startswith("too late")
    assert venue._order("o1") is None
    assert venue._report().late == 1


def test_books_that_lack_a_fill_are_noticed(venue):
    submit(venue, order("o1"))
    found = differences(settled(venue), no_books())
    assert found[0].startswith("fills: 1 only at the venue")
    assert any(line.startswith("positions: venue") for line in found)
    assert any(line.startswith("wallet: venue") for line in found)


def test_a_position_without_a_stop_of_its_size_is_noticed(venue):
    submit(venue, order("o1"))
    settled(venue)
    assert unprotected(venue._report()) == [f"1 {BTC} has stops of []"]
    guard = {"type": OrderType.STOP_MARKET, "trigger_price": "900", "purpose": Purpose.STOP_LOSS, "reduce_only": True}
    submit(venue, order("o2", Side.SELL, **guard))
    assert unprotected(venue._report()) == []


def test_ended_orders_are_remembered_for_ever(venue):
    """The venue says of no order that it has not had it when it has."""
    submit(venue, order("o1"))
    settled(venue)
    venue._engine._ended.clear()
    assert isinstance(venue._order("o1"), OrderRecord)
