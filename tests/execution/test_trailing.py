"""A trailing stop where the exchange holds none: where it belongs, and that it only ever gets nearer."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.events import OrderAccepted, OrderCanceled, OrderRejected, OrderUnknown
from app.domain.order import OrderStatus, OrderType, Purpose, Side, check_order
from app.execution import OrderTracker, Pursuit, Trail, plan, trail_after
from app.execution.trailing import is_met, step_of, trigger_of
from tests.builders import BTC, START_NS, fill, instrument, number, order, target
from tests.execution.test_planner import brief, canceled, planned
from tests.execution.test_planner import working as working_order
from tests.properties import BRIEF

SELL, BUY = Side.SELL, Side.BUY


def trail(best, mark=None):
    return Trail(number(best), number(mark or best))


def trailing(best, mark=None, contracts="1", **changes):
    """Return a pursuit whose stop trails by 5."""
    return Pursuit(target(contracts, trailing="5", **changes), entered=True, trail=trail(best, mark))


def stop(name, trigger, contracts="1", side=SELL, status=OrderStatus.OPEN):
    item = working_order(name, side, contracts, Purpose.STOP_LOSS, type=OrderType.STOP_MARKET, trigger_price=trigger)
    item.status = status
    return item


# -- where the stop belongs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "best", "offset", "expected"),
    [
        (SELL, "110", "5", "105"),
        (BUY, "110", "5", "115"),
        # On the tick of 0.1, rather nearer than farther away.
        (SELL, "110.04", "5", "105.1"),
        (BUY, "110.04", "5", "115.0"),
        # However small the offset, it stays behind the best mark.
        (SELL, "110", "0.01", "109.9"),
        (SELL, "110.04", "0.01", "110.0"),
    ],
)
def test_a_stop_belongs_the_offset_behind_the_best_mark(side, best, offset, expected):
    assert trigger_of(trail(best), number(offset), side, instrument(tick_size="0.1")) == number(expected)


def test_a_stop_is_worth_moving_by_a_tenth_of_the_offset_or_by_a_tick():
    assert step_of(Decimal(5), instrument(tick_size="0.1")) == Decimal("0.5")
    assert step_of(Decimal("0.3"), instrument(tick_size="0.1")) == Decimal("0.1")


prices = st.decimals("1", "100000", places=3)


@BRIEF
@given(marks=st.lists(prices, min_size=1), offset=prices, side=st.sampled_from(Side))
def test_a_trigger_never_goes_back_and_never_risks_more_than_the_offset(marks, offset, side):
    listed, way, before, now = instrument(tick_size="0.1"), -side.sign, None, None
    for mark in marks:
        now = trail_after(now, mark, side)
        trigger = trigger_of(now, offset, side, listed)
        assert before is None or (trigger - before) * way >= 0
        assert trigger % listed.tick_size == 0
        assert 0 < (now.best - trigger) * way <= max(offset, listed.tick_size)
        assert is_met(now, trigger, side) is ((mark - trigger) * way <= 0)
        before = trigger


# -- what is sent and canceled -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("held", "side", "trigger"), [("1", SELL, "105"), ("-1", BUY, "115")])
def test_what_is_held_is_protected_by_an_ordinary_stop(held, side, trigger):
    (sent,) = planned(trailing("110", contracts=held), held=held).send
    assert (sent.type, sent.side, sent.contracts) == (OrderType.STOP_MARKET, side, 1)
    assert (sent.trigger_price, sent.trailing_offset, sent.reduce_only) == (number(trigger), None, True)
    check_order(sent, instrument())


def test_it_is_of_one_group_with_the_take_profit():
    sent, profit = planned(trailing("110", take_profit="120"), held="1").send
    assert sent.oco_group == profit.oco_group is not None


def test_a_stop_less_than_a_step_behind_is_left_alone():
    """A step is a tenth of 5. It belongs at 105, and rests at 104.6."""
    todo = planned(trailing("110"), held="1", working=[stop("old", "104.6")])
    assert (todo.send, todo.cancel) == ([], [])


def test_a_stop_a_step_behind_stays_until_the_nearer_one_rests():
    old = stop("old", "104.5")
    todo = planned(trailing("110"), held="1", working=[old])
    assert ([each.trigger_price for each in todo.send], todo.cancel) == ([105], [])
    for status in (OrderStatus.INTENDED, OrderStatus.SENT, OrderStatus.UNKNOWN):
        todo = planned(trailing("120"), held="1", working=[old, stop("new", "105", status=status)])
        assert (todo.send, todo.cancel) == ([], [])
    todo = planned(trailing("110"), held="1", working=[old, stop("new", "105")])
    assert (todo.send, canceled(todo)) == ([], [("old", "stop moved")])


def test_a_stop_that_was_refused_is_sent_again_while_the_old_one_rests():
    todo = planned(trailing("111"), held="1", working=[stop("old", "104.5")])
    assert ([each.trigger_price for each in todo.send], todo.cancel) == ([106], [])


def test_a_stop_never_goes_back_though_the_price_does():
    todo = planned(trailing("110", "106"), held="1", working=[stop("old", "105")])
    assert (todo.send, todo.cancel) == ([], [])


def test_another_fill_gets_a_stop_of_its_size_and_the_old_one_stays_until_that_rests():
    old = stop("old", "105")
    todo = planned(trailing("110", contracts="2"), held="2", working=[old])
    assert (brief(todo.send), todo.cancel) == ([(Purpose.STOP_LOSS, SELL, 2)], [])
    late = stop("late", "105", "2", status=OrderStatus.SENT)
    todo = planned(trailing("110", contracts="3"), held="3", working=[old, late])
    assert (brief(todo.send), canceled(todo)) == ([(Purpose.STOP_LOSS, SELL, 3)], [("late", "protection resized")])
    todo = planned(trailing("110", contracts="3"), held="3", working=[old, stop("new", "105", "3")])
    assert (todo.send, canceled(todo)) == ([], [("old", "protection resized")])


def test_a_price_that_has_met_the_stop_closes_at_the_market():
    """From 110 to 104 at once: at 105 no stop would be taken any more, and the one that rests is at 95."""
    old = stop("old", "95")
    (sent,) = planned(trailing("110", "104"), held="1", working=[old]).send
    assert (sent.type, sent.purpose, sent.reduce_only) == (OrderType.MARKET, Purpose.STOP_LOSS, True)
    check_order(sent, instrument())
    at_market = working_order("now", SELL, "1", Purpose.STOP_LOSS, type=OrderType.MARKET)
    todo = planned(trailing("110", "104"), held="1", working=[old, at_market])
    assert (todo.send, todo.cancel) == ([], [])


def test_a_stop_that_rests_within_a_step_is_left_to_the_exchange_when_it_is_met():
    todo = planned(trailing("110", "104"), held="1", working=[stop("old", "105")])
    assert (todo.send, todo.cancel) == ([], [])


def test_the_stop_of_an_exchange_that_held_it_stays():
    """Kept at a stop of the bot, by a version that knew better or an account that moved."""
    held = working_order("held", SELL, "1", Purpose.STOP_LOSS, type=OrderType.TRAILING_STOP, trailing_offset="5")
    todo = planned(trailing("110"), held="1", working=[held])
    assert (todo.send, todo.cancel) == ([], [])


# -- whatever happens in between ---------------------------------------------------------------------------------

moves = st.lists(
    st.one_of(
        st.tuples(st.just("mark"), st.integers(-40, 60)),
        st.tuples(st.just("answer"), st.integers(0, 5), st.sampled_from([OrderAccepted, OrderRejected, OrderUnknown])),
        st.tuples(st.just("gone"), st.integers(0, 5)),
        st.tuples(st.just("fill"), st.integers(1, 3)),
        st.tuples(st.just("again")),
    ),
    min_size=1,
    max_size=60,
)


class Venue:
    """Answers, and confirms cancels, when the test wants. A long is held, and no price meets its stop."""

    def __init__(self):
        self.tracker = OrderTracker()
        self.held, self.mark = Decimal(1), Decimal(1000)
        self.pursuit = Pursuit(target("100", trailing="100"), entered=True)
        self.triggers = []

    def work(self):
        self.pursuit.trail = trail_after(self.pursuit.trail, self.mark, SELL)
        todo = plan(self.pursuit, self.held, self.tracker.working(BTC), instrument(), "main", START_NS)
        for draft in todo.send:
            name = str(len(self.triggers))
            self.triggers.append(draft.trigger_price)
            self.tracker.intend(msgspec.structs.replace(draft, client_order_id=name))
            self.tracker.sent(name)
        for item, _ in todo.cancel:
            item.cancel_requested = True

    def tell(self, kind, item):
        name = item.order.client_order_id
        more = ("v", BTC, 1) if kind is OrderAccepted else (BTC, 1, "")
        self.tracker.apply(kind(name, *more))

    def left(self):
        return [item for item in self.tracker.working(BTC) if not item.cancel_requested]

    def resting(self):
        return [item for item in self.left() if item.status is OrderStatus.OPEN]


def take(venue, kind, what):
    """Let something happen."""
    working = venue.tracker.working(BTC)
    waiting = [item for item in working if item.status is not OrderStatus.OPEN]
    asked = [item for item in working if item.cancel_requested]
    if kind == "mark":
        # Never as far down as any stop: those that are met are another matter.
        venue.mark = max(venue.mark + what[0], (venue.pursuit.trail or trail("1000")).best - 80)
    elif kind == "answer" and waiting:
        venue.tell(what[1], waiting[what[0] % len(waiting)])
    elif kind == "gone" and asked:
        venue.tell(OrderCanceled, asked[what[0] % len(asked)])
    elif kind == "fill":
        venue.held += what[0]


@BRIEF
@given(moves=moves)
def test_a_position_keeps_a_stop_that_rests_and_never_has_more_than_two(moves):
    """Whatever is refused, unknown, late, or filled besides: once a stop rests, one always does."""
    venue, has_rested = Venue(), False
    venue.work()
    for kind, *what in moves:
        take(venue, kind, what)
        venue.work()
        has_rested |= bool(venue.resting())
        assert not has_rested or venue.resting()
        assert len(venue.left()) <= 2
        assert venue.triggers == sorted(venue.triggers)


@BRIEF
@given(moves=moves)
def test_once_everything_is_answered_one_stop_of_the_right_size_is_within_a_step(moves):
    venue = Venue()
    for kind, *what in moves:
        take(venue, kind, what)
        venue.work()
    for _ in range(3):
        for item in venue.tracker.working(BTC):
            kind = OrderCanceled if item.cancel_requested else OrderAccepted
            venue.tell(kind, item)
        venue.work()
    (only,) = venue.tracker.working(BTC)
    assert only.remaining == venue.held
    assert 0 <= venue.pursuit.trail.best - 100 - only.order.trigger_price < 10


def test_both_stops_filling_close_a_position_once():
    """The second finds nothing left to reduce, and what rests is canceled with the position."""
    tracker = OrderTracker()
    for name, trigger in (("old", "104.5"), ("new", "105")):
        tracker.intend(order(name, SELL, "1", purpose=Purpose.STOP_LOSS, type=OrderType.STOP_MARKET,
                             trigger_price=trigger, reduce_only=True, target_sequence=1))  # fmt: skip
        tracker.sent(name)
    tracker.fill(fill("t", SELL, "1", client_order_id="new"))
    todo = planned(trailing("110"), held="0", working=tracker.working(BTC))
    assert (todo.send, canceled(todo)) == ([], [("old", "position closed")])
