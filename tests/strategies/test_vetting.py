"""What a strategy returns is looked at before any of it is recorded or sent."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.order import OrderType
from app.domain.target import DIGITS_MAX, Entry, Target
from app.strategies import Strategy
from app.strategies.vetting import TargetRefused, vetted
from tests.builders import BTC, ETH, START_NS, target
from tests.strategies.account import FakeView, made

LIMIT_AT_50 = Entry(type=OrderType.LIMIT, price=Decimal(50))


class Mine(Strategy):
    pass


@pytest.fixture
def look(view):
    """Look at a target of the strategy ``trend`` when BTC is at 100."""
    view.marks[BTC] = Decimal(100)
    strategy = made(Mine, strategy_id="trend")
    return lambda returned: vetted(returned, strategy, view, START_NS)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"entry": None}, r"cannot be put on record: Expected `object`, got `null` - at `\$.entry`"),
        ({"entry": Entry(type="nonsense")}, "Invalid enum value 'nonsense'"),
        ({"sequence": "9"}, r"Expected `int`, got `str` - at `\$.sequence`"),
        ({"sequence": 2**70}, "sequence is 1180591620717411303424: it counts from 1"),
        ({"sequence": 0}, "sequence is 0: it counts from 1"),
        ({"time_ns": None}, r"Expected `int`, got `null` - at `\$.time_ns`"),
        ({"time_ns": 9 * 10**18}, "time_ns is 9000000000000000000, and it is"),
        ({"reason": "\ud800"}, "surrogates not allowed"),
        ({"reason": 5}, r"Expected `str`, got `int` - at `\$.reason`"),
        ({"symbol": "DOGE/USDT:USDT"}, "symbol is 'DOGE/USDT:USDT', and its own is 'BTC/USDT:USDT'"),
        ({"symbol": ETH}, "symbol is 'ETH/USDT:USDT', and its own is"),
        ({"strategy_id": "other"}, "strategy_id is 'other', and its own is 'trend'"),
        ({"trailing": 100}, "a long whose trailing stop is 100 behind a price of 100: it would have no stop"),
        ({"trailing": 60, "entry": LIMIT_AT_50}, "is 60 behind a price of 50"),
    ],
)
def test_a_target_that_cannot_be_worked_towards_is_refused_in_a_sentence(look, changes, why):
    """A wrong type is nobody's before: the journal could not be read with it, and no later start would come up."""
    with pytest.raises(TargetRefused, match=rf"test_vetting.Mine returned .*{why}"):
        look(target(**changes))


@pytest.mark.parametrize("returned", ["buy!", 1, object, 0])
def test_what_is_no_target_is_refused(look, returned):
    with pytest.raises(TargetRefused, match=r"returned .*, not a Target or None"):
        look(returned)


def test_a_sound_target_is_what_it_was(look):
    asked = target(stop=90, take_profit=120, entry=LIMIT_AT_50, reason="cheap")
    assert look(asked) == asked


def test_protection_off_the_tick_is_brought_onto_it(look):
    """As ``Strategy.target`` does; less than a tick becomes one."""
    found = look(target(stop="90.04", take_profit="119.96", trailing="0.01"))
    assert (found.stop, found.take_profit, found.trailing) == (Decimal("90.0"), Decimal("120.0"), Decimal("0.1"))


def test_the_trailing_stop_of_a_short_may_be_as_far_as_it_likes(look):
    assert look(target(-1, trailing=500)).trailing == 500


def test_without_a_price_nothing_is_too_far():
    assert vetted(target(trailing=500), made(Mine, strategy_id="trend"), FakeView(), START_NS).trailing == 500


def test_numbers_that_together_are_too_large_are_refused(look):
    """Each could be counted with; their product, to the ledger's eight decimals, could not."""
    dear = Entry(type=OrderType.LIMIT, price=Decimal("9e14"))
    with pytest.raises(TargetRefused, match=r"cannot be counted with: contracts 9E\+14"):
        look(target(Decimal("9e14"), entry=dear))


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("1e-20"), max_value=Decimal("1e20"))


@given(contracts=NUMBERS, stop=NUMBERS, trailing=NUMBERS)
def test_whatever_passes_is_read_back_as_it_was(contracts, stop, trailing):
    view = FakeView()
    view.marks[BTC] = Decimal(100)
    try:
        asked = target(contracts, stop=stop, trailing=trailing)
        found = vetted(asked, made(Mine, strategy_id="trend"), view, START_NS)
    except (TargetRefused, ValueError):
        return
    assert msgspec.json.decode(msgspec.json.encode(found), type=Target) == found
    assert abs(found.contracts.adjusted()) <= DIGITS_MAX
    assert not found.stop % view.instrument(BTC).tick_size
