"""From what is wanted and what is held to what is sent and canceled."""

from decimal import Decimal

import pytest

from app.domain.order import OrderStatus, OrderType, Purpose, Side, TimeInForce, check_order
from app.domain.target import Entry
from app.execution import Pursuit, TrackedOrder, plan
from tests.builders import START_NS, at, instrument, number, order, target

GUARDED = {"stop": "90", "take_profit": "120"}


def planned(pursuit, held="0", working=()):
    return plan(pursuit, Decimal(held), working, instrument(version=3), "main", START_NS)


def working(client_order_id="w1", side=Side.BUY, contracts="1", purpose=Purpose.ENTRY, filled="0", **changes):
    """Return an order of target 1 that works at the exchange."""
    fields = {"purpose": purpose, "target_sequence": 1, "reduce_only": purpose is not Purpose.ENTRY}
    an_order = order(client_order_id, side, contracts, **(fields | changes))
    return TrackedOrder(an_order, OrderStatus.OPEN, number(filled))


def guards(contracts, side=Side.SELL, **changes):
    return [
        working("stop", side, contracts, Purpose.STOP_LOSS, **changes),
        working("profit", side, contracts, Purpose.TAKE_PROFIT, **changes),
    ]


def brief(orders):
    """Return purpose, side, and size of orders."""
    return [(each.purpose, each.side, each.contracts) for each in orders]


def canceled(todo):
    return [(item.order.client_order_id, reason) for item, reason in todo.cancel]


def test_from_flat_the_entry_goes_out_as_a_market_order():
    (entry,) = planned(Pursuit(target("2"))).send
    assert brief([entry]) == [(Purpose.ENTRY, Side.BUY, 2)]
    assert (entry.type, entry.reduce_only, entry.client_order_id) == (OrderType.MARKET, False, "")
    assert (entry.account_id, entry.strategy_id, entry.target_sequence, entry.instrument_version) == (
        "main",
        "trend",
        1,
        3,
    )


def test_an_entry_is_sent_the_way_the_strategy_asked_for():
    """Valid for 30 s: the order expires by itself."""
    entry = Entry(type=OrderType.LIMIT, price=Decimal(99), valid_s=30, post_only=True)
    (sent,) = planned(Pursuit(target("-2", entry=entry))).send
    assert (sent.side, sent.type, sent.price, sent.post_only) == (Side.SELL, OrderType.LIMIT, 99, True)
    assert (sent.time_in_force, sent.expires_ns) == (TimeInForce.GTD, at(30))


def test_an_entry_is_sent_once_for_a_target():
    """It is no level to be chased: what filled short of it stays short of it."""
    assert planned(Pursuit(target("2"), entered=True), held="0.5").send == []


def test_a_target_that_is_reached_needs_nothing():
    assert planned(Pursuit(target("2")), held="2").send == []


def test_a_larger_target_enters_the_difference():
    assert brief(planned(Pursuit(target("3")), held="1").send) == [(Purpose.ENTRY, Side.BUY, 2)]


@pytest.mark.parametrize(("held", "wanted", "side"), [("3", "1", Side.SELL), ("-3", "-1", Side.BUY)])
def test_a_smaller_target_reduces_the_difference(held, wanted, side):
    (sent,) = planned(Pursuit(target(wanted)), held=held).send
    assert brief([sent]) == [(Purpose.EXIT, side, 2)]
    assert (sent.type, sent.reduce_only, sent.time_in_force) == (OrderType.MARKET, True, TimeInForce.IOC)


@pytest.mark.parametrize(("held", "side"), [("3", Side.SELL), ("-3", Side.BUY)])
def test_a_flat_target_closes_everything(held, side):
    assert brief(planned(Pursuit(target("0")), held=held).send) == [(Purpose.EXIT, side, 3)]


def test_a_flip_closes_first_and_enters_only_when_that_has_filled():
    """Long 2, wanted short 1: a reduce-only sell of 2; then, flat, a sell of 1."""
    pursuit = Pursuit(target("-1"))
    (close,) = planned(pursuit, held="2").send
    assert (brief([close]), close.reduce_only) == ([(Purpose.EXIT, Side.SELL, 2)], True)
    closing = working("close", Side.SELL, "2", Purpose.EXIT)
    assert planned(pursuit, held="2", working=[closing]).send == []
    closing.filled = Decimal(1)
    assert planned(pursuit, held="1", working=[closing]).send == []
    (entry,) = planned(pursuit, held="0").send
    assert (brief([entry]), entry.reduce_only) == ([(Purpose.ENTRY, Side.SELL, 1)], False)


def test_an_entry_waits_while_an_exit_still_works():
    """The exit may fill yet: what is missing is not known before."""
    pursuit = Pursuit(target("2"))
    assert planned(pursuit, held="0", working=[working("close", Side.SELL, "2", Purpose.EXIT)]).send == []


