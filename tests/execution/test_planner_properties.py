"""Targets worked through fills in any part and order: a position comes from the plan and is never more than wanted."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from app.domain.events import OrderCanceled
from app.domain.money import ZERO
from app.domain.order import Purpose
from app.execution import OrderTracker, Pursuit, plan
from tests.builders import BTC, START_NS, fill, instrument, target
from tests.properties import BRIEF

steps = st.lists(
    st.one_of(
        st.tuples(st.just("target"), st.integers(-5, 5)),
        st.tuples(st.just("fill"), st.integers(0, 9), st.integers(1, 5)),
        st.tuples(st.just("end"), st.integers(0, 9)),
    ),
    max_size=30,
)


class Venue:
    """Takes what the planner says, and fills as the test wants. Prices do not matter, so stops fill like the rest."""

    def __init__(self):
        self.tracker = OrderTracker()
        self.held = ZERO
        self.pursuit = Pursuit(target("0", 0))
        self.sent = 0

    def work(self):
        todo = plan(self.pursuit, self.held, self.tracker.working(BTC), instrument(), "main", START_NS)
        for draft in todo.send:
            self.sent += 1
            self.pursuit.entered |= draft.purpose is Purpose.ENTRY
            name = str(self.sent)
            self.tracker.intend(msgspec.structs.replace(draft, client_order_id=name))
            self.tracker.sent(name)
        for item, _ in todo.cancel:
            self.end(item)
        return todo

    def end(self, item):
        self.tracker.apply(OrderCanceled(item.order.client_order_id, BTC, 1, ""))

    def fill(self, item, most):
        contracts = min(Decimal(most), item.remaining)
        if item.order.reduce_only:
            contracts = min(contracts, max(ZERO, -self.held * item.order.side.sign))
        if contracts:
            self.held += contracts * item.order.side.sign
            self.tracker.fill(fill("x", contracts=contracts, client_order_id=item.order.client_order_id))
            if item.order.is_protective:
                self.pursuit.void = True


@BRIEF
@given(steps=steps)
def test_a_position_is_never_more_than_a_target_asked_for_and_flips_only_through_flat(steps):
    venue, allowed = Venue(), ZERO
    for number, (kind, *what) in enumerate(steps, 1):
        before, at_work = venue.held, venue.tracker.all_working()
        if kind == "target":
            wanted = Decimal(what[0])
            venue.pursuit = Pursuit(target(wanted, number, stop="90", take_profit="120"))
            allowed = max(abs(wanted), abs(venue.held))
        elif at_work and kind == "fill":
            venue.fill(at_work[what[0] % len(at_work)], what[1])
        elif at_work:
            venue.end(at_work[what[0] % len(at_work)])
        venue.work()
        assert before * venue.held >= 0
        assert abs(venue.held) <= allowed


@BRIEF
@given(steps=steps)
def test_what_is_held_for_a_target_is_protected_in_full_after_every_step(steps):
    """By a stop and a take-profit of exactly its size."""
    venue = Venue()
    for number, (kind, *what) in enumerate(steps, 1):
        at_work = venue.tracker.all_working()
        if kind == "target":
            venue.pursuit = Pursuit(target(what[0], number, stop="90", take_profit="120"))
        elif at_work and kind == "fill":
            venue.fill(at_work[what[0] % len(at_work)], what[1])
        venue.work()
        if venue.held * venue.pursuit.target.contracts > 0:
            guards = {i.order.purpose: i.remaining for i in venue.tracker.working(BTC) if i.order.is_protective}
            size = abs(venue.held)
            assert guards == {Purpose.STOP_LOSS: size, Purpose.TAKE_PROFIT: size}
