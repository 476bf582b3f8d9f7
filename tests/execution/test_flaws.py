"""What can be booked, and what cannot."""

from decimal import Decimal

import pytest

from app.execution import flaw_of_fill, flaw_of_funding
from tests.builders import BTC, fill, funding_paid

LISTED = {BTC}


@pytest.mark.parametrize("fee", ["0", "0.1", "-0.1"])
def test_a_fill_with_true_numbers_has_no_flaw(fee):
    assert not flaw_of_fill(fill(fee=fee), LISTED)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *[("price", told) for told in ("NaN", "sNaN", "Infinity", "-Infinity", "0", "-1")],
        *[("contracts", told) for told in ("NaN", "sNaN", "Infinity", "0", "-1")],
        *[("fee", told) for told in ("NaN", "Infinity", "-Infinity")],
    ],
)
def test_a_fill_with_a_number_that_is_none_names_itself_and_the_number(name, told):
    flaw = flaw_of_fill(fill("t7", **{name: told}), LISTED)
    assert flaw.startswith(f"fill t7 of {BTC} cannot be true")
    assert f"{name} {told}" in flaw


def test_what_is_not_listed_is_not_booked_and_said_once_for_all_its_fills():
    symbol = "DOGE/USDT:USDT"
    first, second = fill("t1", symbol=symbol), fill("t2", symbol=symbol)
    assert flaw_of_fill(first, LISTED) == flaw_of_fill(second, LISTED)
    assert symbol in flaw_of_fill(first, LISTED)
    assert flaw_of_funding(funding_paid("1", symbol=symbol), LISTED, "USDT") == flaw_of_fill(first, LISTED)


@pytest.mark.parametrize("amount", ["1", "0", "-1"])
def test_funding_that_was_paid_or_received_has_no_flaw(amount):
    assert not flaw_of_funding(funding_paid(amount), LISTED, "USDT")


@pytest.mark.parametrize(("amount", "currency"), [("NaN", "USDT"), ("Infinity", "USDT"), ("1", "BNB")])
def test_funding_that_cannot_be_true_names_itself_and_the_amount(amount, currency):
    paid = funding_paid(Decimal(amount), currency=currency)
    flaw = flaw_of_funding(paid, LISTED, "USDT")
    assert paid.reference in flaw
    assert f"{amount} {currency}" in flaw
