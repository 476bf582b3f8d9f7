"""At the liquidation price, collateral plus unrealized profit is exactly the maintenance margin."""

from decimal import Decimal

import pytest

from app.domain.instrument import MarginTier
from app.domain.margin import bankruptcy_price, initial_margin, liquidation_price, maintenance_margin
from app.domain.position import Position
from tests.builders import BTC, BTC_INVERSE, instrument, inverse

# 1 % up to 1000, then 2 % less the 10 that keep it continuous at 1000.
TIERS = (
    MarginTier(Decimal(1000), Decimal(50), Decimal("0.01")),
    MarginTier(None, Decimal(20), Decimal("0.02"), Decimal(10)),
)


def position(contracts, price, contract, symbol=BTC):
    held, _ = Position(symbol).after(contract, Decimal(contracts), Decimal(price))
    return held


def test_initial_margin_is_the_notional_over_the_leverage():
    assert initial_margin(Decimal(1000), Decimal(3)) == Decimal("333.33333333")


@pytest.mark.parametrize(
    ("notional", "margin"), [("0", "0"), ("500", "5"), ("1000", "10"), ("1000.5", "10.01"), ("3000", "50")]
)
def test_maintenance_margin_follows_the_tiers(notional, margin):
    """3000 is in the second tier: 2 % are 60, less 10."""
    assert maintenance_margin(instrument(margin_tiers=TIERS), Decimal(notional)) == Decimal(margin)


def test_maintenance_margin_is_never_negative():
    odd = instrument(margin_tiers=(MarginTier(None, Decimal(1), Decimal("0.01"), Decimal(100)),))
    assert maintenance_margin(odd, Decimal(500)) == 0


def test_the_last_tier_holds_beyond_its_edge():
    bounded = instrument(margin_tiers=TIERS[:1])
    assert bounded.tier(Decimal(5000)) is TIERS[0]


def test_a_long_is_liquidated_below_its_entry():
    """Long 1 at 100 with 10: 10 + p - 100 = 0.01 p, so p = 90 / 0.99."""
    contract = instrument()
    price = liquidation_price(contract, position("1", "100", contract), Decimal(10))
    assert price == Decimal(90) / Decimal("0.99")


def test_a_short_is_liquidated_above_its_entry():
    """Short 1 at 100 with 11: 11 - p + 100 = 0.01 p, so p = 111 / 1.01."""
    contract = instrument()
    price = liquidation_price(contract, position("-1", "100", contract), Decimal(11))
    assert price == Decimal(111) / Decimal("1.01")


def test_an_inverse_long_is_liquidated_below_its_entry():
    """100 contracts of 100 USD at 10000 are 1 coin. With 0.01 coins: 1.01 - 10000/p = 100/p, so p = 10000."""
    contract = inverse()
    held = position("100", "10000", contract, BTC_INVERSE)
    assert liquidation_price(contract, held, Decimal("0.01")) == Decimal(10000)
    assert liquidation_price(contract, held, Decimal("0.11")) == Decimal(10100) / Decimal("1.11")


@pytest.mark.parametrize("contracts", ["1", "9", "11", "40", "-1", "-9", "-11", "-40"])
@pytest.mark.parametrize("collateral", ["30", "90", "250"])
def test_collateral_and_profit_equal_the_maintenance_margin_there(contracts, collateral):
    """In either tier, for either side; a price that is out of reach is none at all."""
    contract = instrument(margin_tiers=TIERS)
    held = position(contracts, "100", contract)
    price = liquidation_price(contract, held, Decimal(collateral))
    if price is None:
        assert held.contracts > 0
        assert Decimal(collateral) >= held.cost
        return
    left = Decimal(collateral) + held.unrealized(contract, price)
    due = maintenance_margin(contract, contract.notional(held.contracts, price))
    assert abs(left - due) < Decimal("1e-20")


@pytest.mark.parametrize("contracts", ["100", "-100"])
def test_the_same_holds_for_inverse_contracts(contracts):
    """Their value is rounded to 1e-8 coins, so the two sides agree to that."""
    contract = inverse()
    held = position(contracts, "10000", contract, BTC_INVERSE)
    collateral = Decimal("0.11")
    price = liquidation_price(contract, held, collateral)
    left = collateral + held.unrealized(contract, price)
    due = maintenance_margin(contract, contract.notional(held.contracts, price))
    assert abs(left - due) <= Decimal("2e-8")


def test_a_long_with_all_its_cost_behind_it_cannot_be_liquidated():
    """Long 1 at 100 with 100: even at zero nothing is owed."""
    contract = instrument()
    held = position("1", "100", contract)
    assert liquidation_price(contract, held, Decimal(100)) is None
    assert bankruptcy_price(contract, held, Decimal(100)) is None


def test_an_inverse_short_with_all_its_cost_behind_it_cannot_be_liquidated():
    """Short 1 coin with 1 coin: the price can rise for ever."""
    contract = inverse()
    held = position("-100", "10000", contract, BTC_INVERSE)
    assert held.cost == Decimal(1)
    assert liquidation_price(contract, held, Decimal(1)) is None
    assert liquidation_price(contract, held, Decimal(2)) is None
    assert bankruptcy_price(contract, held, Decimal(1)) is None


def test_a_maintenance_rate_of_one_leaves_no_price_to_solve_for():
    """The whole value is due as margin: the long's loss and its margin cancel out at every price."""
    contract = instrument(margin_tiers=(MarginTier(None, Decimal(1), Decimal(1)),))
    assert liquidation_price(contract, position("1", "100", contract), Decimal(10)) is None


def test_a_flat_position_has_neither_price():
    assert liquidation_price(instrument(), Position(BTC), Decimal(10)) is None
    assert bankruptcy_price(instrument(), Position(BTC), Decimal(10)) is None


@pytest.mark.parametrize(("contracts", "price"), [("1", "90"), ("-1", "110"), ("2", "95")])
def test_at_the_bankruptcy_price_the_collateral_is_lost(contracts, price):
    """Ten are lost by one contract over ten, by two over five."""
    contract = instrument()
    held = position(contracts, "100", contract)
    assert bankruptcy_price(contract, held, Decimal(10)) == Decimal(price)
    assert held.unrealized(contract, Decimal(price)) == Decimal(-10)
