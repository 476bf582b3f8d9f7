"""The one send point: judged, recorded durably, and only then sent."""

from decimal import Decimal

import pytest

from app.domain.denial import Denial
from app.domain.events import CancelRejected, OrderCanceled, OrderUnknown, Severity
from app.domain.margin import MarginMode
from app.domain.order import OrderStatus, Side
from app.domain.records import CancelIntended, OrderDenied, OrderIntended, OrderSent
from app.execution import clamp_to_position
from app.execution.send_point import NothingToReduce
from app.ports.journal import JournalFailed, LeaseLost
from tests.builders import BTC, ETH, START_NS, fill, order
from tests.execution.desk import Desk

FIRST = "main-1-000001"
SECOND = "main-1-000002"


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def slow():
    """A desk whose store takes its time."""
    return Desk(delayed=True)


def exit_order(contracts="1", side=Side.SELL):
    return order("", side, contracts, reduce_only=True)


def test_the_intent_is_recorded_before_the_order_is_handed_over(desk):
    tracked = desk.point.send(order(""))
    assert desk.recorded() == [OrderIntended, OrderSent]
    assert desk.journal.records[0].order == tracked.order == desk.exchange.submitted[0]
    assert tracked.order.client_order_id == FIRST
    assert tracked.status is OrderStatus.SENT
    assert [type(fact) for fact in desk.facts] == [OrderIntended]


def test_nothing_leaves_until_the_intent_is_durable(slow):
    tracked = slow.point.send(order(""))
    assert (slow.sent, tracked.status) == ([], OrderStatus.INTENDED)
    assert slow.books.working(BTC) == (tracked,)
    slow.journal.commit()
    assert (slow.sent, tracked.status) == ([FIRST], OrderStatus.SENT)


@pytest.mark.parametrize(("symbol", "sent"), [(BTC, []), (ETH, [FIRST])])
def test_a_growing_order_is_withdrawn_when_its_symbol_was_restricted_while_it_waited(slow, symbol, sent):
    """What holds another symbol back holds nothing of this one."""
    slow.point.send(order(""))
    slow.trading.raise_reason("execution", f"unlisted:{symbol}", Severity.SYMBOL_REDUCE_ONLY, "")
    slow.journal.commit()
    assert slow.sent == sent


def test_an_order_that_waits_for_the_store_counts_for_the_next(slow):
    slow.point.send(order(""))
    slow.point.send(order("", contracts="2"))
    assert slow.risk.working == [0, 1]
    assert slow.books.orders_since(START_NS) == 2


@pytest.mark.parametrize("severity", [Severity.REDUCE_ONLY, Severity.HALTED])
def test_a_growing_order_is_withdrawn_when_trading_was_restricted_while_it_waited(slow, severity):
    tracked = slow.point.send(order(""))
    slow.halt(severity)
    slow.journal.commit()
    assert (slow.sent, tracked.status) == ([], OrderStatus.CANCELED)
    assert tracked.reason == f"trading became {severity} before it was sent"
    assert slow.recorded() == [OrderIntended, OrderCanceled]
    assert isinstance(slow.facts[-1], OrderCanceled)


def test_a_reducing_order_goes_out_although_trading_was_halted_while_it_waited(slow):
    slow.hold(Decimal(1))
    slow.point.send(exit_order())
    slow.halt()
    slow.journal.commit()
    assert slow.sent == [FIRST]


def test_a_denied_order_is_recorded_with_the_rule_the_value_and_the_limit(desk):
    desk.risk.verdict = Denial("order_notional", "120", "100")
    assert desk.point.send(order("")) == Denial("order_notional", "120", "100")
    (record,) = desk.journal.of(OrderDenied)
    assert (record.order.client_order_id, record.rule, record.value, record.limit) == (
        FIRST,
        "order_notional",
        "120",
        "100",
    )
    assert desk.facts == [record]
    assert (desk.sent, desk.tracker.open_orders, desk.books.orders_since(0)) == ([], 0, 0)


