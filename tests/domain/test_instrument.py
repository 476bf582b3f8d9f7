"""What a contract is worth, and in which steps it is quoted and traded."""

from decimal import Decimal

import msgspec
import pytest

from app.domain.errors import InvalidInstrument, InvalidOrder
from tests.builders import instrument, inverse


def test_a_linear_contract_is_worth_its_coins():
    """3 contracts of 0.001 coins at 50000."""
    contract = instrument(contract_size="0.001")
    assert contract.value(Decimal(-3), Decimal(50000)) == Decimal(-150)
    assert contract.notional(Decimal(-3), Decimal(50000)) == Decimal(150)


def test_an_inverse_contract_is_worth_coins_rounded_to_the_ledger():
    """100 USD at 30000 are 0.003333... coins."""
    assert inverse().value(Decimal(1), Decimal(30000)) == Decimal("-0.00333333")
    assert inverse().notional(Decimal(1), Decimal(30000)) == Decimal("0.00333333")


@pytest.mark.parametrize(("notional", "contracts"), [("100", "1"), ("100.04", "1"), ("150", "1.5"), ("0.05", "0")])
def test_contracts_for_a_notional_are_cut_to_the_lot(notional, contracts):
    assert instrument().contracts_for(Decimal(notional), Decimal(100)) == Decimal(contracts)


@pytest.mark.parametrize("price", ["30000", "7", "97531"])
def test_inverse_contracts_for_a_notional_lose_no_lot_to_a_quotient(price):
    """3 coins at 7 USD buy exactly 21 contracts of 1 USD, though one of them is worth 1/7 coin."""
    contract = inverse(contract_size="1")
    assert contract.contracts_for(Decimal(3), Decimal(price)) == 3 * Decimal(price)


@pytest.mark.parametrize(("price", "rounded"), [("0.04", "0"), ("0.05", "0"), ("0.15", "0.2"), ("0.25", "0.2")])
def test_prices_are_rounded_half_even_to_the_tick(price, rounded):
    assert instrument().round_price(Decimal(price)) == Decimal(rounded)


@pytest.mark.parametrize(("size", "cut"), [("1.0009", "1"), ("-1.0009", "-1"), ("0.0009", "0")])
def test_sizes_are_cut_towards_zero(size, cut):
    assert instrument().round_contracts(Decimal(size)) == Decimal(cut)


@pytest.mark.parametrize("price", ["0", "-0.1", "0.05", "100.01"])
def test_a_price_off_the_tick_is_refused(price):
    with pytest.raises(InvalidOrder, match=r"is not a positive multiple of 0\.1") as caught:
        instrument().check_price(Decimal(price))
    assert caught.value.rule == "tick_size"


@pytest.mark.parametrize(
    ("contracts", "rule"),
    [
        ("0", "lot_size"),
        ("-1", "lot_size"),
        ("0.0105", "lot_size"),
        ("0.009", "contracts_min"),
        ("5.001", "contracts_max"),
    ],
)
def test_a_size_out_of_bounds_is_refused(contracts, rule):
    """Lot 0.001, between 0.01 and 5."""
    with pytest.raises(InvalidOrder) as caught:
        instrument(contracts_min="0.01", contracts_max="5").check_contracts(Decimal(contracts))
    assert caught.value.rule == rule


@pytest.mark.parametrize("contracts", ["0.01", "5"])
def test_the_bounds_themselves_are_allowed(contracts):
    instrument(contracts_min="0.01", contracts_max="5").check_contracts(Decimal(contracts))


STEPS = ("tick_size", "lot_size", "contract_size")
BOUNDS = ("contracts_min", "contracts_max", "notional_min")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, Decimal(value)) for name in STEPS for value in ("0", "0.000", "-0.001")],
        *[(name, Decimal("-0.001")) for name in BOUNDS],
        *[(name, Decimal(value)) for name in (*STEPS, *BOUNDS) for value in ("NaN", "sNaN", "Infinity")],
        ("lot_size", 0.001),
        ("contracts_min", None),
    ],
)
def test_terms_that_no_order_could_be_made_by_are_refused(name, value):
    with pytest.raises(InvalidInstrument, match=f"^BTC/USDT:USDT cannot be traded as it is listed: its {name} is "):
        msgspec.structs.replace(instrument(), **{name: value})


def test_a_largest_order_below_the_smallest_is_refused():
    with pytest.raises(InvalidInstrument, match=r"its contracts_max 0\.001 is below its contracts_min 0\.01") as caught:
        instrument(contracts_min="0.01", contracts_max="0.001")
    assert caught.value.symbol == "BTC/USDT:USDT"


def test_an_exchange_may_name_no_minima_and_one_size_alone():
    assert instrument(contracts_min="0", notional_min="0").contracts_min == 0
    assert instrument(contracts_min="1", contracts_max="1").contracts_max == 1
