"""The deflated Sharpe ratio, against the example that its authors work out."""

from math import sqrt

import msgspec
import pytest

from app.research.luck import deflated_sharpe, expected_best, probability_above
from app.research.trial import Moments, moments_of

YEAR = 250
"""Days of a year in the paper."""
VARIANCE = 1 / (2 * YEAR)


def moments_with(sharpe, days=1250, skewness=-3.0, kurtosis=10.0):
    return Moments(days, sharpe, 1.0, skewness, kurtosis)


def test_the_best_of_a_hundred_worthless_trials_is_expected_at_the_papers_figure():
    assert expected_best(100, VARIANCE) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(("trials", "probability"), [(100, 0.9004), (46, 0.9505)])
def test_the_papers_example_is_met(trials, probability):
    """Five years of days, Sharpe 2.5 a year, skewness -3, kurtosis 10: 46 trials leave 95 %, a hundred do not."""
    best = moments_with(2.5 / sqrt(YEAR))
    found = probability_above(best, expected_best(trials, VARIANCE))
    assert found == pytest.approx(probability, abs=5e-4)


def test_moments_of_four_days_are_what_a_hand_works_out():
    """Days of +1, +1, +1, -3: mean 0, squares sum to 12, so variance 3 and of the sample 4; cubes -24, fourths 84."""
    moments = moments_of([1.0, 1.0, 1.0, -3.0])
    assert moments == Moments(4, 0.0, 2.0, -6 / 3**1.5, 21 / 9)


@pytest.mark.parametrize("returns", [[], [0.1, 0.2], [0.1, 0.1, 0.1], [0.0, 0.0, 0.0]])
def test_what_has_no_deviation_has_no_moments(returns):
    assert moments_of(returns) is None


def test_what_cannot_be_told_is_none():
    class Known(msgspec.Struct):
        moments: Moments | None

    assert deflated_sharpe([]) is None
    assert deflated_sharpe([Known(moments_with(0.1))]) is None
    assert deflated_sharpe([Known(None), Known(moments_with(0.1)), Known(moments_with(0.2))]) is None
