"""What the built-in strategies want, for all bars at once. Compiled, on the indicators' own step functions.

Each function returns signals as ``records`` describes them. Prices are int64 ticks and, for the indicators, float64.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from app.backtest.compiled.arithmetic import half_even
from app.backtest.compiled.records import LEAVE, SIDE, STOP
from app.indicators import atr, bollinger, ema, rsi

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
DIGITS = 1_000_000
"""A distance has six digits."""
SPLIT = 134_217_729.0
"""2**27 + 1: Veltkamp's constant for halving a float64."""

ema_step = njit(cache=True)(ema.ema_step)
true_range = njit(cache=True)(atr.true_range)
wilder_step = njit(cache=True)(atr.wilder_step)
rsi_of = njit(cache=True)(rsi.rsi_of)
mean_and_deviation = njit(cache=True)(bollinger.mean_and_deviation)


@njit(cache=True)
def millionths(value: float) -> int:
    """Return a not negative float in millionths, as ``f"{value:.6f}"`` rounds it: half-even on its exact value.

    Dekker's product gives the error of the multiplication, without which a tie could not be told.
    """
    whole = np.floor(value)
    part = value - whole
    product = part * 1e6
    split = part * SPLIT
    high = split - (split - part)
    low = part - high
    # The halves of 1e6: it has twenty bits, so its lower half is zero.
    error = (high * 1e6 - product) + low * 1e6
    digits = np.floor(product)
    beyond = product - digits - 0.5
    result = int(digits)
    # The error is smaller than any difference from a half that is not zero: it matters for a tie alone.
    if beyond > 0.0 or (beyond == 0.0 and (error > 0.0 or (error == 0.0 and result % 2 == 1))):
        result += 1
    return int(whole) * DIGITS + result


@njit(cache=True)
def price_or_refused(ticks: int) -> int:
    """Return a price; one that is not positive is told apart from none."""
    return ticks if ticks > 0 else -1


@njit(cache=True)
def trend(closes: Floats, fast: int, slow: int, first: int) -> Integers:
    """Return the side of the EMA cross."""
    signals = np.zeros((len(closes), 5), np.int64)
    quick = slower = closes[0]
    for bar in range(len(closes)):
        if bar > 0:
            quick, slower = ema_step(quick, closes[bar], fast), ema_step(slower, closes[bar], slow)
        if bar >= first and bar + 1 >= slow:
            signals[bar, SIDE] = 1 if quick >= slower else -1
    return signals


@njit(cache=True)
def breakout(
    prices: Integers, highs: Floats, lows: Floats, closes: Floats, tick: int, channel: int, period: int, ranges: float,
    first: int,
) -> Integers:  # fmt: skip
    """Return the side on which a close left the channel of the bars before, with a stop some true ranges away.

    ``tick`` is the tick size in millionths of the quote currency.
    """
    signals = np.zeros((len(closes), 5), np.int64)
    average = total = 0.0
    warm = max(channel, period) + 1
    for bar in range(len(closes)):
        latest = highs[bar] - lows[bar] if bar == 0 else true_range(highs[bar], lows[bar], closes[bar - 1])
        if bar < period:
            total += latest
            if bar + 1 == period:
                average = total / period
        else:
            average = wilder_step(average, latest, period)
        if bar < first or bar + 1 < warm:
            continue
        upper, lower = highs[bar - channel], lows[bar - channel]
        for before in range(bar - channel + 1, bar):
            upper, lower = max(upper, highs[before]), min(lower, lows[before])
        side = 1 if closes[bar] > upper else -1 if closes[bar] < lower else 0
        if side != 0:
            signals[bar, SIDE] = side
            stop = prices[bar] * tick - side * millionths(average * ranges)
            signals[bar, STOP] = price_or_refused(half_even(stop, tick))
    return signals


@njit(cache=True)
def mean_reversion(
    prices: Integers, closes: Floats, period: int, width: float, changes_max: int, oversold: float, ratio: int,
    scale: int, first: int,
) -> Integers:  # fmt: skip
    """Return entries outside the bands and exits at the middle, with a stop ``ratio / scale`` away."""
    signals = np.zeros((len(closes), 5), np.int64)
    gain = loss = 0.0
    for bar in range(len(closes)):
        if bar > 0:
            change = closes[bar] - closes[bar - 1]
            weight = 1.0 / min(bar, changes_max)
            gain += (max(change, 0.0) - gain) * weight
            loss += (max(-change, 0.0) - loss) * weight
        if bar < first or bar + 1 < max(period, changes_max + 1):
            continue
        middle, deviation = mean_and_deviation(closes[bar + 1 - period : bar + 1])  # type: ignore[arg-type] # compiled, it takes an array
        close, index = closes[bar], rsi_of(gain, loss)
        signals[bar, LEAVE] = (1 if close - middle >= 0 else 0) + (2 if close - middle <= 0 else 0)
        side = 0
        if close < middle - width * deviation and index < oversold:
            side = 1
        elif close > middle + width * deviation and index > 100 - oversold:
            side = -1
        if side != 0:
            signals[bar, SIDE] = side
            signals[bar, STOP] = price_or_refused(half_even(prices[bar] * (scale - side * ratio), scale))
    return signals


@njit(cache=True)
def funding_carry(marks: Integers, rates: Integers, enters: int, leaves: int, ratio: int, scale: int) -> Integers:
    """Return one signal a settlement: the side that is paid, or the side whose pay is not worth it any more.

    Rates are in one scale; ``marks`` are the marks at the settlements.
    """
    signals = np.zeros((len(rates), 5), np.int64)
    for place in range(len(rates)):
        rate = rates[place]
        side = -1 if rate > 0 else 1
        if abs(rate) >= enters:
            signals[place, SIDE] = side
            signals[place, STOP] = price_or_refused(half_even(marks[place] * (scale - side * ratio), scale))
        else:
            signals[place, LEAVE] = (1 if -rate <= leaves else 0) + (2 if rate <= leaves else 0)
    return signals