def test_a_denial_stands_although_the_store_fails(desk):
    desk.risk.verdict = Denial("order_notional", "120", "100")
    desk.journal.fail()
    assert desk.point.send(order("")) == Denial("order_notional", "120", "100")
    assert desk.trading.current.holds("execution", "store_failed")


def test_a_growing_order_does_not_leave_when_the_store_fails(desk):
    desk.journal.fail("the disk is full")
    tracked = desk.point.send(order(""))
    assert (desk.sent, tracked.status) == ([], OrderStatus.CANCELED)
    assert tracked.reason == "its intent could not be recorded: the disk is full"
    assert desk.trading.current.holds("execution", "store_failed")
    assert desk.tracker.open_orders == 0


def test_a_reducing_order_leaves_although_the_store_fails(desk):
    desk.hold(Decimal(1))
    desk.journal.fail()
    tracked = desk.point.send(exit_order())
    assert (desk.sent, tracked.status) == ([FIRST], OrderStatus.SENT)
    assert desk.trading.current.holds("execution", "store_failed")


def test_orders_that_wait_for_a_store_that_fails_do_not_wait_for_ever(slow):
    """It will not call back: what reduces goes out, what grows is withdrawn, what was sent stays sent."""
    slow.hold(Decimal(1))
    before = slow.point.send(order(""))
    slow.journal.commit()
    growing, reducing = slow.point.send(order("", contracts="2")), slow.point.send(exit_order())
    slow.journal.fail("the disk is full")
    slow.point.store_failed(JournalFailed("the disk is full"))
    assert slow.sent == [FIRST, "main-1-000003"]
    assert [each.status for each in (before, growing, reducing)] == [
        OrderStatus.SENT,
        OrderStatus.CANCELED,
        OrderStatus.SENT,
    ]


def test_a_reducing_order_is_cut_to_the_position_before_risk_sees_it(desk):
    desk.hold(Decimal(2))
    assert desk.point.send(exit_order("5")).order.contracts == Decimal(2)


@pytest.mark.parametrize("held", [0, -1])
def test_a_reducing_order_without_a_position_on_the_other_side_is_denied(desk, held):
    if held:
        desk.hold(Decimal(held))
    denial = desk.point.send(exit_order())
    assert (denial.rule, denial.value) == ("reduce_only", f"there is no {BTC} position that a sell could reduce")
    assert desk.risk.working == []


def test_an_order_is_canceled_once(desk):
    tracked = desk.point.send(order(""))
    desk.point.cancel(tracked, "target changed")
    desk.point.cancel(tracked, "target changed again")
    assert desk.exchange.canceled == [(FIRST, "target changed")]
    assert [record.reason for record in desk.journal.of(CancelIntended)] == ["target changed"]


def test_an_order_that_never_left_is_canceled_without_the_exchange(slow):
    tracked = slow.point.send(order(""))
    slow.point.cancel(tracked, "target changed")
    slow.journal.commit()
    assert (slow.sent, slow.exchange.canceled) == ([], [])
    assert (tracked.status, tracked.reason) == (OrderStatus.CANCELED, "target changed")
    assert slow.journal.of(OrderSent) == []


def test_an_order_that_ended_is_not_canceled(desk):
    tracked = desk.point.send(order(""))
    desk.tracker.fill(fill(client_order_id=FIRST))
    desk.point.cancel(tracked, "too late")
    assert desk.exchange.canceled == []


def test_a_cancel_does_not_wait_for_the_store(desk):
    tracked = desk.point.send(order(""))
    desk.journal.fail()
    desk.point.cancel(tracked, "halted")
    assert desk.exchange.canceled == [(FIRST, "halted")]


async def test_margin_mode_and_leverage_are_set_at_the_exchange(desk):
    await desk.point.configure(BTC, MarginMode.ISOLATED, Decimal(5))
    assert desk.exchange.configured == [(BTC, MarginMode.ISOLATED, Decimal(5))]


