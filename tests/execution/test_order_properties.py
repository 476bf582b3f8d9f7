"""Whatever comes, in whatever order: a status never regresses, and a reducing order never flips."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain.events import (
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
    OrderUnknown,
)
from app.domain.money import ZERO
from app.domain.order import TERMINAL, OrderStatus, Side
from app.execution import OrderTracker, clamp_to_position
from app.execution.send_point import NothingToReduce
from tests.builders import BTC, fill, order
from tests.properties import BRIEF

S = OrderStatus
PROGRESS = {S.INTENDED: 0, S.SENT: 1, S.OPEN: 2, S.PARTIALLY_FILLED: 3} | dict.fromkeys(TERMINAL, 4)
NEWS = [
    OrderAccepted("o1", "v1", BTC, 1),
    OrderTriggered("o1", BTC, 1),
    OrderRejected("o1", BTC, 1, ""),
    OrderUnknown("o1", BTC, 1, ""),
    OrderCanceled("o1", BTC, 1, ""),
    OrderExpired("o1", BTC, 1, ""),
]
news = st.lists(st.one_of(st.sampled_from(NEWS), st.integers(1, 3)), max_size=15)
sizes = st.integers(-50, 50).map(Decimal)


@BRIEF
@given(news=news)
def test_a_status_never_regresses_and_fills_never_go_back(news):
    """Not even by way of UNKNOWN, which says nothing of how far an order had come."""
    tracker = OrderTracker()
    tracked = tracker.intend(order(contracts="5"))
    tracker.sent("o1")
    reached, filled = 1, ZERO
    for number, each in enumerate(news):
        if isinstance(each, int):
            tracker.fill(fill(str(number), contracts=each))
        else:
            tracker.apply(each)
        if tracked.status is not S.UNKNOWN:
            assert PROGRESS[tracked.status] >= reached
            reached = PROGRESS[tracked.status]
        else:
            assert reached < 4
        assert tracked.filled >= filled
        filled = tracked.filled
        assert tracked.is_working == (tracked in tracker.working(BTC)) == bool(tracker.open_orders)
    assert filled == sum((each for each in news if isinstance(each, int)), ZERO)


@BRIEF
@given(news=news)
def test_an_order_that_has_filled_in_part_is_never_shown_as_untouched(news):
    tracker = OrderTracker()
    tracked = tracker.intend(order(contracts="5"))
    tracker.sent("o1")
    for number, each in enumerate(news):
        if isinstance(each, int):
            tracker.fill(fill(str(number), contracts=each))
        else:
            tracker.apply(each)
        assert not (tracked.filled and tracked.status is S.OPEN)


@BRIEF
@given(held=sizes, side=st.sampled_from(Side), contracts=st.integers(1, 100).map(Decimal))
def test_a_reducing_order_never_flips_and_never_grows_a_position(held, side, contracts):
    try:
        cut = clamp_to_position(order("", side, contracts, reduce_only=True), held)
    except NothingToReduce:
        assert held * side.sign >= 0
        return
    after = held + cut.signed_contracts
    assert after * held >= 0
    assert abs(after) < abs(held)
    assert cut.contracts <= contracts
