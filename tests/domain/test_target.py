"""What a strategy may say, and what is refused before anything is sent or written down."""

from decimal import Decimal
from math import nan

import pytest

from app.domain.target import VALID_S_MAX, Entry, Target
from tests.builders import BTC, instrument, target

NO_NUMBERS = [1.5, 100, "100", nan, Decimal("NaN"), Decimal("Infinity")]


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("name", ["contracts", "stop", "take_profit", "trailing"])
def test_a_target_counts_in_finite_decimals(name, value):
    fields = {"strategy_id": "own", "symbol": BTC, "contracts": Decimal(1), "sequence": 1, "time_ns": 1}
    with pytest.raises(TypeError, match=f"{name} is .*: use a finite Decimal"):
        Target(**fields | {name: value})


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("name", ["price", "trigger_price"])
def test_an_entry_counts_in_finite_decimals(name, value):
    with pytest.raises(TypeError, match=f"{name} is .*: use a finite Decimal"):
        Entry(**{name: value})


@pytest.mark.parametrize("value", [0.5, 1.0, Decimal(1), "1", True])
def test_an_entry_is_valid_for_whole_seconds(value):
    """A fraction would become a time that the journal cannot be read with again."""
    with pytest.raises(TypeError, match="use whole seconds"):
        Entry(valid_s=value)


def test_what_is_not_said_is_not_refused():
    assert Entry().price is None
    assert not target(Decimal(0)).is_protected


@pytest.mark.parametrize("name", ["stop", "take_profit", "trailing"])
@pytest.mark.parametrize("value", ["0", "-5"])
def test_a_price_is_positive(name, value):
    """The entry would go out, and its protection never."""
    with pytest.raises(ValueError, match=f"{name} is {value}: it must be positive"):
        target(**{name: value})


@pytest.mark.parametrize("name", ["contracts", "stop", "take_profit", "trailing"])
@pytest.mark.parametrize("value", ["1E+500", "1E+15", "1E-500", "9E-16"])
def test_a_number_is_one_that_money_can_be_multiplied_with(name, value):
    """28 digits hold a size times a price."""
    with pytest.raises(ValueError, match="it must lie between 1E-15 and 1E"):
        target(**{name: value})


def test_any_nothing_is_flat():
    assert target(Decimal("0E-20")).contracts == 0


@pytest.mark.parametrize("value", [0, -1, VALID_S_MAX + 1])
def test_an_entry_ends_within_a_year(value):
    with pytest.raises(ValueError, match="it must lie between 1 and 31622400"):
        Entry(valid_s=value)


def test_protection_is_brought_onto_the_tick_and_never_to_nothing():
    """Half-even, on a tick of 0.1."""
    found = target(stop="90.05", take_profit="110.16", trailing="0.04").on_tick(instrument())
    assert (found.stop, found.take_profit, found.trailing) == (Decimal("90.0"), Decimal("110.2"), Decimal("0.1"))
    bare = target()
    assert bare.on_tick(instrument()) is bare
