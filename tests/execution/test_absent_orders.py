"""Orders that should be at the exchange and are not: what may still arrive, what never will, and who may say so."""

import pytest

from app.domain.events import OrderAccepted, OrderCanceled, OrderUnknown
from app.domain.market import SECOND_NS
from app.execution import AbsentOrders, OrderTracker
from tests.builders import BTC, START_NS, fill, order
from tests.fakes.clock import FakeClock

VALID_S = 10


@pytest.fixture
def clock():
    return FakeClock(START_NS)


@pytest.fixture
def tracker():
    return OrderTracker()


@pytest.fixture
def strict(tracker, clock):
    """At an exchange that refuses an order once its ten seconds are over."""
    return AbsentOrders(tracker, clock, valid_ns=VALID_S * SECOND_NS, refuses_late=True)


@pytest.fixture
def lenient(tracker, clock):
    """At one that takes an order however late it comes."""
    return AbsentOrders(tracker, clock, valid_ns=VALID_S * SECOND_NS, refuses_late=False)


def sent(tracker, client_order_id="o1", **changes):
    tracked = tracker.intend(order(client_order_id, **changes))
    tracker.sent(client_order_id)
    return tracked


def test_what_is_absent_may_arrive_until_its_validity_is_over(strict, tracker, clock):
    """Counted from the first question: the order was sent before it."""
    tracked = sent(tracker)
    clock.pass_s(100)
    assert strict.note(tracked)
    clock.pass_s(9.9)
    assert strict.note(tracked)
    clock.pass_s(0.1)
    assert not strict.note(tracked)


def test_what_is_lost_at_an_exchange_that_refuses_late_orders_needs_no_operator(strict, tracker, clock):
    strict.note(sent(tracker))
    clock.pass_s(3600)
    assert list(strict.lost()) == []


def test_one_that_was_there_again_is_absent_anew(strict, tracker, clock):
    """The absence before the answer says nothing about the one after it."""
    tracked = sent(tracker)
    strict.note(tracked)
    strict.forget("o1")
    clock.pass_s(VALID_S)
    assert strict.note(tracked)


def test_those_that_are_absent_are_named_for_as_long_as_they_work(strict, tracker):
    for key in ("o1", "o2"):
        strict.note(sent(tracker, key))
    sent(tracker, "o3")
    assert list(strict.ids()) == ["o1", "o2"]
    tracker.apply(OrderCanceled("o1", BTC, START_NS, "by hand"))
    assert list(strict.ids()) == ["o2"]
    strict.forget("o2")
    assert list(strict.ids()) == []


def test_where_late_orders_are_taken_one_that_only_reduces_is_given_up_after_a_minute(lenient, tracker, clock):
    """An exit must not wait for anybody, and what comes late can open nothing."""
    tracked = sent(tracker, reduce_only=True)
    assert lenient.note(tracked)
    clock.pass_s(59.9)
    assert lenient.note(tracked)
    clock.pass_s(0.1)
    assert not lenient.note(tracked)
    assert list(lenient.lost()) == []


def test_nor_sooner_than_it_is_valid(tracker, clock):
    """Requests are valid for 90 s: after the minute one may still arrive."""
    absent = AbsentOrders(tracker, clock, valid_ns=90 * SECOND_NS, refuses_late=False)
    tracked = sent(tracker, reduce_only=True)
    absent.note(tracked)
    clock.pass_s(89.9)
    assert absent.note(tracked)
    clock.pass_s(0.1)
    assert not absent.note(tracked)


def test_where_late_orders_are_taken_one_that_can_grow_is_lost_until_the_operator_gives_it_up(lenient, tracker, clock):
    tracked = sent(tracker)
    lenient.note(tracked)
    clock.pass_s(59.9)
    assert list(lenient.lost()) == []
    clock.pass_s(3600)
    assert lenient.note(tracked)
    assert list(lenient.lost()) == ["o1"]
    lenient.give_up()
    assert list(lenient.lost()) == []
    assert not lenient.note(tracked)


def test_the_operators_word_is_for_what_is_lost_now(lenient, tracker, clock):
    """What is lost later, under the same id too, is to be given up anew."""
    old = sent(tracker)
    lenient.note(old)
    clock.pass_s(30)
    young = sent(tracker, "o2")
    lenient.note(young)
    clock.pass_s(30)
    lenient.give_up()
    clock.pass_s(30)
    assert (lenient.note(old), lenient.note(young)) == (False, True)
    assert list(lenient.lost()) == ["o2"]
    lenient.forget("o1")
    lenient.note(old)
    clock.pass_s(60)
    assert lenient.note(old)
    assert list(lenient.lost()) == ["o1", "o2"]


def test_what_nobody_asked_for_is_not_lost(lenient, tracker, clock):
    sent(tracker)
    clock.pass_s(3600)
    assert list(lenient.lost()) == []


def accepted(tracker):
    tracker.apply(OrderAccepted("o1", "v1", BTC, START_NS))


def filled_in_part_and_unknown(tracker):
    tracker.fill(fill(contracts="0.4"))
    tracker.apply(OrderUnknown("o1", BTC, START_NS, "no answer"))


@pytest.mark.parametrize("reach", [accepted, filled_in_part_and_unknown])
def test_what_the_exchange_has_had_already_cannot_come_late(lenient, tracker, clock, reach):
    tracked = sent(tracker)
    reach(tracker)
    lenient.note(tracked)
    clock.pass_s(VALID_S)
    assert not lenient.note(tracked)
    clock.pass_s(3600)
    assert list(lenient.lost()) == []
