"""A position carries its cost, and gives it back exactly."""

from decimal import Decimal

import pytest

from app.domain.money import ZERO
from app.domain.position import Position
from tests.builders import BTC, BTC_INVERSE, instrument, inverse

FLAT = Position(BTC)


def walk(contract, *fills, start=FLAT):
    """Return the position after fills of (signed contracts, price), and the realized profit of all."""
    total = ZERO
    for contracts, price in fills:
        start, realized = start.after(contract, Decimal(contracts), Decimal(price))
        total += realized
    return start, total


def test_a_partial_close_releases_its_share_of_the_cost():
    """Long 4 at 100 costs 400; selling 1 at 110 releases 100 and earns 10."""
    position, realized = walk(instrument(), ("4", "100"), ("-1", "110"))
    assert (position.contracts, position.cost, realized) == (Decimal(3), Decimal(300), Decimal(10))


def test_released_cost_is_rounded_and_the_rest_stays_exact():
    """3 contracts cost 100: a third is 33.33333333; the last one takes the 33.33333334 that is left."""
    start = Position(BTC, Decimal(3), Decimal(100))
    position, first = walk(instrument(), ("-1", "50"), start=start)
    assert position.cost == Decimal("66.66666667")
    assert first == Decimal("16.66666667")
    position, rest = walk(instrument(), ("-1", "50"), ("-1", "50"), start=position)
    assert (position.contracts, position.cost) == (0, 0)
    assert first + rest == Decimal(50)


@pytest.mark.parametrize(("cost", "released"), [("0.00000001", "0E-8"), ("0.00000003", "2E-8")])
def test_half_a_quantum_is_rounded_to_the_even_one(cost, released):
    """Half of 1e-8 goes down to 0, half of 3e-8 up to 2e-8."""
    start = Position(BTC, Decimal(2), Decimal(cost))
    position, _ = start.after(instrument(), Decimal(-1), Decimal(1))
    assert Decimal(cost) - position.cost == Decimal(released)


def test_a_short_earns_when_the_price_falls():
    """Short 2 at 100, bought back at 90: 20."""
    position, realized = walk(instrument(), ("-2", "100"), ("2", "90"))
    assert (position.contracts, position.cost, realized) == (0, 0, Decimal(20))


def test_a_fill_beyond_the_position_closes_it_and_opens_the_other_side():
    """Long 1 at 100, sold 3 at 110: 10 realized, short 2 at 110."""
    position, realized = walk(instrument(), ("1", "100"), ("-3", "110"))
    assert (position.contracts, position.cost, realized) == (Decimal(-2), Decimal(-220), Decimal(10))


def test_a_short_flips_to_a_long():
    """Short 1 at 100, bought 3 at 110: 10 lost, long 2 at 110."""
    position, realized = walk(instrument(), ("-1", "100"), ("3", "110"))
    assert (position.contracts, position.cost, realized) == (Decimal(2), Decimal(220), Decimal(-10))


def test_growing_adds_the_cost_and_realizes_nothing():
    position, realized = walk(instrument(), ("1", "100"), ("1", "110"))
    assert (position.contracts, position.cost, realized) == (Decimal(2), Decimal(210), 0)
    assert position.average_price(instrument()) == Decimal(105)


def test_the_contract_size_scales_everything():
    """10 contracts of 0.01 coins, up by 50: 5."""
    small = instrument(contract_size="0.01")
    position, realized = walk(small, ("10", "100"), ("-10", "150"))
    assert position.is_flat
    assert realized == Decimal(5)


def test_an_inverse_long_earns_coins_when_the_price_rises():
    """10 contracts of 100 USD: 0.1 coins at 10000, 0.05 coins at 20000; the long keeps the 0.05 between them."""
    contract = inverse()
    position, _ = walk(contract, ("10", "10000"), start=Position(BTC_INVERSE))
    assert position.cost == Decimal("-0.1")
    assert position.unrealized(contract, Decimal(20000)) == Decimal("0.05")
    assert position.average_price(contract) == Decimal(10000)
    _, realized = walk(contract, ("-10", "20000"), start=position)
    assert realized == Decimal("0.05")


def test_an_inverse_short_earns_coins_when_the_price_falls():
    """10 contracts of 100 USD, from 20000 to 10000: 0.05 coins."""
    _, realized = walk(inverse(), ("-10", "20000"), ("10", "10000"), start=Position(BTC_INVERSE))
    assert realized == Decimal("0.05")


def test_a_flat_position_has_no_average_and_no_profit():
    assert FLAT.is_flat
    assert FLAT.average_price(instrument()) is None
    assert FLAT.unrealized(instrument(), Decimal(5)) == 0


def test_isolated_margin_is_released_with_the_size():
    """40 is set aside for 4; closing 1 gives 10 back, closing the rest gives all back."""
    contract = instrument()
    position, _ = FLAT.after(contract, Decimal(4), Decimal(100), Decimal(40))
    assert position.isolated_margin == Decimal(40)
    position, _ = position.after(contract, Decimal(-1), Decimal(100), ZERO)
    assert position.isolated_margin == Decimal(30)
    position, _ = position.after(contract, Decimal(-3), Decimal(100), ZERO)
    assert position.isolated_margin == 0


def test_a_flip_sets_new_isolated_margin_aside():
    """Long 1 with 10, sold 3 at 100 with 20 for the two that open: 20."""
    position, _ = FLAT.after(instrument(), Decimal(1), Decimal(100), Decimal(10))
    position, _ = position.after(instrument(), Decimal(-3), Decimal(100), Decimal(20))
    assert (position.contracts, position.isolated_margin) == (Decimal(-2), Decimal(20))


def test_funding_changes_the_isolated_margin_of_an_open_position_only():
    """A settlement that is told after the close belongs to the wallet: the next position must not inherit it."""
    isolated = Position(BTC, Decimal(1), Decimal(100), Decimal(10))
    closed = Position(BTC, ZERO, ZERO, ZERO)
    cross = Position(BTC, Decimal(1), Decimal(100))
    assert isolated.with_margin(Decimal("-0.5")).isolated_margin == Decimal("9.5")
    assert closed.with_margin(Decimal("-0.5")) is closed
    assert cross.with_margin(Decimal("-0.5")) is cross
