"""Indicators on numbers that can be followed with a pencil."""

from decimal import Decimal
from math import log, sqrt

import pytest

from app.indicators import Atr, Bollinger, Donchian, Ema, Rsi, Volatility
from tests.builders import bar


def test_ema_moves_by_its_weight():
    """Period 3 weighs the latest by a half."""
    ema = Ema(3)
    assert [ema.update(price) for price in (10, 12, 11, Decimal(15))] == [10.0, 11.0, 11.0, 13.0]


def test_bollinger_bands_are_deviations_from_the_mean():
    """2, 4, 6: mean 4, squares 4 + 0 + 4, deviation the root of 8/3."""
    bands = Bollinger(3, 2.0)
    assert [bands.update(price) for price in (2, 4)] == [None, None]
    assert (bands.upper, bands.lower) == (None, None)
    assert bands.update(6) == 4.0
    assert bands.upper == pytest.approx(4 + 2 * sqrt(8 / 3))
    assert bands.lower == pytest.approx(4 - 2 * sqrt(8 / 3))
    assert bands.update(8) == 6.0


def test_donchian_is_the_highest_high_and_the_lowest_low():
    channel = Donchian(2)
    channel.update(bar("5", high="9", low="4"))
    assert (channel.upper, channel.lower) == (None, None)
    channel.update(bar("5", high="6", low="3"))
    assert (channel.upper, channel.lower) == (9.0, 3.0)
    channel.update(bar("5", high="7", low="5"))
    assert (channel.upper, channel.lower) == (7.0, 3.0)


def test_atr_takes_gaps_in():
    """Ranges 2, then 12 - 10 = 2 but from the close of 5 it is 7; mean 4.5; then 1.5 smooths it to 3."""
    atr = Atr(2)
    assert atr.update(bar("5", high="6", low="4")) is None
    assert atr.update(bar("11", high="12", low="10")) == 4.5
    assert atr.update(bar("10", high="11", low="9.5")) == pytest.approx(3.0)


def test_atr_takes_gaps_down_in_as_well():
    atr = Atr(1)
    atr.update(bar("10"))
    assert atr.update(bar("4", high="5", low="3")) == 7.0


def test_rsi_is_the_share_of_the_gains():
    """Gains 2 and 0, losses 0 and 1: 2 of 3. Then a gain of 1: (1 + 1) / 2 and 0.5 / 2, so 1 of 1.25."""
    rsi = Rsi(2)
    assert [rsi.update(price) for price in (10, 12)] == [None, None]
    assert rsi.update(11) == pytest.approx(100 * 2 / 3)
    assert rsi.update(12) == pytest.approx(80.0)


@pytest.mark.parametrize(("prices", "value"), [((1, 2, 3), 100.0), ((3, 2, 1), 0.0), ((2, 2, 2), 50.0)])
def test_rsi_at_its_ends_and_in_the_middle(prices, value):
    rsi = Rsi(2)
    assert [rsi.update(price) for price in prices][-1] == value


def test_volatility_is_the_root_mean_square_of_returns_a_year():
    """1 % up and 1 % down once a day: 0.00995 times the root of 365."""
    volatility = Volatility(2, 86_400)
    assert [volatility.update(price) for price in (100, 101)] == [None, None]
    assert volatility.update(100) == pytest.approx(log(1.01) * sqrt(365))
    assert volatility.update(100) == pytest.approx(log(1.01) * sqrt(365 / 2))


@pytest.mark.parametrize("kind", [Atr, Bollinger, Donchian, Ema, Rsi, lambda period: Volatility(period, 60)])
@pytest.mark.parametrize("period", [0, -1])
def test_a_length_that_nothing_can_be_averaged_over_is_refused(kind, period):
    """An average over -1 would divide by zero, at some later bar."""
    with pytest.raises(ValueError, match=f"is {period}: it must be at least 1"):
        kind(period)
