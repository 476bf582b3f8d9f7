"""What each strategy asks for, as arrays."""

from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.backtest.compiled import signals
from app.backtest.compiled.errors import NotCompilable
from app.backtest.compiled.market import CompiledMarket
from app.backtest.compiled.records import AFTER_BAR, CLOSE, HIGH, LOW, RATE
from app.backtest.compiled.scaling import decimals_of
from app.domain.money import ZERO
from app.strategies import Strategy
from app.strategies.breakout import Breakout
from app.strategies.funding_carry import FundingCarry
from app.strategies.mean_reversion import MeanReversion
from app.strategies.trend import Trend

Integers = NDArray[np.int64]


class Signals(msgspec.Struct, frozen=True):
    """What a strategy wants, for all bars at once."""

    rows: Integers
    """int64, shape (n, 5), as ``records`` describes them: one row a bar, or a settlement."""
    from_flat: bool = False
    """Whether it enters only when it wants nothing."""
    on_funding: bool = False
    """Whether there is a row for each settlement instead of each bar."""
    valid_s: int = 0
    """How long an entry at a limit is good; 0 is until it is canceled."""


@runtime_checkable
class SaysSignals(Protocol):
    """A strategy of one's own that can say its targets as arrays."""

    def compiled_signals(self, market: CompiledMarket) -> Signals:
        """Return what ``on_bar`` would ask for at each bar; nothing before ``market.first``, nor before it is warm."""


def signals_of(strategy: Strategy, market: CompiledMarket) -> Signals:
    """Return what a strategy wants.

    Raises:
        NotCompilable: It cannot say so for all bars at once.
    """
    if isinstance(strategy, SaysSignals):
        return strategy.compiled_signals(market)
    speak = SPEAKERS.get(type(strategy))
    if speak is None:
        raise NotCompilable(f"strategy {type(strategy).__name__} cannot say its targets as arrays")
    interval_s = getattr(strategy.params, "interval_s", market.interval_s)
    if interval_s != market.interval_s:
        raise NotCompilable(f"it does not build bars of {interval_s} s from bars of {market.interval_s} s")
    return speak(strategy.params, market)


def _trend(params: Any, market: CompiledMarket) -> Signals:  # noqa: ANN401 - each strategy's own Params
    return Signals(signals.trend(market.price(CLOSE), params.fast, params.slow, market.first))


def _breakout(params: Any, market: CompiledMarket) -> Signals:  # noqa: ANN401 - as above
    tick = market.instrument.tick_size * signals.DIGITS
    if tick % 1:
        raise NotCompilable(f"a tick of {market.instrument.tick_size} is finer than a millionth")
    prices = (market.price(HIGH), market.price(LOW), market.price(CLOSE))
    closes = np.ascontiguousarray(market.bars[:, CLOSE])
    return Signals(
        signals.breakout(closes, *prices, int(tick), params.channel, params.atr, params.stop_ranges, market.first)
    )


def _mean_reversion(params: Any, market: CompiledMarket) -> Signals:  # noqa: ANN401 - as above
    ratio, scale = _fraction(params.stop_ratio)
    closes = np.ascontiguousarray(market.bars[:, CLOSE])
    rows = signals.mean_reversion(
        closes,
        market.price(CLOSE),
        params.period,
        params.width,
        params.rsi,
        params.oversold,
        ratio,
        scale,
        market.first,
    )
    return Signals(rows, from_flat=True)


def _funding_carry(params: Any, market: CompiledMarket) -> Signals:  # noqa: ANN401 - as above
    ratio, stop_scale = _fraction(params.stop_ratio)
    extra = max(decimals_of(params.enter_rate), decimals_of(params.leave_rate))
    scale = max(market.funding_scale, 10**extra)
    settled = market.settlements
    rows = signals.funding_carry(
        np.ascontiguousarray(market.bars[settled[:, AFTER_BAR], CLOSE]),
        np.ascontiguousarray(settled[:, RATE] * (scale // market.funding_scale)),
        int(params.enter_rate * scale),
        int(params.leave_rate * scale),
        ratio,
        stop_scale,
    )
    return Signals(rows, on_funding=True)


def _fraction(ratio: Decimal) -> tuple[int, int]:
    numerator, scale = ratio.as_integer_ratio()
    if scale > 10**8 or ratio <= ZERO:
        raise NotCompilable(f"stop_ratio {ratio} has too many digits")
    return numerator, scale


SPEAKERS = {Trend: _trend, Breakout: _breakout, MeanReversion: _mean_reversion, FundingCarry: _funding_carry}
"""The built-in strategies; a subclass may do something else, and is none of them."""
