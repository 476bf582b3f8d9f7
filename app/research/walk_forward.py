"""Walk-forward: search on one stretch, trade the next one with what was found, move on."""

from collections.abc import Callable
from math import prod

import msgspec

from app.domain.market import SECOND_NS
from app.research.errors import ResearchRefused
from app.research.results import Results
from app.research.search import Found, Goal, search
from app.research.space import Space
from app.research.trial import Figures, Trial, Window

WINDOWS_MAX = 1000
"""More are a mistyped length."""


class Step(msgspec.Struct, frozen=True):
    """What was found on a stretch, and what that came to on the next."""

    found: Found
    test: Window
    out_of_sample: Figures | None
    """None when nothing was found: no trial had a score."""


def windows_of(whole: Window, train_s: float, test_s: float) -> list[tuple[Window, Window]]:
    """Return stretches to search on, each with the one after it to trade; they move on by the latter's length.

    Raises:
        ResearchRefused: Not even one pair fits, or too many do.
    """
    train_ns, test_ns = int(train_s * SECOND_NS), int(test_s * SECOND_NS)
    days = (whole.to_ns - whole.from_ns) / SECOND_NS / 86_400
    count = (whole.to_ns - whole.from_ns - train_ns) // test_ns
    if count < 1:
        raise ResearchRefused(f"--walk-forward does not fit: the data is {days:.1f} days long")
    if count > WINDOWS_MAX:
        raise ResearchRefused(f"--walk-forward gives {count} windows; {WINDOWS_MAX} are the most")
    starts = [whole.from_ns + step * test_ns for step in range(count)]
    return [(Window(at, at + train_ns), Window(at + train_ns, at + train_ns + test_ns)) for at in starts]


def walk_forward(
    space: Space, goal: Goal, windows: list[tuple[Window, Window]], results: Results, on_done: Callable[[], None]
) -> list[Step]:
    """Return what came of each pair of stretches. Errors as those of ``search``."""
    steps = []
    for train, test in windows:
        found = search(space, goal, train, results, on_done)
        ranked = found.ranked
        outcome = results.of([Trial(ranked[0].params, test)])[0] if ranked else None
        steps.append(Step(found, test, outcome if isinstance(outcome, Figures) else None))
    return steps


def compounded(steps: list[Step]) -> float:
    """Return the return of trading all stretches one after the other, a part of one; not traded is no return."""
    return prod(1 + step.out_of_sample.statistics.total_return for step in steps if step.out_of_sample) - 1
