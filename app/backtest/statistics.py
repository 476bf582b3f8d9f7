"""What a backtest came to. Pure; ratios are floats, money that is shown is exact elsewhere.

Sharpe and Sortino go by daily returns of the equity at the last sample of each UTC day, annualised by the root of 365
(perps trade every day), with a risk-free rate of zero. CAGR, Calmar and drawdown as in Bacon, "Practical Portfolio
Performance Measurement and Attribution", 2nd edition, chapters 2 and 4.
"""

from collections.abc import Sequence
from itertools import groupby, pairwise
from math import sqrt

import msgspec

from app.backtest.round_trips import RoundTrip
from app.domain.market import SECOND_NS

DAY_NS = 86_400 * SECOND_NS
YEAR_S = 365 * 86_400


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Ratios are parts of one, not percent; None is not defined (no trade, no day, no loss)."""

    total_return: float
    cagr: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float
    max_drawdown_s: float
    """From the peak until it was made up for, or until the end."""
    round_trips: int
    win_rate: float | None
    profit_factor: float | None
    """What was won / what was lost."""
    expectancy: float | None
    """Mean profit of a round trip, settlement currency, net."""
    longest_losing_run: int
    turnover: float
    """Notional traded / equity at the start."""
    exposure: float
    """Share of the time in the market."""
    buy_and_hold: float | None
    """Return of the first symbol's price over the same time."""


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """What of the equity curve the figures follow from."""

    lasted_ns: int
    first: float
    """Equity at the first sample, settlement currency."""
    last: float
    deepest: float
    """The deepest fall from a peak, as a part of it."""
    longest_s: float
    """The longest time below a peak."""
    daily: Sequence[float]
    """Return of each UTC day, parts of one."""


def statistics_of(
    times_ns: Sequence[int],
    equity: Sequence[float],
    trips: Sequence[RoundTrip],
    *,
    traded: float,
    in_market_ns: int,
    first_price: float | None,
    last_price: float | None,
) -> Statistics:
    """Return the figures of a run.

    Args:
        times_ns: When the equity was sampled, UTC nanoseconds, rising; at least one.
        equity: Balance plus unrealized PnL at those times, settlement currency, shape as ``times_ns``.
        trips: Closed round trips, in the order in which they closed.
        traded: Notional of all fills, settlement currency.
        in_market_ns: Time during which a position was held.
        first_price: Of the first symbol, at the first sample.
        last_price: Of the first symbol, at the last sample.
    """
    deepest, longest_ns = drawdown(times_ns, equity)
    curve = Curve(
        lasted_ns=times_ns[-1] - times_ns[0],
        first=equity[0],
        last=equity[-1],
        deepest=deepest,
        longest_s=longest_ns / SECOND_NS,
        daily=daily_returns(times_ns, equity),
    )
    return statistics_from(
        curve,
        [float(trip.pnl) for trip in trips],
        traded=traded,
        in_market_ns=in_market_ns,
        first_price=first_price,
        last_price=last_price,
    )


def statistics_from(
    curve: Curve,
    results: Sequence[float],
    *,
    traded: float,
    in_market_ns: int,
    first_price: float | None,
    last_price: float | None,
) -> Statistics:
    """Return the figures of a run whose curve and round trips were worked out elsewhere.

    Args:
        curve: Of its equity.
        results: Net profit of each closed round trip in their order, settlement currency.
        traded: As ``statistics_of`` takes it, and so is what follows.
        in_market_ns: As there.
        first_price: As there.
        last_price: As there.
    """
    total = curve.last / curve.first - 1
    years = curve.lasted_ns / SECOND_NS / YEAR_S
    cagr = (1 + total) ** (1 / years) - 1 if years > 0 and total > -1 else None
    daily = curve.daily
    runs = [len(list(run)) for is_losing, run in groupby([result < 0 for result in results]) if is_losing]
    won, lost = sum(r for r in results if r > 0), -sum(r for r in results if r < 0)
    return Statistics(
        total_return=total,
        cagr=cagr,
        sharpe=_ratio(daily, daily),
        sortino=_ratio(daily, [min(0.0, value) for value in daily], around=0.0),
        calmar=cagr / curve.deepest if cagr is not None and curve.deepest > 0 else None,
        max_drawdown=curve.deepest,
        max_drawdown_s=curve.longest_s,
        round_trips=len(results),
        win_rate=sum(1 for r in results if r > 0) / len(results) if results else None,
        profit_factor=won / lost if lost else None,
        expectancy=sum(results) / len(results) if results else None,
        longest_losing_run=max(runs, default=0),
        turnover=traded / curve.first,
        exposure=in_market_ns / curve.lasted_ns if curve.lasted_ns else 0.0,
        buy_and_hold=None if not first_price or last_price is None else last_price / first_price - 1,
    )


def drawdown(times_ns: Sequence[int], equity: Sequence[float]) -> tuple[float, int]:
    """Return the deepest fall from a peak, as a part of it, and the longest time below one, in nanoseconds."""
    peak, peak_ns, deepest, longest_ns = 0.0, times_ns[0], 0.0, 0
    for time_ns, value in zip(times_ns, equity):  # noqa: B905 - numba compiles it, too
        if value >= peak:
            peak, peak_ns = value, time_ns
        else:
            deepest = max(deepest, 1 - value / peak)
            longest_ns = max(longest_ns, time_ns - peak_ns)
    return deepest, longest_ns


def daily_returns(times_ns: Sequence[int], equity: Sequence[float]) -> list[float]:
    """Return the return of each UTC day, parts of one; of the first from the first sample on."""
    ends = [equity[0]]
    for place, time_ns in enumerate(times_ns):
        is_last_of_day = place + 1 == len(times_ns) or times_ns[place + 1] // DAY_NS != time_ns // DAY_NS
        if is_last_of_day:
            ends.append(equity[place])
    return [after / before - 1 for before, after in pairwise(ends) if before > 0]


def _ratio(returns: Sequence[float], risked: Sequence[float], around: float | None = None) -> float | None:
    """Return mean / deviation of daily values, annualised; None with fewer than two days or without any deviation."""
    if len(returns) < 2:
        return None
    mean = sum(returns) / len(returns)
    centre = mean if around is None else around
    spread = sqrt(sum((value - centre) ** 2 for value in risked) / (len(risked) - 1))
    return mean / spread * sqrt(365) if spread > 0 else None
