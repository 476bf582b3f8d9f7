"""Where the exchange and the books are apart, and what brings an order to where the exchange has it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.events import Liquidity, OrderAccepted, OrderCanceled, OrderExpired, OrderRejected
from app.domain.order import OrderStatus, Side
from app.domain.portfolio import Portfolio
from app.domain.position import Position
from app.execution import (
    OrderTracker,
    adopting_fill,
    compare_balance,
    compare_positions,
    counted_otherwise,
    foreign_orders,
    outcome,
)
from app.execution.reconciliation import OF_ANOTHER_FOLDER
from tests.builders import BTC, ETH, fill, instrument, order, order_record
from tests.properties import BRIEF

S = OrderStatus
LIVE = [S.INTENDED, S.SENT, S.UNKNOWN, S.OPEN, S.PARTIALLY_FILLED]


def position(symbol, contracts):
    return Position(symbol, Decimal(contracts), Decimal(contracts) * 100)


def test_equal_positions_agree_whatever_they_cost():
    ours, theirs = [position(BTC, "1.0")], [Position(BTC, Decimal(1), Decimal(99))]
    assert compare_positions(ours, theirs, 5) == []


def test_each_symbol_whose_size_differs_is_told():
    """One only here, one only there, one of another size; in the order of their names."""
    ours = [position("C", "1"), position("A", "1"), position("D", "2")]
    found = compare_positions(ours, [position("B", "-2"), position("C", "1.5"), position("D", "2")], 5)
    assert [(each.symbol, each.ours, each.theirs) for each in found] == [
        ("A", "1", "0"),
        ("B", "0", "-2"),
        ("C", "1", "1.5"),
    ]
    assert {(each.kind, each.action, each.time_ns) for each in found} == {("position", "reported", 5)}


def test_balances_that_differ_at_all_are_told():
    assert compare_balance(Decimal("10.0"), Decimal(10), "USDT", 5) == []
    (found,) = compare_balance(Decimal(10), Decimal("10.00000001"), "USDT", 5)
    assert (found.kind, found.symbol, found.ours, found.theirs) == ("balance", "USDT", "10", "10.00000001")


INSTRUMENTS = {symbol: instrument(symbol) for symbol in (BTC, ETH)}
FILLS = st.lists(
    st.tuples(
        st.sampled_from([BTC, ETH]), st.sampled_from([Side.BUY, Side.SELL]), st.integers(1, 9), st.integers(90, 110)
    ),
    min_size=2,
    max_size=8,
)


def booked(fills):
    portfolio = Portfolio("main", "USDT", INSTRUMENTS)
    for each in fills:
        portfolio.apply(each)
    return portfolio


@BRIEF
@given(FILLS, st.randoms(use_true_random=False))
def test_the_same_fills_in_another_order_come_to_the_same_books(made, random):
    """Rounding included: whatever the order does to what is realized, the books are brought to the exchange's."""
    fills = [
        fill(str(n), side=side, contracts=str(size), price=str(price), symbol=symbol)
        for n, (symbol, side, size, price) in enumerate(made)
    ]
    theirs = booked(fills)
    random.shuffle(fills)
    ours = booked(fills)
    equity = ours.equity
    difference = theirs.balance - ours.balance
    for symbol, amount in counted_otherwise(ours.positions, theirs.positions, difference, INSTRUMENTS).items():
        ours.recount(symbol, amount, "recount", 5)
    assert (ours.balance, ours.positions) == (theirs.balance, theirs.positions)
    assert ours.equity == equity


def costing(symbol, contracts, cost):
    return Position(symbol, Decimal(contracts), Decimal(cost))


@pytest.mark.parametrize(
    ("theirs", "difference"),
    [
        ([], "7"),
        ([costing(BTC, 3, 220)], "7"),
        ([costing(BTC, 2, 213)], "7"),
        ([costing(BTC, 2, 220)], "8"),
        ([costing(BTC, 2, 220)], "6"),
        ([costing(BTC, 2, 220)], "-7"),
    ],
)
def test_what_another_order_of_fills_does_not_explain_is_not_explained_by_it(theirs, difference):
    """Not another size, not equal costs, not a balance that differs by more or less than the costs do."""
    assert counted_otherwise([costing(BTC, 2, 213)], theirs, Decimal(difference), INSTRUMENTS) == {}


@pytest.mark.parametrize(("told", "explained"), [("219.96", True), ("220.10", True), ("219.89", False)])
def test_a_cost_that_was_told_as_a_rounded_price_explains_the_balance(told, explained):
    """2 contracts at a price that is rounded to 0.1 cost up to 0.1 more or less than it says."""
    moves = counted_otherwise([costing(BTC, 2, 213)], [costing(BTC, 2, told)], Decimal(7), INSTRUMENTS)
    assert moves == ({BTC: Decimal(7)} if explained else {})


