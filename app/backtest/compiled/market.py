"""Recorded bars as integers, scaled once for all trials."""

from bisect import bisect_left
from decimal import Decimal
from math import log

import msgspec
import numpy as np
from numba import njit
from numpy.typing import NDArray

from app.backtest.compiled.errors import NotCompilable
from app.backtest.compiled.records import AFTER_BAR, AVAILABLE, CLOSE, HIGH, LOW, OPEN, RATE, SETTLES, TIME, WILD
from app.backtest.compiled.scaling import decimals_of
from app.domain.instrument import Instrument
from app.domain.market import SECOND_NS
from app.domain.money import ZERO
from app.exchanges.simulated.recorded import RecordedMarket
from app.settings.models import RiskSettings

YEAR_NS = 365 * 86_400 * SECOND_NS
DOUBT = 1 - 1e-6
"""The guard sums the squares in another order: what is nearer to its limit than this counts as beyond it."""
EXACT_MAX = 2**53
"""Up to it an integer is a float64."""


class CompiledMarket(msgspec.Struct, frozen=True):
    """Bars and settlements of one symbol. Arrays are described in ``records``; do not write into them."""

    instrument: Instrument
    interval_s: int
    first: int
    """Bars of history before the first that is traded."""
    bars: NDArray[np.int64]
    settlements: NDArray[np.int64]
    funding_scale: int
    """One as a funding rate."""

    def price(self, column: int) -> NDArray[np.float64]:
        """Return a column of prices as float64, each the nearest to its Decimal."""
        numerator, scale = self.instrument.tick_size.as_integer_ratio()
        # Both are exact, so the quotient is what float() makes of the Decimal.
        prices: NDArray[np.float64] = (self.bars[:, column] * numerator).astype(np.float64) / float(scale)
        return prices

    def rate(self, numerator: int) -> Decimal:
        """Return a rate of the settlements as a Decimal."""
        return Decimal(numerator) / self.funding_scale

    def after(self, start: int) -> "CompiledMarket":
        """Return the market without its first ``start`` bars of history."""
        settlements = self.settlements.copy()
        settlements[:, AFTER_BAR] -= start
        return msgspec.structs.replace(self, first=self.first - start, bars=self.bars[start:], settlements=settlements)


def scale_market(
    recorded: RecordedMarket, instrument: Instrument, limits: RiskSettings, ratio: Decimal, history_max: int = 10_000
) -> CompiledMarket:
    """Return the bars of ``recorded``.

    Args:
        recorded: Candles.
        instrument: What they are of.
        limits: Give the limit of volatility.
        ratio: Share of a bar's volume that one order may take.
        history_max: Bars before the first that are kept for strategies to warm up on.

    Raises:
        NotCompilable: Times or rates are such that the kernel cannot count with them.
    """
    frame, first = recorded.table(history_max)
    bars = np.zeros((len(frame), 7), np.int64)
    interval_ns = recorded.interval_s * SECOND_NS
    bars[:, TIME] = frame["time"].to_numpy() + interval_ns
    for column, name in ((OPEN, "open"), (HIGH, "high"), (LOW, "low"), (CLOSE, "close")):
        bars[:, column] = frame[name].to_numpy()
    if len(bars) > 1 and int(np.diff(bars[:, TIME]).min()) < interval_ns:
        raise NotCompilable("bars overlap")
    if int(bars[:, HIGH].max()) * instrument.tick_size.as_integer_ratio()[0] > EXACT_MAX:
        raise NotCompilable("prices have more digits than a float64 holds")
    if ratio < 1:
        lot = instrument.lot_size
        bars[:, AVAILABLE] = [int(instrument.round_contracts(v * ratio) / lot) for v in recorded.volumes(frame)]
    settlements, scale = _settlements(recorded, bars[first:, TIME], first, interval_ns)
    market = CompiledMarket(instrument, recorded.interval_s, first, bars, settlements, scale)
    if limits.volatility_ratio_max is not None:
        most = float(limits.volatility_ratio_max) ** 2 * DOUBT
        mark_wild(bars, market.price(CLOSE), limits.volatility_window, most, first)
    return market


def _settlements(
    recorded: RecordedMarket, closes: NDArray[np.int64], first: int, interval_ns: int
) -> tuple[NDArray[np.int64], int]:
    """Return the settlements that fall into a bar, its close included, and the scale of their rates."""
    rows, rates = [], []
    settled = recorded.settlements
    times = closes.tolist() if settled else []
    for time_ns, rate in settled:
        bar = bisect_left(times, time_ns)
        if bar < len(times) and times[bar] - interval_ns < time_ns:
            rows.append((first + bar, time_ns))
            rates.append(rate)
    if len({time_ns for _, time_ns in rows}) < len(rows):
        raise NotCompilable("funding settles twice at the same moment")
    scale = 10 ** max((decimals_of(rate) for rate in rates), default=0)
    if scale * int(max((abs(rate) for rate in rates), default=ZERO) * scale) > 2**62 or scale > 2**62:
        raise NotCompilable("a funding rate has too many digits")
    found = np.zeros((len(rows), 3), np.int64)
    for place, ((bar, time_ns), rate) in enumerate(zip(rows, rates, strict=True)):
        found[place, AFTER_BAR], found[place, RATE], found[place, SETTLES] = bar, int(rate * scale), time_ns
    return found, scale


@njit(cache=True)
def mark_wild(bars: NDArray[np.int64], closes: NDArray[np.float64], size: int, most: float, first: int) -> None:
    """Mark the bars at which the volatility guard may say that the market is too wild: see ``VolatilityBreaker``."""
    squares = np.zeros(size)
    gaps = np.zeros(size, np.int64)
    total, elapsed = 0.0, 0
    for seen in range(len(closes) - first - 1):
        bar, place = first + 1 + seen, seen % size
        move = log(closes[bar] / closes[bar - 1])
        gap = bars[bar, TIME] - bars[bar - 1, TIME]
        total += move * move - squares[place]
        elapsed += gap - gaps[place]
        squares[place], gaps[place] = move * move, gap
        if seen + 1 >= size and total * YEAR_NS / elapsed > most:
            bars[bar, WILD] = 1
