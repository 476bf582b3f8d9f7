"""How large a position each model takes."""

from decimal import Decimal
from math import log, sqrt

import pytest

from app.settings.models import SizingSettings
from app.strategies import sizing_from
from app.strategies.sizing import VOLATILITY_WINDOW_BARS
from tests.builders import bar, instrument, inverse


def size(model, price="100", equity="10000", contract=None, **settings):
    sizing = sizing_from(SizingSettings(model=model, **settings))
    sizing.observe(bar(100))
    return sizing.contracts(contract or instrument(), Decimal(price), Decimal(equity))


@pytest.mark.parametrize(("contract_size", "contracts"), [("1", "2.5"), ("0.01", "250"), ("3", "0.833")])
def test_a_fixed_quantity_is_in_coins(contract_size, contracts):
    """2.5 coins, cut to the lot of 0.001 contracts."""
    contract = instrument(contract_size=contract_size)
    assert size("fixed_quantity", quantity="2.5", contract=contract) == Decimal(contracts)


def test_a_fixed_quantity_of_an_inverse_contract_depends_on_the_price():
    """2 coins at 10,000 are 200 contracts of 100 USD."""
    assert size("fixed_quantity", quantity="2", price="10000", contract=inverse()) == 200


def test_a_fixed_notional_is_in_settlement_currency():
    """1,000 at 300 are 3.333 coins; 0.5 coins of an inverse contract at 10,000 are 50 contracts."""
    assert size("fixed_notional", notional="1000", price="300") == Decimal("3.333")
    assert size("fixed_notional", notional="0.5", price="10000", contract=inverse()) == 50


@pytest.mark.parametrize(("equity", "contracts"), [("10000", "25"), ("1", "0.002"), ("0", "0"), ("-5", "0")])
def test_a_part_of_the_equity_shrinks_with_it(equity, contracts):
    """A quarter, at 100."""
    assert size("equity_fraction", fraction="0.25", equity=equity) == Decimal(contracts)


def volatile(bars, equity="10000", fraction_max="100"):
    """Return a size for a wanted volatility of 0.5 after bars that rise and fall by 1 % each minute."""
    settings = SizingSettings(model="volatility_target", volatility_ratio="0.5", fraction_max=fraction_max)
    sizing = sizing_from(settings)
    for index in range(bars):
        sizing.observe(bar(100 + index % 2, index))
    return sizing.contracts(instrument(), Decimal(100), Decimal(equity))


def test_a_volatility_target_takes_nothing_while_the_volatility_is_not_known():
    """60 returns need 61 closes."""
    assert volatile(0) == 0
    assert volatile(VOLATILITY_WINDOW_BARS) == 0
    assert volatile(VOLATILITY_WINDOW_BARS + 1) > 0


def test_a_volatility_target_takes_as_much_as_makes_it():
    """7.21 a year is wanted at 0.5: 6.93 % of 10,000, at 100."""
    fraction = 0.5 / (log(1.01) * sqrt(365 * 24 * 60))
    assert float(volatile(61)) == pytest.approx(fraction * 100, abs=0.001)


def test_a_volatility_target_is_bounded_and_takes_nothing_without_equity():
    assert volatile(61, fraction_max="0.01") == 1
    assert volatile(61, equity="-1") == 0


def test_a_market_that_does_not_move_has_no_volatility_to_aim_at():
    sizing = sizing_from(SizingSettings(model="volatility_target"))
    for index in range(100):
        sizing.observe(bar(100, index))
    assert sizing.contracts(instrument(), Decimal(100), Decimal(10000)) == 0


@pytest.mark.parametrize("model", ["fixed_quantity", "fixed_notional", "equity_fraction"])
def test_models_that_measure_nothing_remember_nothing(model):
    sizing = sizing_from(SizingSettings(model=model))
    sizing.restore(b"null")
    assert sizing.snapshot() is None
