"""Optuna's samplers, asked in batches.

A batch is asked for before any of it is told, so what is asked does not depend on how many processes work at it, nor
on who is done first: only on the seed.
"""

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from app.research.errors import NeedsExtra
from app.research.space import Space

if TYPE_CHECKING:
    import optuna

SamplerName = Literal["random", "qmc", "tpe"]
BATCH = {"random": 256, "qmc": 256, "tpe": 16}
"""Trials asked for at once. What learns from results learns once for each batch; the others have nothing to learn."""


class Sampling:
    """One search for the highest score."""

    def __init__(self, space: Space, sampler: SamplerName, seed: int) -> None:
        """Begin.

        Raises:
            NeedsExtra: Optuna is not installed.
        """
        try:
            import optuna  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise NeedsExtra("optimize", "Optuna", "research") from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._space = space
        self._distributions = space.distributions()
        with warnings.catch_warnings():
            # QMCSampler is marked experimental; a changed sequence would show in the tests.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(direction="maximize", sampler=self._sampler(sampler, seed))
        self.batch = BATCH[sampler]

    def ask(self, count: int) -> "list[tuple[optuna.Trial, dict[str, Any]]]":
        """Return the next sets of parameters, each with what its score is told for."""
        asked = [self._study.ask(self._distributions) for _ in range(count)]
        return [(trial, self._space.params(trial.params)) for trial in asked]

    def tell(self, asked: "Sequence[optuna.Trial]", scores: Sequence[float | None]) -> None:
        """Take the scores of asked trials in; None is one that was given up, or that has no score."""
        complete, pruned = self._optuna.trial.TrialState.COMPLETE, self._optuna.trial.TrialState.PRUNED
        for trial, score in zip(asked, scores, strict=True):
            if score is None or not math.isfinite(score):
                self._study.tell(trial, state=pruned)
            else:
                self._study.tell(trial, score, state=complete)

    def _sampler(self, name: SamplerName, seed: int) -> "optuna.samplers.BaseSampler":
        samplers = self._optuna.samplers
        made: optuna.samplers.BaseSampler
        if name == "random":
            made = samplers.RandomSampler(seed=seed)
        elif name == "qmc":
            made = samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)
        else:
            made = samplers.TPESampler(seed=seed)
        return made
