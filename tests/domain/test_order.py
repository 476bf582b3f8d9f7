"""Which orders exist: every type with every time in force, and the table of an order's life."""

from decimal import Decimal
from itertools import product

import pytest

from app.domain.errors import InvalidOrder
from app.domain.order import TERMINAL, TRANSITIONS, OrderStatus, OrderType, Purpose, Side, TimeInForce, check_order
from tests.builders import instrument, limit, order

NEEDS = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"price": "100"},
    OrderType.STOP_MARKET: {"trigger_price": "90"},
    OrderType.STOP_LIMIT: {"price": "89.9", "trigger_price": "90"},
    OrderType.TAKE_PROFIT_MARKET: {"trigger_price": "110"},
    OrderType.TAKE_PROFIT_LIMIT: {"price": "110.1", "trigger_price": "110"},
    OrderType.TRAILING_STOP: {"trailing_offset": "5"},
}
PRICES = {"price": "100", "trigger_price": "100", "trailing_offset": "5"}


def rule_broken(an_order, contract=None):
    """Return the rule that an order breaks; None when it is fine."""
    try:
        check_order(an_order, contract or instrument())
    except InvalidOrder as error:
        return error.rule
    return None


def made(kind, in_force=TimeInForce.GTC, **changes):
    expiry = {"expires_ns": 5} if in_force is TimeInForce.GTD else {}
    return order(**({"type": kind, "time_in_force": in_force} | NEEDS[kind] | expiry | changes))


@pytest.mark.parametrize(("kind", "in_force"), list(product(OrderType, TimeInForce)))
def test_every_type_with_every_time_in_force_is_an_order(kind, in_force):
    assert rule_broken(made(kind, in_force)) is None


@pytest.mark.parametrize(("kind", "missing"), [(kind, name) for kind, needs in NEEDS.items() for name in needs])
def test_an_order_without_a_price_that_its_type_needs_is_refused(kind, missing):
    assert rule_broken(made(kind, **{missing: None})) == missing


@pytest.mark.parametrize(
    ("kind", "extra"), [(kind, name) for kind, needs in NEEDS.items() for name in PRICES if name not in needs]
)
def test_an_order_with_a_price_that_its_type_has_no_use_for_is_refused(kind, extra):
    assert rule_broken(made(kind, **{extra: PRICES[extra]})) == extra


@pytest.mark.parametrize("kind", OrderType)
def test_an_expiry_time_belongs_to_gtd_alone(kind):
    assert rule_broken(made(kind, TimeInForce.GTD, expires_ns=None)) == "expires"
    assert rule_broken(made(kind, TimeInForce.GTC, expires_ns=5)) == "expires"


@pytest.mark.parametrize(("kind", "in_force"), list(product(OrderType, TimeInForce)))
def test_only_a_limit_order_that_may_rest_is_post_only(kind, in_force):
    rests = kind is OrderType.LIMIT and in_force in {TimeInForce.GTC, TimeInForce.GTD}
    assert rule_broken(made(kind, in_force, post_only=True)) == (None if rests else "post_only")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (OrderType.LIMIT, "price"),
        (OrderType.STOP_MARKET, "trigger_price"),
        (OrderType.TRAILING_STOP, "trailing_offset"),
    ],
)
def test_every_price_is_on_the_tick(kind, name):
    assert rule_broken(made(kind, **{name: "5.05"})) == "tick_size"


def test_what_is_left_of_a_position_may_be_closed_below_the_minimum_size():
    coarse = instrument(contracts_min="1")
    assert rule_broken(order(contracts="0.5"), coarse) == "contracts_min"
    assert rule_broken(order(contracts="0.5", reduce_only=True), coarse) is None


@pytest.mark.parametrize("contracts", ["0", "-1", "0.0005"])
def test_a_reducing_order_still_has_a_size_on_the_lot(contracts):
    assert rule_broken(order(contracts=contracts, reduce_only=True)) == "lot_size"


def test_the_refusal_names_the_order():
    with pytest.raises(InvalidOrder, match="order o7: post-only needs a limit order that may rest"):
        check_order(limit("o7", time_in_force=TimeInForce.IOC, post_only=True), instrument())


def test_a_side_has_a_sign():
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert (order(side=Side.BUY).signed_contracts, order(side=Side.SELL).signed_contracts) == (Decimal(1), Decimal(-1))


def test_stops_and_take_profits_are_protective():
    assert [purpose for purpose in Purpose if order(purpose=purpose).is_protective] == [
        Purpose.STOP_LOSS,
        Purpose.TAKE_PROFIT,
    ]


def test_the_table_of_transitions_has_a_line_for_each_status_and_ends_where_orders_end():
    assert set(TRANSITIONS) == set(OrderStatus)
    assert {status for status, following in TRANSITIONS.items() if not following} == TERMINAL


def test_an_order_that_never_left_can_only_be_sent_or_withdrawn():
    assert TRANSITIONS[OrderStatus.INTENDED] == {OrderStatus.SENT, OrderStatus.CANCELED}


def test_an_order_that_has_filled_in_part_is_not_open_again():
    assert OrderStatus.OPEN not in TRANSITIONS[OrderStatus.PARTIALLY_FILLED]


def test_an_order_that_the_exchange_has_confirmed_cannot_be_rejected_any_more():
    assert OrderStatus.REJECTED not in TRANSITIONS[OrderStatus.OPEN] | TRANSITIONS[OrderStatus.PARTIALLY_FILLED]
