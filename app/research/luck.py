"""How much of the best result is the luck of having tried many.

Bailey and López de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest Overfitting, and
Non-Normality", The Journal of Portfolio Management 40 (5), 2014. Pure.
Sharpe ratios are for one day, not annualised.
"""

from collections.abc import Sequence
from math import e, sqrt
from statistics import NormalDist, variance

from app.research.trial import Figures, Moments

EULER = 0.5772156649015329
"""The Euler-Mascheroni constant."""
NORMAL = NormalDist()
CONFIDENCE = 0.95
"""Below it the best is likely luck."""


def expected_best(trials: int, sharpe_variance: float) -> float:
    """Return the Sharpe ratio that the best of many worthless trials is expected to have.

    Args:
        trials: Independent trials, at least 2. Neighbouring parameters are not independent, so counting all of them
            errs towards luck.
        sharpe_variance: Variance of the Sharpe ratios over the trials.

    >>> round(expected_best(100, 1 / (2 * 250)), 4)
    0.1132
    """
    most = NORMAL.inv_cdf(1 - 1 / trials)
    beyond = NORMAL.inv_cdf(1 - 1 / (trials * e))
    return sqrt(sharpe_variance) * ((1 - EULER) * most + EULER * beyond)


def probability_above(moments: Moments, sharpe: float) -> float:
    """Return the probability that the true Sharpe ratio is above ``sharpe``, given how returns were distributed."""
    found = moments.sharpe
    width = 1 - moments.skewness * found + (moments.kurtosis - 1) / 4 * found**2
    return NORMAL.cdf((found - sharpe) * sqrt(moments.days - 1) / sqrt(width))


def deflated_sharpe(figures: Sequence[Figures]) -> float | None:
    """Return the probability that the first of ``figures`` is better than the best of as many worthless ones.

    None when it cannot be told: fewer than two trials with a Sharpe ratio, or none of the best.
    """
    known = [one.moments for one in figures if one.moments is not None]
    if len(known) < 2 or figures[0].moments is None:
        return None
    threshold = expected_best(len(known), variance([moments.sharpe for moments in known]))
    return probability_above(figures[0].moments, threshold)
