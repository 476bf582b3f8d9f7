"""Where the exchange and the books are apart, and what brings an order to where the exchange has it."""

from decimal import Decimal

import pytest

from app.domain.events import Liquidity, OrderAccepted, OrderCanceled, OrderExpired, OrderRejected
from app.domain.order import OrderStatus, Side
from app.domain.position import Position
from app.execution import OrderTracker, adopting_fill, compare_balance, compare_positions, foreign_orders, outcome
from tests.builders import BTC, ETH, instrument, order, order_record

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


def test_orders_that_are_none_of_ours_are_told():
    theirs = [order_record(order("ours"), S.OPEN), order_record(order("manual", Side.SELL, "2", symbol=ETH), S.OPEN)]
    (found,) = foreign_orders(["ours", "another"], theirs, 5)
    assert (found.kind, found.symbol, found.theirs) == ("foreign_order", ETH, "sell 2, id manual")


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
    assert event == OrderRejected("o1", BTC, 5, "the exchange never received it")


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
