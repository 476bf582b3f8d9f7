"""Indicators against their textbook formulas, computed anew from all prices."""

from itertools import pairwise
from math import log, sqrt
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.indicators import Atr, Bollinger, Donchian, Ema, Rsi, Volatility
from tests.builders import bar, number
from tests.properties import BRIEF

periods = st.integers(2, 8)
prices = st.lists(st.integers(100, 10_000).map(lambda cents: cents / 100), min_size=1, max_size=40)
candles = st.lists(st.tuples(*[st.integers(100, 10_000)] * 3).map(sorted), min_size=1, max_size=40)


def last(indicator, seen):
    value = None
    for each in seen:
        value = indicator.update(each)
    return value


def wilder(values, period):
    """The mean of the first ``period`` values, then smoothed; None before."""
    if len(values) < period:
        return None
    smoothed = fmean(values[:period])
    for value in values[period:]:
        smoothed = (smoothed * (period - 1) + value) / period
    return smoothed


@BRIEF
@given(prices=prices, period=periods)
def test_ema(prices, period):
    weight = 2 / (period + 1)
    ages = range(len(prices) - 1, 0, -1)
    expected = prices[0] * (1 - weight) ** (len(prices) - 1)
    expected += sum(price * weight * (1 - weight) ** (age - 1) for price, age in zip(prices[1:], ages, strict=True))
    assert last(Ema(period), prices) == pytest.approx(expected)


@BRIEF
@given(prices=prices, period=periods)
def test_bollinger(prices, period):
    bands = Bollinger(period, 2.5)
    middle = last(bands, prices)
    if len(prices) < period:
        assert middle is None
        return
    window = prices[-period:]
    assert middle == pytest.approx(fmean(window))
    assert bands.upper == pytest.approx(fmean(window) + 2.5 * pstdev(window))
    assert bands.lower == pytest.approx(fmean(window) - 2.5 * pstdev(window))


@BRIEF
@given(candles=candles, period=periods)
def test_donchian(candles, period):
    channel = Donchian(period)
    last(channel, [bar(close, high=high, low=low) for low, close, high in candles])
    window = candles[-period:] if len(candles) >= period else []
    assert channel.upper == max((high for _, _, high in window), default=None)
    assert channel.lower == min((low for low, _, _ in window), default=None)


@BRIEF
@given(candles=candles, period=periods)
def test_atr(candles, period):
    closes = [None, *(close for _, close, _ in candles)]
    ranges = [
        high - low if before is None else max(high - low, abs(high - before), abs(low - before))
        for (low, _, high), before in zip(candles, closes[:-1], strict=True)
    ]
    bars = [bar(close, high=high, low=low) for low, close, high in candles]
    expected = wilder(ranges, period)
    assert last(Atr(period), bars) == (None if expected is None else pytest.approx(expected))


@BRIEF
@given(prices=prices, period=periods)
def test_rsi(prices, period):
    changes = [after - before for before, after in pairwise(prices)]
    gain = wilder([max(change, 0) for change in changes], period)
    loss = wilder([max(-change, 0) for change in changes], period)
    value = last(Rsi(period), prices)
    if gain is None:
        assert value is None
    elif gain + loss == 0:
        assert value == 50
    else:
        assert value == pytest.approx(100 * gain / (gain + loss))


@BRIEF
@given(prices=prices, window=periods)
def test_volatility(prices, window):
    returns = [log(after / before) for before, after in pairwise(prices)]
    value = last(Volatility(window, 60), [number(price) for price in prices])
    if len(returns) < window:
        assert value is None
        return
    mean_square = fmean(change**2 for change in returns[-window:])
    assert value == pytest.approx(sqrt(mean_square * 365 * 86_400 / 60), abs=1e-3)
