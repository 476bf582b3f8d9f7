"""Where a search looks next, asked in batches.

A batch is asked for before any of it is told, so what is asked does not depend on how many processes work at it, nor
on who is done first: only on the seed.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from app.backtest import require
from app.research.space import Space

SamplerName = Literal["random", "qmc", "tpe"]


class Sampling(Protocol):
    """One search for the highest score."""

    batch: int
    """Trials to ask for at once."""

    def ask(self, count: int) -> list[dict[str, Any]]:
        """Return the next sets of parameters."""

    def tell(self, scores: Sequence[float | None]) -> None:
        """Take the scores of what was asked last in; None is one that was given up, or that has no score."""


def sampling_of(space: Space, sampler: SamplerName, seed: int) -> Sampling:
    """Return a search that begins.

    Raises:
        ExtraMissing: Optuna, or SciPy, is not installed.
    """
    return SobolPoints(space, seed) if sampler == "qmc" else OptunaStudy(space, sampler, seed)


class SobolPoints:
    """Covers the space evenly, with the points of a scrambled Sobol sequence. Learns nothing.

    Optuna's sampler of the same sequence looks through all trials before each.
    """

    batch = 256

    def __init__(self, space: Space, seed: int) -> None:
        """Begin.

        Raises:
            ExtraMissing: SciPy is not installed.
        """
        require("the qmc sampler", "SciPy", "numpy", "scipy")
        from scipy.stats.qmc import Sobol  # noqa: PLC0415 - an extra, and slow to import

        self._space = space
        self._points = Sobol(len(space.ranges), rng=seed)

    def ask(self, count: int) -> list[dict[str, Any]]:
        """Return the next sets of parameters."""
        with warnings.catch_warnings():
            # A number of points that is no power of two is a little less even: that is the user's to choose.
            warnings.simplefilter("ignore", UserWarning)
            points = self._points.random(count)
        return [self._space.at(point) for point in points.tolist()]

    def tell(self, scores: Sequence[float | None]) -> None:
        """Take scores that change nothing."""


class OptunaStudy:
    """Optuna's samplers, with a study in memory."""

    def __init__(self, space: Space, sampler: Literal["random", "tpe"], seed: int) -> None:
        """Begin.

        Raises:
            ExtraMissing: Optuna is not installed.
        """
        require("optimize", "Optuna", "optuna")
        import optuna  # noqa: PLC0415 - an extra, and slow to import

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._states = optuna.trial.TrialState
        self._space = space
        self._distributions = space.distributions()
        samplers = optuna.samplers
        made = samplers.RandomSampler(seed=seed) if sampler == "random" else samplers.TPESampler(seed=seed)
        self._study = optuna.create_study(direction="maximize", sampler=made)
        # What learns from results learns once for each batch; the other has nothing to learn.
        self.batch = 256 if sampler == "random" else 16
        self._asked: list[optuna.Trial] = []

    def ask(self, count: int) -> list[dict[str, Any]]:
        """Return the next sets of parameters."""
        self._asked = [self._study.ask(self._distributions) for _ in range(count)]
        return [self._space.params(trial.params) for trial in self._asked]

    def tell(self, scores: Sequence[float | None]) -> None:
        """Take the scores of what was asked last in."""
        for trial, score in zip(self._asked, scores, strict=True):
            if score is None or not math.isfinite(score):
                self._study.tell(trial, state=self._states.PRUNED)
            else:
                self._study.tell(trial, score, state=self._states.COMPLETE)
