"""What can be booked, and what cannot."""

from decimal import Decimal

import pytest

from app.domain.market import SECOND_NS
from app.domain.order import Side
from app.execution import flaw_of_fill, flaw_of_funding, flaw_of_repetition
from tests.builders import BTC, ETH, START_NS, fill, funding_paid, instrument, order

LISTED = {BTC: instrument(contracts_max="100")}
NOW_NS = START_NS + 3600 * SECOND_NS


def flaw_of(told, order=None):
    return flaw_of_fill(told, LISTED, order, NOW_NS)


def flaw_of_paid(paid):
    return flaw_of_funding(paid, LISTED, "USDT", NOW_NS)


@pytest.mark.parametrize("fee", ["0", "0.1", "-0.1"])
def test_a_fill_with_true_numbers_has_no_flaw(fee):
    assert not flaw_of(fill(fee=fee))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *[("price", told) for told in ("NaN", "sNaN", "Infinity", "-Infinity", "0", "-1")],
        *[("contracts", told) for told in ("NaN", "sNaN", "Infinity", "0", "-1")],
        *[("fee", told) for told in ("NaN", "Infinity", "-Infinity")],
        *[(name, told) for name in ("price", "contracts", "fee") for told in ("1E+18", "1E+400")],
        *[(name, "1E-59") for name in ("price", "contracts")],
    ],
)
def test_a_fill_with_a_number_that_is_none_names_itself_and_the_number(name, told):
    flaw = flaw_of(fill("t7", **{name: told}))
    assert flaw.startswith(f"fill t7 of {BTC} cannot be true")
    assert f"{name} {told}" in flaw


def test_a_fee_that_a_division_came_to_has_no_flaw():
    """An inverse contract's is worth contracts over price."""
    assert not flaw_of(fill(fee=str(Decimal(1) / Decimal(3))))


def test_no_fill_is_larger_than_a_thousand_orders():
    assert not flaw_of(fill(contracts="100000"))
    assert "an order has at most 100" in flaw_of(fill(contracts="100000.001"))


@pytest.mark.parametrize("time_ns", [START_NS * 1000, NOW_NS + 25 * 3600 * SECOND_NS, 0, -1])
def test_a_time_that_cannot_be_is_a_flaw(time_ns):
    """One in microseconds, one of the day after tomorrow, none."""
    assert f"time {time_ns} ns" in flaw_of(fill(time_ns=time_ns))
    assert f"at {time_ns} ns" in flaw_of_paid(funding_paid("1", time_ns=time_ns))


def test_what_is_not_listed_is_not_booked_and_said_once_for_all_its_fills():
    symbol = "DOGE/USDT:USDT"
    first, second = fill("t1", symbol=symbol), fill("t2", symbol=symbol)
    assert flaw_of(first) == flaw_of(second)
    assert symbol in flaw_of(first)
    assert flaw_of_paid(funding_paid("1", symbol=symbol)) == flaw_of(first)


def test_a_fill_of_the_other_side_or_of_another_symbol_than_its_order_is_none_of_it():
    """The order is to buy BTC."""
    bought = order("o1", Side.BUY)
    assert not flaw_of(fill(), bought)
    assert "it is a sell, and its order o1 is to buy BTC" in flaw_of(fill(side=Side.SELL), bought)
    assert "o1 is to buy BTC" in flaw_of_fill(fill(symbol=ETH), LISTED | {ETH: instrument(ETH)}, bought, NOW_NS)


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
    assert not flaw_of_paid(funding_paid(amount))


@pytest.mark.parametrize(("amount", "currency"), [("NaN", "USDT"), ("Infinity", "USDT"), ("1", "BNB")])
def test_funding_that_cannot_be_true_names_itself_and_the_amount(amount, currency):
    paid = funding_paid(Decimal(amount), currency=currency)
    flaw = flaw_of_paid(paid)
    assert paid.reference in flaw
    assert f"{amount} {currency}" in flaw
