"""Whether what a strategy decides depends on how much history it was given.

A run that begins later has seen less. At first it may want something else, since averages need time to forget and a
position may have been entered before; for good it must want the same as the run that has seen everything.
"""

import msgspec

from app.domain.target import Target
from app.domain.times import iso
from app.research.decisions import decisions_of, opens_of, refuse_if_none, sides_at
from app.settings import LoadedSettings

STARTS = (0.1, 0.2, 0.3, 0.4)
"""Parts of the data after which a run begins."""
SETTLED_RATIO = 0.5
"""Part of what is left of the data after which both runs must want the same."""

BARS_MIN = 20
"""Each run begins at another bar, and leaves some to compare."""


class Start(msgspec.Struct, frozen=True):
    """A run that began later, beside the one that began first."""

    begins_ns: int
    differs_until_ns: int | None
    """The last bar at which they wanted different sides; None when there was none."""
    bars_differing: int
    is_settled: bool

    @property
    def words(self) -> str:
        """What that means, for people."""
        if self.differs_until_ns is None:
            return f"begun at {iso(self.begins_ns)}: the same at every bar"
        end = "never for good" if not self.is_settled else f"the same from {iso(self.differs_until_ns)} on"
        return f"begun at {iso(self.begins_ns)}: {self.bars_differing} bars differ, {end}"


def starts_of(loaded: LoadedSettings) -> list[Start]:
    """Run from ever later on; return how each compares with the run over everything.

    Raises:
        BadDataFile: A file cannot be used.
        Interrupted: A signal came.
        ResearchRefused: There are too few bars, or nothing was decided.
        TrialFailed: The bot did not run through.
    """
    opens = opens_of(loaded, BARS_MIN)
    begins = [int(len(opens) * ratio) for ratio in STARTS]
    first = decisions_of(loaded)
    later = [decisions_of(_from(loaded, opens[begin])) for begin in begins]
    refuse_if_none([first, *later])
    return [_start(opens[begin:], first, decided) for begin, decided in zip(begins, later, strict=True)]


def _start(opens: list[int], first: list[Target], later: list[Target]) -> Start:
    """Return how the decisions of a run on these bars compare with those of the first."""
    # From the second close on: at the first one neither has been asked.
    begins_ns, *bars = opens
    both = zip(bars, sides_at(first, bars), sides_at(later, bars), strict=True)
    differing = [time for time, seen_all, seen_less in both if seen_all != seen_less]
    settles = bars[int(len(bars) * SETTLED_RATIO)]
    last = differing[-1] if differing else None
    return Start(begins_ns, last, len(differing), last is None or last < settles)


def _from(loaded: LoadedSettings, begins_ns: int) -> LoadedSettings:
    return loaded.with_simulated(loaded.settings.exchange.simulated.between(begins_ns))
