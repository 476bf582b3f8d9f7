"""One trial: parameters, a part of the data, and what came of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import sqrt
from pathlib import Path
from typing import Any, Protocol

import msgspec

from app.backtest import Statistics

Params = dict[str, Any]


class Window(msgspec.Struct, frozen=True):
    """A part of the data, by the times at which bars open: UTC nanoseconds, the end excluded."""

    from_ns: int
    to_ns: int

    def first(self, ratio: float) -> "Window":
        """Return its first part."""
        return Window(self.from_ns, self.from_ns + int((self.to_ns - self.from_ns) * ratio))


class Trial(msgspec.Struct, frozen=True):
    """What is to be tried."""

    params: Params
    window: Window

    @property
    def key(self) -> bytes:
        """What tells it from every other trial of the same study."""
        return msgspec.json.encode((sorted(self.params.items()), self.window))


class Moments(msgspec.Struct, frozen=True):
    """Of daily returns, parts of one. Sharpe's significance follows from these four and their number."""

    days: int
    mean: float
    deviation: float
    """Of the sample: divided by days - 1."""
    skewness: float
    kurtosis: float
    """Of a normal distribution it is 3."""

    @property
    def sharpe(self) -> float:
        """For one day, not annualised."""
        return self.mean / self.deviation


class Figures(msgspec.Struct, frozen=True):
    """What a trial came to."""

    engine: str
    """Which one ran it."""
    statistics: Statistics
    moments: Moments | None
    """None with fewer than three days, or when every day was the same."""
    handed_on: str | None = None
    """Why the compiled path, asked first, did not run it."""


class Refused(msgspec.Struct, frozen=True):
    """The strategy does not take these parameters."""

    why: str


Outcome = Figures | Refused

Engine = Callable[[Params], Outcome]
"""Runs one set of parameters. The event path is one; a faster one has to come to the same figures."""

EngineFactory = Callable[[Window], Engine]
"""Called once for each part of the data in each process, so that what is the same for all trials is done once."""


class Movable(Protocol):
    """An engine factory whose data files may lie elsewhere on another machine."""

    def __call__(self, window: Window) -> Engine:
        """Return an engine for a part of the data."""

    def reading(self, moved: Mapping[Path, Path]) -> EngineFactory:
        """Return the same on the same files under other names."""


Evaluate = Callable[[Sequence[Trial]], Iterator[Outcome]]
"""Runs trials, in one process or in many; yields what came of each, in their order."""


def moments_of(returns: Sequence[float]) -> Moments | None:
    """Return the moments of daily returns; None with fewer than three, or without any deviation."""
    days = len(returns)
    if days < 3:
        return None
    mean = sum(returns) / days
    second, third, fourth = (sum((value - mean) ** power for value in returns) / days for power in (2, 3, 4))
    # What rounding leaves of equal returns is no deviation.
    if second <= (1e-12 * max(map(abs, returns))) ** 2:
        return None
    deviation = sqrt(second * days / (days - 1))
    return Moments(days, mean, deviation, third / second**1.5, fourth / second**2)


class InProcess:
    """Runs trials one after the other, in this process. Implements ``Evaluate``."""

    def __init__(self, engine_for: EngineFactory) -> None:
        self._engine_for = engine_for
        self._engines: dict[Window, Engine] = {}

    def __call__(self, trials: Iterable[Trial]) -> Iterator[Outcome]:
        """Yield what came of each."""
        for trial in trials:
            engine = self._engines.get(trial.window)
            if engine is None:
                engine = self._engines[trial.window] = self._engine_for(trial.window)
            yield engine(trial.params)
