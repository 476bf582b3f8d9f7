"""Whether a strategy peeks: what it decides must be the same when what comes after is not there.

The files themselves are cut off, not only what is read of them, and a parameter that names one names the cut one: a
strategy that reads its own data is found, too. A strategy that says its targets as arrays is also cut off there, where
it is handed the whole market at once.
"""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import msgspec

from app.backtest import require_compiled
from app.domain.money import plain
from app.domain.target import Target
from app.domain.times import iso
from app.exchanges.simulated.columns import write_before
from app.research.decisions import decisions_of, opens_of, refuse_if_none
from app.research.kinds import PLAYED
from app.settings import ExtraMissing, LoadedSettings
from app.strategies import strategy_class


class Peek(msgspec.Struct, frozen=True):
    """The first decision that was another one without the future."""

    cut_ns: int
    """Where the data was cut off."""
    what: str
    """Both decisions, for people."""


class _Run(msgspec.Struct, frozen=True):
    ends_ns: int
    decided: list[Target]
    rows: list[list[int]] | None
    """What it says for all bars at once; None when it does not."""

    def decided_by(self, time_ns: int) -> list[Target]:
        return [target for target in self.decided if target.time_ns <= time_ns]


def peeks_of(loaded: LoadedSettings, cuts: int, folder: Path) -> list[Peek]:
    """Run on data that ends ever later, the whole of it last; return where decisions differ from the whole's.

    Args:
        loaded: Of a backtest on candles.
        cuts: How many ends to try, spread evenly over the data.
        folder: For the cut files.

    Raises:
        BadDataFile: A file cannot be used.
        Interrupted: A signal came.
        ResearchRefused: There are too few bars, or nothing was decided before the last end.
        TrialFailed: The bot did not run through.
    """
    opens = opens_of(loaded, bars_min=2 * (cuts + 1))
    ends = [opens[len(opens) * number // (cuts + 1)] for number in range(1, cuts + 1)]
    # The shortest first: what a strategy keeps from one run to the next it cannot have seen yet.
    cut_off = [(end, until(loaded, end, folder)) for end in ends]
    runs = [_Run(end, decisions_of(cut), _arrays(cut)) for end, cut in cut_off]
    whole = _Run(opens[-1], decisions_of(loaded), _arrays(loaded))
    peeks = list(_differing(runs, whole))
    if not peeks:
        refuse_if_none([*(run.decided for run in runs), whole.decided_by(ends[-1])])
    return peeks


def _differing(runs: list[_Run], whole: _Run) -> Iterator[Peek]:
    for run in runs:
        for without, with_future in zip_longest(run.decided, whole.decided_by(run.ends_ns)):
            if without != with_future:
                decided = f"{_words(without)} where the data ends at {iso(run.ends_ns)}"
                yield Peek(run.ends_ns, f"{decided}, {_words(with_future)} with the rest")
                break
        else:
            if run.rows is not None and whole.rows is not None and run.rows != whole.rows[: len(run.rows)]:
                yield Peek(run.ends_ns, f"its arrays say something else where the data ends at {iso(run.ends_ns)}")


def until(loaded: LoadedSettings, end_ns: int, folder: Path) -> LoadedSettings:
    """Return the settings on copies of the files that hold no row from ``end_ns`` on."""
    simulated = loaded.settings.exchange.simulated
    paths = {name: path for name in PLAYED if (path := getattr(simulated, name)) is not None}
    # A candle is known when it closes, at the end of its time; a settlement at its very time.
    ends = {name: end_ns if PLAYED[name].is_known_after else end_ns + 1 for name in paths}
    cut = {name: _cut(path, ends[name], folder / f"{end_ns}-{name}.parquet") for name, path in paths.items()}
    instead = {str(path): str(cut[name]) for name, path in paths.items()}
    strategies = {
        name: item.model_copy(
            update={"params": {key: instead.get(str(value), value) for key, value in item.params.items()}}
        )
        for name, item in loaded.settings.strategies.items()
    }
    other = loaded.with_settings(loaded.settings.model_copy(update={"strategies": strategies}))
    return other.with_simulated(simulated.model_copy(update=cut))


def _cut(path: Path, end_ns: int, to: Path) -> Path:
    write_before(path, end_ns, to)
    return to


def _arrays(loaded: LoadedSettings) -> list[list[int]] | None:
    """Return what the strategy says for all bars at once; None when it does not say it so, or nothing would ask.

    Raises:
        ExtraMissing: It does, and numba is not installed.
    """
    try:
        require_compiled()
    except ExtraMissing:
        named = loaded.settings.strategies.items()
        if any(hasattr(strategy_class(name, item.strategy), "compiled_signals") for name, item in named):
            # Where nobody looked, nothing may be called clean.
            raise
        return None
    from app.backtest.compiled import CompiledBacktest, NotCompilable  # noqa: PLC0415 - slow

    try:
        rows: list[list[int]] = CompiledBacktest(loaded.settings).asked().rows.tolist()
    except NotCompilable:
        return None
    return rows


def _words(target: Target | None) -> str:
    if target is None:
        return "nothing"
    return f"{plain(target.contracts)} {target.symbol} at {iso(target.time_ns)}"
