"""Orders are followed from their intent to their end; nothing brings a status back."""

from decimal import Decimal

import pytest

from app.domain.errors import IllegalTransition
from app.domain.events import (
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
    OrderUnknown,
)
from app.domain.order import OrderStatus
from app.execution import OrderTracker
from app.execution.tracker import ENDED_KEPT_MAX
from tests.builders import BTC, ETH, fill, order, order_record

ACCEPTED = OrderAccepted("o1", "v1", BTC, 1)
TRIGGERED = OrderTriggered("o1", BTC, 1)
REJECTED = OrderRejected("o1", BTC, 1, "no margin")
UNKNOWN = OrderUnknown("o1", BTC, 1, "time-out")
CANCELED = OrderCanceled("o1", BTC, 1, "asked to")
EXPIRED = OrderExpired("o1", BTC, 1, "its time ended")


@pytest.fixture
def tracker():
    return OrderTracker()


@pytest.fixture
def sent(tracker):
    """An order over 3 contracts that was handed to the adapter."""
    tracked = tracker.intend(order(contracts="3"))
    tracker.sent("o1")
    return tracked


def test_an_order_works_from_its_intent_on(tracker):
    tracked = tracker.intend(order(contracts="3"))
    assert tracked.status is OrderStatus.INTENDED
    assert tracker.working(BTC) == (tracked,)
    assert tracker.all_working() == (tracked,)
    assert (tracker.open_orders, tracker.working_symbols) == (1, [BTC])
    assert tracker.working(ETH) == ()


def test_fills_count_down_what_remains_until_nothing_does(tracker, sent):
    tracker.apply(ACCEPTED)
    tracker.fill(fill("t1", contracts="1"))
    assert (sent.status, sent.remaining) == (OrderStatus.PARTIALLY_FILLED, 2)
    tracker.fill(fill("t2", contracts="2"))
    assert (sent.status, sent.remaining) == (OrderStatus.FILLED, 0)
    assert (tracker.open_orders, tracker.working_symbols, tracker.working(BTC)) == (0, [], ())


def test_more_filled_than_ordered_leaves_nothing_and_never_less_than_nothing(tracker, sent):
    tracker.fill(fill(contracts="4"))
    assert (sent.status, sent.filled, sent.remaining) == (OrderStatus.FILLED, 4, 0)


@pytest.mark.parametrize("event", [CANCELED, EXPIRED, REJECTED])
def test_an_order_that_ended_says_why_and_works_no_more(tracker, sent, event):
    assert tracker.apply(event) is sent
    assert not sent.is_working
    assert sent.reason == event.reason
    assert tracker.open_orders == 0
    assert tracker.find("o1") is sent


@pytest.mark.parametrize("event", [ACCEPTED, TRIGGERED, UNKNOWN, CANCELED, EXPIRED, REJECTED])
def test_nothing_becomes_of_an_order_that_has_filled(tracker, sent, event):
    tracker.fill(fill(contracts="3"))
    assert tracker.apply(event) is None
    assert sent.status is OrderStatus.FILLED


def test_an_acceptance_that_comes_after_a_fill_is_stale_but_tells_the_id(tracker, sent):
    tracker.fill(fill())
    assert tracker.apply(ACCEPTED) is None
    assert (sent.status, sent.venue_order_id) == (OrderStatus.PARTIALLY_FILLED, "v1")


def test_a_fill_that_comes_after_the_cancel_counts(tracker, sent):
    tracker.apply(CANCELED)
    assert tracker.fill(fill(contracts="1")) is sent
    assert (sent.status, sent.filled) == (OrderStatus.CANCELED, 1)


def test_an_order_of_unknown_outcome_still_works(tracker, sent):
    tracker.apply(UNKNOWN)
    assert (sent.status, sent.reason) == (OrderStatus.UNKNOWN, "time-out")
    assert tracker.working(BTC) == (sent,)


