"""Bugs in the stops that the bot moves, where the venue holds no trailing ones."""

from app.domain.order import OrderStatus
from app.execution import Trail, planner
from app.execution import pursuits as pursuing
from tests.simulation.planted.bug import Bug, around


def the_stop_before_goes_at_once(patch):
    patch.setattr(planner, "CONFIRMED", frozenset({OrderStatus.INTENDED, OrderStatus.SENT, OrderStatus.OPEN}))


def the_stop_goes_back(patch):
    def after(original, trail, mark, side):
        return Trail(mark, mark)

    around(patch, pursuing, "trail_after", after)
    around(patch, planner, "gained", lambda original, before, after, side: abs(original(before, after, side)))


def the_stop_stays_where_it_was(patch):
    def after(original, trail, mark, side):
        return trail or original(trail, mark, side)

    around(patch, pursuing, "trail_after", after)


BUGS = {
    "the_stop_before_goes_at_once": Bug(
        "stops_trail", the_stop_before_goes_at_once, "a stop is canceled before the one in its place is acknowledged"
    ),
    "the_stop_goes_back": Bug("stops_trail", the_stop_goes_back, "a stop follows the price both ways"),
    "the_stop_stays_where_it_was": Bug("stops_trail", the_stop_stays_where_it_was, "a stop does not follow the price"),
}
