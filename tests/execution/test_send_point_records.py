"""What the send point puts on record and tells: of which order, when, and why. A wrong word here misleads at night."""

from decimal import Decimal

from app.domain.denial import Denial
from app.domain.events import OrderCanceled, Severity
from app.domain.order import Side
from app.domain.records import CancelIntended, OrderDenied, OrderIntended, OrderSent
from tests.builders import BTC, START_NS, order
from tests.execution.test_send_point import FIRST, SECOND, Desk


def test_an_order_that_leaves_is_on_record_with_its_times():
    """Created at the start, durable and handed over five seconds later."""
    desk = Desk(delayed=True)
    tracked = desk.point.send(order(""))
    desk.books.clock.pass_s(5)
    desk.journal.commit()
    assert desk.journal.records == [
        OrderIntended(tracked.order, START_NS),
        OrderSent(FIRST, START_NS + 5_000_000_000),
    ]


def test_a_denial_is_on_record_with_the_time_of_the_order_and_names_what_is_missing():
    desk = Desk()
    desk.point.send(order("", Side.SELL, reduce_only=True))
    desk.risk.verdict = Denial("test", "2", "1")
    desk.point.send(order(""))
    first, second = desk.journal.of(OrderDenied)
    assert (first.rule, first.limit, first.time_ns) == ("reduce_only", "a position on the other side", START_NS)
    assert (second.order.client_order_id, second.value, second.limit, second.time_ns) == (SECOND, "2", "1", START_NS)


def test_a_cancel_is_on_record_with_its_order_its_time_and_its_reason():
    desk = Desk()
    one, other = desk.point.send(order("")), desk.point.send(order(""))
    desk.point.cancel(one, "changed my mind")
    desk.point.cancel_all([one, other], "halted")
    assert desk.journal.of(CancelIntended) == [
        CancelIntended(FIRST, START_NS, "changed my mind"),
        CancelIntended(SECOND, START_NS, "halted"),
    ]


def test_what_is_canceled_already_does_not_keep_the_rest_from_being_canceled():
    desk = Desk()
    orders = [desk.point.send(order("")) for _ in range(3)]
    desk.point.cancel(orders[0], "alone")
    desk.point.cancel_all(orders, "all")
    assert len(desk.exchange.canceled) == 3


def test_an_unsent_order_does_not_keep_the_rest_from_being_canceled():
    """The first still waits for the store, and never leaves; the second rests at the exchange."""
    desk = Desk(delayed=True)
    sent = desk.point.send(order(""))
    desk.journal.commit()
    unsent = desk.point.send(order(""))
    desk.point.cancel_all([unsent, sent], "halted")
    assert len(desk.exchange.canceled) == 1
    assert desk.journal.of(OrderCanceled) == [OrderCanceled(SECOND, BTC, START_NS, "halted")]
    assert unsent.reason == "halted"


def test_asking_again_counts_as_asked():
    """After a refusal the order is asked for again; the next ordinary cancel must not ask a third time."""
    desk = Desk()
    tracked = desk.point.send(order(""))
    tracked.cancel_requested = False
    desk.point.cancel_again(tracked, "again")
    desk.point.cancel(tracked, "once more")
    assert len(desk.exchange.canceled) == 1


def test_a_store_that_fails_restricts_with_its_own_words():
    desk = Desk()
    held = desk.point.send(order(""))
    desk.journal.fail("the disk is full")
    desk.point.cancel(held, "by hand")
    [reason] = desk.trading.current.reasons
    assert (reason.severity, reason.detail) == (Severity.REDUCE_ONLY, "the disk is full")


def test_an_intent_that_no_store_took_is_told_and_withdrawn_with_the_reason():
    desk = Desk()
    desk.journal.fail("the disk is full")
    tracked = desk.point.send(order(""))
    assert desk.facts == [
        OrderIntended(tracked.order, START_NS),
        OrderCanceled(FIRST, BTC, START_NS, "its intent could not be recorded: the disk is full"),
    ]
    [reason] = desk.trading.current.reasons
    assert (reason.severity, reason.detail) == (Severity.REDUCE_ONLY, "the disk is full")


def test_every_working_order_counts():
    desk = Desk()
    for _ in range(3):
        desk.point.send(order(""))
    assert desk.tracker.open_orders == 3
    assert desk.risk.working == [0, 1, 2]


def test_a_new_order_has_no_venue_id_and_no_reason():
    desk = Desk(delayed=True)
    record = desk.point.send(order("")).record()
    assert (record.venue_order_id, record.reason, record.filled) == (None, "", Decimal(0))