def test_only_what_no_exit_covers_yet_is_closed():
    """3 to close, of which an exit that works has 1 left."""
    closing = working("close", Side.SELL, "2", Purpose.EXIT, filled="1")
    assert brief(planned(Pursuit(target("0")), held="3", working=[closing]).send) == [(Purpose.EXIT, Side.SELL, 2)]


def test_the_entry_of_an_older_target_is_canceled_before_a_new_one_is_sent():
    pursuit = Pursuit(target("2", sequence=2))
    old = working("old", contracts="1")
    todo = planned(pursuit, working=[old])
    assert (canceled(todo), todo.send) == ([("old", "target changed")], [])
    assert brief(planned(pursuit).send) == [(Purpose.ENTRY, Side.BUY, 2)]


def test_the_entry_of_the_same_target_works_on():
    todo = planned(Pursuit(target("2"), entered=True), working=[working(contracts="2")])
    assert (todo.cancel, todo.send) == ([], [])


def test_a_void_target_enters_no_more_and_its_entry_is_canceled():
    """After a stop or a liquidation only a higher sequence opens again."""
    pursuit = Pursuit(target("2"), void=True)
    assert pursuit.wanted is None
    todo = planned(pursuit, working=[working("rest")])
    assert (canceled(todo), todo.send) == ([("rest", "target changed")], [])


def test_what_a_void_target_left_is_neither_closed_nor_bare():
    """A stop filled in part: the rest keeps a stop of its own size."""
    (stop,) = planned(Pursuit(target("2", stop="90"), void=True), held="1").send
    assert brief([stop]) == [(Purpose.STOP_LOSS, Side.SELL, 1)]


def test_a_position_is_protected_by_a_stop_and_a_take_profit_of_its_size():
    """One cancels the other: both are of one group."""
    stop, profit = planned(Pursuit(target("2", **GUARDED), entered=True), held="2").send
    assert brief([stop, profit]) == [(Purpose.STOP_LOSS, Side.SELL, 2), (Purpose.TAKE_PROFIT, Side.SELL, 2)]
    assert (stop.type, stop.trigger_price) == (OrderType.STOP_MARKET, 90)
    assert (profit.type, profit.trigger_price) == (OrderType.TAKE_PROFIT_MARKET, 120)
    assert stop.reduce_only
    assert profit.reduce_only
    assert stop.oco_group == profit.oco_group is not None


def test_a_short_is_protected_by_buys():
    (stop,) = planned(Pursuit(target("-2", stop="110"), entered=True), held="-2").send
    assert brief([stop]) == [(Purpose.STOP_LOSS, Side.BUY, 2)]
    assert stop.oco_group is None


@pytest.mark.parametrize(("more", "grouped"), [({}, False), ({"take_profit": "120"}, True)])
def test_a_trailing_stop_takes_the_place_of_a_fixed_one(more, grouped):
    stop = planned(Pursuit(target("1", trailing="5", stop="90", **more), entered=True), held="1").send[0]
    assert (stop.type, stop.trailing_offset, stop.trigger_price) == (OrderType.TRAILING_STOP, 5, None)
    assert (stop.oco_group is not None) is grouped


def test_a_take_profit_may_stand_alone():
    (profit,) = planned(Pursuit(target("1", take_profit="120"), entered=True), held="1").send
    assert (profit.purpose, profit.oco_group) == (Purpose.TAKE_PROFIT, None)


def test_protection_that_fits_is_left_alone():
    todo = planned(Pursuit(target("2", **GUARDED), entered=True), held="2", working=guards("2"))
    assert (todo.cancel, todo.send) == ([], [])


def test_protection_follows_the_filled_size_and_the_position_is_never_bare():
    """Another fill: new ones over 2 are sent; the old ones over 1 are canceled once those are known to rest."""
    pursuit, old = Pursuit(target("2", **GUARDED), entered=True), guards("1")
    todo = planned(pursuit, held="2", working=old)
    assert [size for _, _, size in brief(todo.send)] == [2, 2]
    assert todo.cancel == []

    new = [TrackedOrder(each, OrderStatus.SENT) for each in todo.send]
    todo = planned(pursuit, held="2", working=[*old, *new])
    assert (todo.send, todo.cancel) == ([], [])
    for each in new:
        each.status = OrderStatus.OPEN
    todo = planned(pursuit, held="2", working=[*old, *new])
    assert todo.send == []
    assert canceled(todo) == [("stop", "protection resized"), ("profit", "protection resized")]


def test_however_often_the_size_changes_two_of_a_kind_are_left_to_work():
    """A stop over 1 rests, one over 2 is on its way, and 3 are held: the second one has no part in it any more."""
    on_its_way = working("two", Side.SELL, "2", Purpose.STOP_LOSS)
    on_its_way.status = OrderStatus.SENT
    todo = planned(Pursuit(target("3", stop="90")), "3", [guards("1")[0], on_its_way])
    assert [size for _, _, size in brief(todo.send)] == [3]
    assert canceled(todo) == [("two", "protection resized")]


