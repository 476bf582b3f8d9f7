"""What can be booked, and what cannot."""

from decimal import Decimal

import pytest

from app.domain.order import Side
from app.execution import flaw_of_fill, flaw_of_funding, flaw_of_repetition
from tests.builders import BTC, ETH, fill, funding_paid, order

LISTED = {BTC}


@pytest.mark.parametrize("fee", ["0", "0.1", "-0.1"])
def test_a_fill_with_true_numbers_has_no_flaw(fee):
    assert not flaw_of_fill(fill(fee=fee), LISTED, None)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *[("price", told) for told in ("NaN", "sNaN", "Infinity", "-Infinity", "0", "-1")],
        *[("contracts", told) for told in ("NaN", "sNaN", "Infinity", "0", "-1")],
        *[("fee", told) for told in ("NaN", "Infinity", "-Infinity")],
    ],
)
def test_a_fill_with_a_number_that_is_none_names_itself_and_the_number(name, told):
    flaw = flaw_of_fill(fill("t7", **{name: told}), LISTED, None)
    assert flaw.startswith(f"fill t7 of {BTC} cannot be true")
    assert f"{name} {told}" in flaw


def test_what_is_not_listed_is_not_booked_and_said_once_for_all_its_fills():
    symbol = "DOGE/USDT:USDT"
    first, second = fill("t1", symbol=symbol), fill("t2", symbol=symbol)
    assert flaw_of_fill(first, LISTED, None) == flaw_of_fill(second, LISTED, None)
    assert symbol in flaw_of_fill(first, LISTED, None)
    assert flaw_of_funding(funding_paid("1", symbol=symbol), LISTED, "USDT") == flaw_of_fill(first, LISTED, None)


def test_a_fill_of_the_other_side_or_of_another_symbol_than_its_order_is_none_of_it():
    """The order is to buy BTC."""
    bought = order("o1", Side.BUY)
    assert not flaw_of_fill(fill(), LISTED, bought)
    assert "it is a sell, and its order o1 is to buy BTC" in flaw_of_fill(fill(side=Side.SELL), LISTED, bought)
    assert "o1 is to buy BTC" in flaw_of_fill(fill(symbol=ETH), {BTC, ETH}, bought)


@pytest.mark.parametrize("changes", [{"price": "101"}, {"contracts": "2"}, {"side": Side.SELL}, {"symbol": ETH}])
def test_a_trade_id_that_comes_again_with_another_trade_is_told(changes):
    flaw = flaw_of_repetition(fill("t7", **changes), fill("t7"))
    assert flaw.startswith("fill t7 of")
    assert flaw.endswith(f"and booked as buy 1 {BTC} at 100")


def test_a_fill_that_is_told_again_has_no_flaw_whatever_its_fee():
    """Some venues tell the fee later."""
    assert not flaw_of_repetition(fill(price="100.0", fee="1"), fill())


@pytest.mark.parametrize("amount", ["1", "0", "-1"])
def test_funding_that_was_paid_or_received_has_no_flaw(amount):
    assert not flaw_of_funding(funding_paid(amount), LISTED, "USDT")


@pytest.mark.parametrize(("amount", "currency"), [("NaN", "USDT"), ("Infinity", "USDT"), ("1", "BNB")])
def test_funding_that_cannot_be_true_names_itself_and_the_amount(amount, currency):
    paid = funding_paid(Decimal(amount), currency=currency)
    flaw = flaw_of_funding(paid, LISTED, "USDT")
    assert paid.reference in flaw
    assert f"{amount} {currency}" in flaw