def test_an_unknown_order_that_is_found_open_works_on(tracker, sent):
    tracker.apply(UNKNOWN)
    tracker.apply(ACCEPTED)
    assert sent.status is OrderStatus.OPEN


def test_an_unknown_order_that_is_found_open_remembers_what_it_filled(tracker, sent):
    tracker.fill(fill())
    tracker.apply(UNKNOWN)
    tracker.apply(ACCEPTED)
    assert sent.status is OrderStatus.PARTIALLY_FILLED


def test_an_order_that_was_never_sent_is_withdrawn(tracker):
    tracked = tracker.intend(order())
    tracker.withdraw("o1", "halted")
    assert (tracked.status, tracked.reason) == (OrderStatus.CANCELED, "halted")
    assert tracker.open_orders == 0


def test_our_own_mistakes_are_loud(tracker, sent):
    """Only what the exchange tells late is dropped in silence."""
    with pytest.raises(IllegalTransition, match="order o1 is sent and cannot become sent") as caught:
        tracker.sent("o1")
    assert (caught.value.client_order_id, caught.value.current, caught.value.wanted) == ("o1", "sent", "sent")
    tracker.withdraw("o1", "halted")
    with pytest.raises(IllegalTransition, match="order o1 is canceled and cannot become canceled"):
        tracker.withdraw("o1", "halted")


def test_facts_of_other_peoples_orders_are_not_ours(tracker, sent):
    assert tracker.apply(OrderAccepted("manual", "v9", BTC, 1)) is None
    assert tracker.fill(fill(client_order_id="manual")) is None
    assert tracker.fill(fill(client_order_id=None)) is None
    assert sent.status is OrderStatus.SENT


@pytest.mark.parametrize(
    ("recorded", "restored"),
    [
        (OrderStatus.INTENDED, OrderStatus.UNKNOWN),
        (OrderStatus.SENT, OrderStatus.UNKNOWN),
        (OrderStatus.UNKNOWN, OrderStatus.UNKNOWN),
        (OrderStatus.OPEN, OrderStatus.OPEN),
        (OrderStatus.PARTIALLY_FILLED, OrderStatus.PARTIALLY_FILLED),
    ],
)
def test_what_was_never_answered_has_an_unknown_outcome_after_a_restart(tracker, recorded, restored):
    """The run may have ended on either side of the sending."""
    tracker.restore([order_record(order(contracts="3"), recorded, "1", "v1", "text")])
    (tracked,) = tracker.all_working()
    assert tracked.status is restored
    assert tracked.record() == order_record(order(contracts="3"), restored, "1", "v1", "text")
    assert tracked.remaining == Decimal(2)


def test_a_restored_order_that_had_ended_is_known_and_does_not_work(tracker):
    tracker.restore([order_record(order(), OrderStatus.CANCELED)])
    assert tracker.open_orders == 0
    assert tracker.fill(fill()) is tracker.find("o1")


def test_only_the_latest_ended_orders_are_kept(tracker):
    """The journal knows all."""
    for number in range(ENDED_KEPT_MAX + 1):
        tracker.intend(order(str(number)))
        tracker.withdraw(str(number), "")
    assert tracker.find("0") is None
    assert tracker.find("1") is not None


@pytest.mark.parametrize("ends_again", [True, False])
def test_an_order_that_ended_here_and_works_there_is_followed_for_as_long_as_it_works(tracker, sent, ends_again):
    """A refusal that was none: found working at the exchange it is taken up again, and may end a second time."""
    tracker.apply(REJECTED)
    tracker.restore([order_record(order(contracts="3"), OrderStatus.OPEN)])
    if ends_again:
        tracker.apply(CANCELED)
    for number in range(ENDED_KEPT_MAX):
        tracker.intend(order(f"p{number}"))
        tracker.withdraw(f"p{number}", "not sent")
    assert (tracker.find("o1") is None) == ends_again
    assert [each.order.client_order_id for each in tracker.all_working()] == ([] if ends_again else ["o1"])
