"""Searches the parameters of a strategy for those that did best."""

from collections.abc import Callable
from statistics import median

import msgspec

from app.research.results import Results
from app.research.sampling import SamplerName, sampling_of
from app.research.space import Space
from app.research.trial import Figures, Outcome, Params, Refused, Trial, Window

STAGE_RATIO = 0.25
"""Part of the data after which a trial is given up when it does worse than half of all have done there."""

OBJECTIVES = {
    "sharpe": "sharpe",
    "sortino": "sortino",
    "calmar": "calmar",
    "return": "total_return",
}
"""What can be searched for, and the figure that says it."""


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """How to search."""

    objective: str
    sampler: SamplerName
    trials: int
    seed: int
    prune: bool

    def score(self, outcome: Outcome) -> float | None:
        """Return what is to be as high as possible; None when it is not defined, or nothing was ever closed.

        A position that is opened once and held says something of the market, and nothing of the strategy: its Sharpe
        ratio would beat all that trade wherever the market rose.
        """
        if isinstance(outcome, Refused) or not outcome.statistics.round_trips:
            return None
        value: float | None = getattr(outcome.statistics, OBJECTIVES[self.objective])
        return value


class Tried(msgspec.Struct, frozen=True):
    """A trial that is over."""

    params: Params
    outcome: Outcome | None
    """None was given up after the first part of the data."""
    score: float | None


class Found(msgspec.Struct, frozen=True):
    """What a search came to."""

    window: Window
    tried: tuple[Tried, ...]

    @property
    def ranked(self) -> list[Tried]:
        """Every set of parameters that has a score, once, best first; of equals the one that was tried first."""
        first: dict[bytes, Tried] = {}
        for tried in self.tried:
            if tried.score is not None:
                first.setdefault(msgspec.json.encode(sorted(tried.params.items())), tried)
        return sorted(first.values(), key=lambda tried: -(tried.score or 0.0))

    @property
    def figures(self) -> list[Figures]:
        """What every ranked trial came to, best first."""
        return [tried.outcome for tried in self.ranked if isinstance(tried.outcome, Figures)]


def search(space: Space, goal: Goal, window: Window, results: Results, on_done: Callable[[], None]) -> Found:
    """Return what the trials on a part of the data came to.

    Args:
        space: Where to look.
        goal: What for, and how.
        window: The part of the data.
        results: Runs the trials, and knows those that were run before.
        on_done: Called for each trial that is over.

    Raises:
        ExtraMissing: Optuna, or SciPy, is not installed.
        TrialFailed: The bot did not run through.
    """
    sampling = sampling_of(space, goal.sampler, goal.seed)
    stage_scores: list[float] = []
    tried: list[Tried] = []
    while len(tried) < goal.trials:
        batch = sampling.ask(min(sampling.batch, goal.trials - len(tried)))
        kept = _promising(batch, goal, window, results, stage_scores) if goal.prune else [True] * len(batch)
        for is_kept in kept:
            if not is_kept:
                on_done()
        trials = [Trial(params, window) for params, is_kept in zip(batch, kept, strict=True) if is_kept]
        outcomes = iter(results.of(trials, on_done))
        done = [
            _tried(params, next(outcomes) if is_kept else None, goal)
            for params, is_kept in zip(batch, kept, strict=True)
        ]
        sampling.tell([one.score for one in done])
        tried += done
    return Found(window, tuple(tried))


def _tried(params: Params, outcome: Outcome | None, goal: Goal) -> Tried:
    return Tried(params, outcome, None if outcome is None else goal.score(outcome))


def _promising(
    batch: list[Params], goal: Goal, window: Window, results: Results, stage_scores: list[float]
) -> list[bool]:
    """Return which of a batch do as well as half of all on the first part of the data."""
    stage = window.first(STAGE_RATIO)
    scores = [goal.score(outcome) for outcome in results.of([Trial(params, stage) for params in batch])]
    stage_scores += [score for score in scores if score is not None]
    if not stage_scores:
        return [True] * len(batch)
    enough = median(stage_scores)
    # No score is no trade yet: that says nothing against it.
    return [score is None or score >= enough for score in scores]