def test_ids_are_never_used_twice_not_even_by_denied_orders(desk):
    desk.risk.verdict = Denial("a", "b", "c")
    desk.point.send(order(""))
    desk.risk.verdict = None
    assert desk.point.send(order("")).order.client_order_id == SECOND


def test_a_growing_order_is_never_cut():
    growing = order(contracts="5")
    assert clamp_to_position(growing, Decimal(1)) is growing


@pytest.mark.parametrize(("held", "side"), [("2", Side.SELL), ("-2", Side.BUY)])
def test_a_reducing_order_is_cut_to_what_is_held(held, side):
    assert clamp_to_position(exit_order("5", side), Decimal(held)).contracts == Decimal(2)
    fitting = exit_order("1.5", side)
    assert clamp_to_position(fitting, Decimal(held)) is fitting


@pytest.mark.parametrize(("held", "side"), [("2", Side.BUY), ("-2", Side.SELL), ("0", Side.BUY)])
def test_there_is_nothing_to_reduce_on_the_same_side(held, side):
    with pytest.raises(NothingToReduce):
        clamp_to_position(exit_order("1", side), Decimal(held))


# -- many cancels at once ---------------------------------------------------------------------------------------


def test_all_cancels_leave_before_the_first_is_recorded(desk):
    """Three orders work: three requests at the exchange, while the journal still has none of them."""
    working = [desk.point.send(order("", contracts=size)) for size in ("1", "2", "3")]
    recorded = []
    cancel = desk.exchange.cancel

    def note(asked, reason):
        cancel(asked, reason)
        recorded.append(CancelIntended in desk.recorded())

    desk.exchange.cancel = note

    desk.point.cancel_all(working, "trading halted")

    assert recorded == [False, False, False]
    assert desk.recorded()[-3:] == [CancelIntended] * 3
    assert [reason for _, reason in desk.exchange.canceled] == ["trading halted"] * 3


def test_all_cancels_leave_though_the_store_has_failed(desk):
    working = [desk.point.send(order("", contracts=size)) for size in ("1", "2")]
    desk.journal.fail()

    desk.point.cancel_all(working, "trading halted")

    assert len(desk.exchange.canceled) == 2
    assert desk.trading.current.holds("execution", "store_failed")


def test_of_many_what_has_not_left_is_withdrawn_and_what_was_asked_for_or_ended_is_left_alone(slow):
    asked, waits = slow.point.send(order("")), slow.point.send(order("", contracts="2"))
    slow.journal.commit(1)
    slow.point.cancel(asked, "before")
    assert (asked.status, waits.status) == (OrderStatus.SENT, OrderStatus.INTENDED)

    slow.point.cancel_all([asked, waits], "trading halted")
    slow.point.cancel_all([asked, waits], "trading halted")

    assert waits.status is OrderStatus.CANCELED
    assert [reason for _, reason in slow.exchange.canceled] == ["before"]


def test_a_cancel_is_asked_for_again_without_a_second_record(desk):
    tracked = desk.point.send(order(""))
    desk.point.cancel(tracked, "trading halted")

    desk.point.cancel_again(tracked, "asked for again")

    assert desk.exchange.canceled == [(FIRST, "trading halted"), (FIRST, "asked for again")]
    assert desk.recorded().count(CancelIntended) == 1


def test_a_reducing_order_that_waited_for_the_store_is_withdrawn_when_nothing_is_left_to_reduce():
    """A stop closed the position meanwhile; what is still there on the same side is no reason to send either."""
    desk = Desk(delayed=True)
    desk.hold(Decimal(2))
    desk.point.send(order(side=Side.SELL, contracts="2", reduce_only=True))
    desk.portfolio.apply(fill("stop", Side.SELL, contracts=2, client_order_id=None))
    desk.journal.commit()
    assert desk.sent == []
    assert desk.facts[-1].reason == "there is nothing to reduce any more"
    assert desk.tracker.open_orders == 0


