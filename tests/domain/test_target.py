"""What a strategy may say, and what is refused before anything is sent or written down."""

from decimal import Decimal
from math import nan

import pytest

from app.domain.target import Entry, Target
from tests.builders import BTC, target

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
