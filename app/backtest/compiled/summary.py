"""The figures of a compiled trial, without telling its story: what a search of thousands of trials can afford.

Equal to the last bit to the figures of the event path: profits are whole quanta until they become floats, each the
nearest to its Decimal, and what is done with floats is done by the same functions or in the same order.
"""

from collections.abc import Callable
from typing import cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from app.backtest.compiled.arithmetic import scaled
from app.backtest.compiled.market import EXACT_MAX
from app.backtest.compiled.records import (
    CLOSE,
    EQUITY,
    FILL_FEE,
    FILL_LOTS,
    FILL_PRICE,
    FILLS_BEFORE,
    HELD,
    RECEIVED,
    SETTLED_LOTS,
    TIME,
)
from app.backtest.compiled.scaling import value_of_lot
from app.backtest.compiled.trace import Trace
from app.backtest.statistics import DAY_NS, Curve, Statistics, daily_returns, drawdown, statistics_from
from app.domain.market import SECOND_NS

Integers = NDArray[np.int64]
QUANTA = 10**8

# Compiled, it takes arrays instead of sequences.
_drawdown = cast("Callable[[Integers, NDArray[np.float64]], tuple[float, int]]", njit(cache=True)(drawdown))


def curve_of(trace: Trace) -> Curve:
    """Return what the figures need of the equity at each bar."""
    first = trace.market.first
    times = np.ascontiguousarray(trace.market.bars[first:, TIME])
    equity = amounts(trace.samples[first:, EQUITY])
    deepest, longest_ns = _drawdown(times, equity)
    days = times // DAY_NS
    # The first sample, and the last of each day: the returns of the days follow from these alone.
    told = np.concatenate(([0], np.flatnonzero(np.diff(days)), [len(days) - 1]))
    return Curve(
        lasted_ns=int(times[-1] - times[0]),
        first=float(equity[0]),
        last=float(equity[-1]),
        deepest=deepest,
        longest_s=longest_ns / SECOND_NS,
        daily=daily_returns(times[told].tolist(), equity[told].tolist()),
    )


def statistics_of_trace(trace: Trace, curve: Curve) -> Statistics:
    """Return what ``figures_of(trace).statistics()`` would. ``curve`` is the trial's."""
    market, first, fills = trace.market, trace.market.first, trace.fills
    unit = value_of_lot(market.instrument)
    results = np.zeros(len(fills), np.int64)
    trips = round_trips(fills, trace.receipts, unit, results)
    # Summed outside int64: each value fits, their sum need not.
    traded = sum(np.abs(fills[:, FILL_LOTS] * fills[:, FILL_PRICE]).tolist())
    times, held = market.bars[first:, TIME], trace.samples[first:, HELD]
    prices = market.price(CLOSE)
    return statistics_from(
        curve,
        amounts(results[:trips]).tolist(),
        traded=traded * unit / QUANTA,
        in_market_ns=int(np.diff(times)[held[1:] != 0].sum()),
        first_price=float(prices[first]),
        last_price=float(prices[-1]),
    )


def amounts(quanta: Integers) -> NDArray[np.float64]:
    """Return ledger quanta as amounts, each the float that is nearest to its Decimal."""
    if len(quanta) and int(np.abs(quanta).max()) > EXACT_MAX:
        # No float64 as they are: Python divides integers of any length, rounding once.
        return np.array([amount / QUANTA for amount in quanta.tolist()])
    exact: NDArray[np.float64] = quanta.astype(np.float64) / float(QUANTA)
    return exact


@njit(cache=True)
def round_trips(fills: Integers, receipts: Integers, unit: int, results: Integers) -> int:
    """Put the net profit of each closed round trip into ``results``, in quanta; return their number.

    The kernel fills nothing that flips a position. ``unit`` is as ``Terms`` has it.
    """
    trips, lots, cost, pnl, receipt = 0, 0, 0, 0, 0
    for number in range(len(fills)):
        while receipt < len(receipts) and (
            receipts[receipt, SETTLED_LOTS] == 0 or receipts[receipt, FILLS_BEFORE] <= number
        ):
            if receipts[receipt, SETTLED_LOTS] != 0:
                pnl += receipts[receipt, RECEIVED]
            receipt += 1
        filled = fills[number, FILL_LOTS]
        value = filled * fills[number, FILL_PRICE] * unit
        if lots == 0 or (lots > 0) == (filled > 0):
            cost += value
        else:
            released = cost if filled == -lots else scaled(cost, abs(filled), abs(lots))
            pnl += -value - released
            cost -= released
        pnl -= fills[number, FILL_FEE]
        lots += filled
        if lots == 0:
            results[trips] = pnl
            trips, pnl = trips + 1, 0
    return trips