class TestLostLease:
    """Another bot may write by now: nothing leaves any more, not even what reduces."""

    @pytest.fixture
    def desk(self):
        desk = Desk(delayed=True)
        desk.hold(Decimal(2))
        return desk

    def test_what_waited_for_the_store_is_withdrawn(self, desk):
        waiting = desk.point.send(order(side=Side.SELL, contracts="1", reduce_only=True))
        desk.journal.fail("taken over", LeaseLost)
        desk.point.store_failed(LeaseLost("taken over"))
        assert desk.sent == []
        assert waiting.status is OrderStatus.CANCELED
        assert desk.trading.current.holds("execution", "lease_lost")

    def test_an_order_that_was_durable_and_not_yet_handed_over_stays_here(self, desk):
        waiting = desk.point.send(order(side=Side.SELL, contracts="1", reduce_only=True))
        desk.point.lost = LeaseLost("taken over")
        desk.journal.commit()
        assert (desk.sent, waiting.status, waiting.reason) == ([], OrderStatus.CANCELED, "taken over")

    def test_what_reduces_is_denied_and_nothing_is_canceled(self, desk):
        resting = desk.point.send(order(contracts="1"))
        desk.journal.commit()
        desk.point.store_failed(LeaseLost("taken over"))
        denied = desk.point.send(order(side=Side.SELL, contracts="1", reduce_only=True))
        assert denied.rule == "lease"
        for ask in (desk.point.cancel, desk.point.cancel_again, lambda item, why: desk.point.cancel_all([item], why)):
            ask(resting, "please")
        assert desk.exchange.canceled == []

    def test_whoever_must_know_is_told_once(self, desk, mocker):
        desk.point._on_lost = mocker.Mock()
        for _ in range(2):
            desk.point.store_failed(LeaseLost("taken over"))
        desk.point._on_lost.assert_called_once()


def test_an_order_whose_lease_is_found_lost_at_the_last_moment_stays_here(slow):
    tracked = slow.point.send(order(""))
    [(_, release)] = slow.journal.waiting
    slow.journal.fail("taken over", LeaseLost)
    release()
    assert (slow.sent, tracked.status) == ([], OrderStatus.CANCELED)
    assert str(slow.point.lost) == "taken over"


def test_no_cancel_leaves_once_the_journal_knows_that_the_lease_is_over(desk):
    """A machine that has slept: nothing was written since."""
    tracked = desk.point.send(order(""))
    desk.journal.fail("it is over", LeaseLost)
    desk.point.cancel(tracked, "why")
    assert (desk.exchange.canceled, tracked.cancel_requested) == ([], False)
    assert desk.point.lost is not None


@pytest.mark.parametrize("delayed", [False, True])
def test_what_became_of_an_order_is_unknown_when_the_adapter_raises_while_it_sends(delayed, mocker):
    """It may have left before. Those that wait for the store after it leave all the same."""
    desk = Desk(delayed=delayed)
    mocker.patch.object(desk.exchange, "submit", side_effect=[ZeroDivisionError("lot"), None])
    desk.point.send(order(""))
    desk.point.send(order("", contracts="2"))
    desk.journal.commit()
    why = "the adapter failed while it sent: ZeroDivisionError: lot"
    assert desk.told == [OrderUnknown(FIRST, BTC, START_NS, why)]
    assert desk.exchange.submit.call_count == 2


@pytest.mark.parametrize("again", [False, True])
def test_an_order_is_asked_for_when_the_adapter_raises_while_it_cancels(desk, mocker, again):
    """Whether the cancel has left is as unknown; that it was refused has it asked for once more."""
    mocker.patch.object(desk.exchange, "cancel", side_effect=KeyError("x"))
    tracked = desk.point.send(order(""))
    (desk.point.cancel_again if again else desk.point.cancel)(tracked, "halted")
    why = "the adapter failed while it canceled: KeyError: 'x'"
    assert desk.told == [OrderUnknown(FIRST, BTC, START_NS, why), CancelRejected(FIRST, BTC, START_NS, why)]
