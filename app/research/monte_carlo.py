"""How lucky the path was: the same round trips, drawn again and again with replacement.

Drawing (the bootstrap) takes round trips as independent of each other: runs of losses that follow from the market are
broken up, so that the true drawdowns are rather worse. Pure and seeded.
"""

from collections.abc import Sequence
from random import Random

import msgspec

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Spread(msgspec.Struct, frozen=True):
    """What the draws came to, by ``QUANTILES``, lowest first."""

    equity: tuple[float, ...]
    """At the end, settlement currency."""
    drawdown: tuple[float, ...]
    """The deepest, a part of the peak; 1 is ruin."""
    losing: float
    """Share of the draws that end below where they began."""


def spread_of(results: Sequence[float], equity: float, draws: int, seed: int) -> Spread:
    """Return how final equity and drawdown are distributed.

    Args:
        results: Net profit of each round trip, settlement currency; at least one.
        equity: At the start, settlement currency.
        draws: How often to draw.
        seed: Same seed, same spread.
    """
    random = Random(f"monte carlo:{seed}")  # noqa: S311 - a resampling
    paths = [_path(random.choices(results, k=len(results)), equity) for _ in range(draws)]
    ends, depths = sorted(end for end, _ in paths), sorted(depth for _, depth in paths)
    places = [round(quantile * (draws - 1)) for quantile in QUANTILES]
    return Spread(
        equity=tuple(ends[place] for place in places),
        drawdown=tuple(depths[place] for place in places),
        losing=sum(end < equity for end in ends) / draws,
    )


def _path(results: Sequence[float], equity: float) -> tuple[float, float]:
    """Return the final equity, and the deepest fall from a peak as a part of it; ruin ends the path."""
    peak, deepest = equity, 0.0
    for result in results:
        equity += result
        if equity <= 0:
            return 0.0, 1.0
        peak = max(peak, equity)
        deepest = max(deepest, 1 - equity / peak)
    return equity, deepest