def test_orders_that_are_none_of_ours_are_told():
    theirs = [order_record(order("ours"), S.OPEN), order_record(order("manual", Side.SELL, "2", symbol=ETH), S.OPEN)]
    (found,) = foreign_orders(["ours", "another"], theirs, lambda _: False, 5)
    assert (found.kind, found.symbol, found.theirs) == ("foreign_order", ETH, "sell 2, id manual")


def test_an_order_that_another_folder_of_this_bot_made_is_told_as_such():
    theirs = [order_record(order("main-4fa9c2x1-000001", Side.SELL, "2"), S.OPEN)]
    (found,) = foreign_orders([], theirs, lambda key: key.startswith("main-4fa9c2"), 5)
    assert found.theirs == f"sell 2, id main-4fa9c2x1-000001, {OF_ANOTHER_FOLDER}"
    assert "made by this bot in another state folder" in found.theirs


def found_at(ours, theirs, venue_order_id=None, reason=""):
    there = order_record(order(), theirs, venue_order_id=venue_order_id, reason=reason)
    return outcome(order_record(order(), ours), there, 5)


@pytest.mark.parametrize("status", LIVE)
def test_an_order_that_is_where_we_have_it_needs_no_event(status):
    assert found_at(status, status) is None


@pytest.mark.parametrize("status", [S.OPEN, S.PARTIALLY_FILLED])
def test_an_order_that_works_there_is_accepted(status):
    assert found_at(S.UNKNOWN, status, "v1") == OrderAccepted("o1", "v1", BTC, 5)


@pytest.mark.parametrize(
    ("status", "event"), [(S.CANCELED, OrderCanceled), (S.EXPIRED, OrderExpired), (S.REJECTED, OrderRejected)]
)
def test_an_order_that_ended_there_ends_here_with_its_reason(status, event):
    assert found_at(S.UNKNOWN, status, reason="why") == event("o1", BTC, 5, "why")
    assert found_at(S.UNKNOWN, status) == event("o1", BTC, 5, "found by reconciliation")


def test_an_order_that_filled_there_is_told_by_its_fills():
    assert found_at(S.UNKNOWN, S.FILLED) is None


@pytest.mark.parametrize("status", [S.SENT, S.UNKNOWN])
def test_an_order_that_the_exchange_never_confirmed_and_does_not_know_was_never_received(status):
    event = outcome(order_record(order(), status), None, 5)
    assert event == OrderRejected("o1", BTC, 5, "the exchange never received it", was_refused=False)


def test_an_order_that_has_filled_in_part_was_received():
    """Its outcome became unknown later: what the exchange does not know any more has ended there."""
    event = outcome(order_record(order(), S.UNKNOWN, filled="0.5"), None, 5)
    assert event == OrderCanceled("o1", BTC, 5, "the exchange does not know it any more")


@pytest.mark.parametrize("status", [S.OPEN, S.PARTIALLY_FILLED])
def test_an_order_that_the_exchange_has_forgotten_is_gone(status):
    """It was confirmed once, so it cannot have been rejected; and it must not work in our books for ever."""
    tracker = OrderTracker()
    tracker.restore([order_record(order(), status)])
    event = outcome(tracker.find("o1").record(), None, 5)
    assert event == OrderCanceled("o1", BTC, 5, "the exchange does not know it any more")
    tracker.apply(event)
    assert tracker.open_orders == 0


@pytest.mark.parametrize(
    ("ours", "theirs", "side", "size"), [("0", "0.5", Side.BUY, "0.5"), ("2", "-1", Side.SELL, "3")]
)
def test_an_adopting_fill_takes_our_position_to_theirs(ours, theirs, side, size):
    """Half a contract is a buy, too; it is nobody's order, costs no fee, and is taken at what theirs has cost."""
    theirs = position(BTC, theirs)
    one = adopting_fill(position(BTC, ours), theirs, instrument(), Decimal(7), "USDT", 5)
    assert (one.side, one.contracts, one.price) == (side, Decimal(size), Decimal(100))
    assert (one.time_ns, one.liquidity, one.fee, one.client_order_id) == (5, Liquidity.TAKER, 0, None)


def test_an_adopting_fill_to_nothing_is_taken_at_the_price_that_is_given():
    one = adopting_fill(position(BTC, "1"), Position(BTC), instrument(), Decimal(7), "USDT", 5)
    assert (one.side, one.price) == (Side.SELL, Decimal(7))


def test_an_order_that_is_there_without_a_venue_id_gets_none_made_up():
    event = outcome(order_record(order(), S.UNKNOWN), order_record(order(), S.OPEN), 5)
    assert event == OrderAccepted("o1", "", BTC, 5)