def test_a_stop_that_is_about_to_be_canceled_protects_nothing():
    fitting = guards("2")[0]
    fitting.cancel_requested = True
    todo = planned(Pursuit(target("2", stop="90")), "2", [fitting])
    assert brief(todo.send) == [(Purpose.STOP_LOSS, Side.SELL, 2)]


def test_a_stop_that_the_market_has_met_before_it_could_rest_goes_out_at_the_market():
    todo = plan(
        Pursuit(target("2", **GUARDED)), Decimal(2), (), instrument(), "main", START_NS, late={Purpose.STOP_LOSS}
    )
    assert [(each.purpose, each.type, each.reduce_only) for each in todo.send] == [
        (Purpose.STOP_LOSS, OrderType.MARKET, True),
        (Purpose.TAKE_PROFIT, OrderType.TAKE_PROFIT_MARKET, True),
    ]


def test_of_two_stops_the_one_that_fits_stays():
    """A run was killed between sending the new stop and canceling the old one: 2 are held, stops of 1 and 2 rest."""
    old, new = guards("1")[0], working("new", Side.SELL, "2", Purpose.STOP_LOSS)
    todo = planned(Pursuit(target("2", stop="90")), "2", [old, new])
    assert todo.send == []
    assert canceled(todo) == [("stop", "protection resized")]


@pytest.mark.parametrize("unknown", [0, 1])
def test_of_two_stops_that_fit_one_stays_and_rather_one_that_is_known_to_rest(unknown):
    both = [working(name, Side.SELL, "2", Purpose.STOP_LOSS) for name in ("first", "second")]
    both[unknown].status = OrderStatus.UNKNOWN
    todo = planned(Pursuit(target("2", stop="90")), "2", both)
    assert todo.send == []
    assert canceled(todo) == [(both[unknown].order.client_order_id, "protection resized")]


def test_protection_of_an_older_target_is_replaced():
    """The new ones are sent; the old ones go once those are known to rest."""
    pursuit, old = Pursuit(target("2", 2, **GUARDED), entered=True), guards("2")
    todo = planned(pursuit, held="2", working=old)
    assert (len(todo.send), todo.cancel) == (2, [])

    new = [TrackedOrder(each, OrderStatus.OPEN) for each in todo.send]
    todo = planned(pursuit, held="2", working=[*old, *new])
    assert todo.send == []
    assert canceled(todo) == [("stop", "protection replaced"), ("profit", "protection replaced")]


def test_protection_that_is_not_wanted_any_more_goes_at_once():
    todo = planned(Pursuit(target("2", 2), entered=True), held="2", working=guards("2"))
    assert canceled(todo) == [("stop", "protection replaced"), ("profit", "protection replaced")]


def test_protection_on_the_wrong_side_is_replaced():
    todo = planned(Pursuit(target("2", **GUARDED), entered=True), held="2", working=guards("2", Side.BUY))
    assert len(todo.send) == 2
    assert len(todo.cancel) == 2


def test_without_a_position_no_protection_is_left():
    todo = planned(Pursuit(target("2", **GUARDED), entered=True, void=True), working=guards("2"))
    assert canceled(todo) == [("stop", "position closed"), ("profit", "position closed")]
    assert todo.send == []


def test_the_old_protection_stays_while_a_position_is_being_closed():
    """It is reduce-only and cannot flip."""
    todo = planned(Pursuit(target("0", 2)), held="2", working=guards("2"))
    assert (todo.cancel, brief(todo.send)) == ([], [(Purpose.EXIT, Side.SELL, 2)])


def test_of_two_stops_the_newer_one_stays_while_a_position_is_being_closed():
    """The decision to close came while the one of 2 was to take the place of the one of 1."""
    old, new = (working(name, Side.SELL, size, Purpose.STOP_LOSS) for name, size in (("old", "1"), ("new", "2")))
    todo = planned(Pursuit(target("0", 2)), held="2", working=[old, new, guards("2")[1]])
    assert canceled(todo) == [("old", "protection replaced")]


def test_each_order_of_the_plan_is_well_formed():
    """Whatever the planner writes, risk and the exchange can take."""
    entry = Entry(type=OrderType.STOP_LIMIT, price=Decimal(101), trigger_price=Decimal(100))
    for held in ("0", "1", "5"):
        for each in planned(Pursuit(target("2", entry=entry, trailing="5", take_profit="120")), held=held).send:
            check_order(each, instrument())


def test_an_exit_larger_than_one_order_may_be_goes_out_in_parts():
    """5 are held, 2 are the most that one order carries: 2 go first."""
    small = instrument(contracts_max="2")
    todo = plan(Pursuit(target("0")), Decimal(5), (), small, "main", START_NS)
    assert brief(todo.send) == [(Purpose.EXIT, Side.SELL, 2)]
