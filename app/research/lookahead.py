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
from app.exchanges.simulated.columns import read_columns, write_before
from app.research.decisions import decisions_of
from app.research.kinds import PLAYED
from app.settings import ExtraMissing, LoadedSettings
from app.strategies import strategy_class


class Peek(msgspec.Struct, frozen=True):
    """The first decision that was another one without the future."""

    cut_ns: int
    """Where the data was cut off."""
    what: str
    """Both decisions, for people."""


def peeks_of(loaded: LoadedSettings, cuts: int, folder: Path) -> Iterator[Peek]:
    """Run on data that ends ever later, the whole of it last; yield where decisions differ from the whole's.

    Args:
        loaded: Of a backtest on candles.
        cuts: How many ends to try, spread evenly over the data.
        folder: For the cut files.

    Raises:
        BadDataFile: A file cannot be used.
        Interrupted: A signal came.
        TrialFailed: The bot did not run through.
    """
    ends = _ends(loaded, cuts)
    # The shortest first: what a strategy keeps from one run to the next it cannot have seen yet.
    cut_off = [(end, until(loaded, end, folder)) for end in ends]
    runs = [(end, decisions_of(cut), _arrays(cut)) for end, cut in cut_off]
    whole, rows = decisions_of(loaded), _arrays(loaded)
    for end, decided, cut_rows in runs:
        before = [target for target in whole if target.time_ns <= end]
        for without, with_future in zip_longest(decided, before):
            if without != with_future:
                what = f"{_words(without)} where the data ends at {iso(end)}, {_words(with_future)} with the rest"
                yield Peek(end, what)
                break
        else:
            if cut_rows is not None and rows is not None and cut_rows != rows[: len(cut_rows)]:
                yield Peek(end, f"its arrays say something else where the data ends at {iso(end)}")


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


def _ends(loaded: LoadedSettings, cuts: int) -> list[int]:
    candles = loaded.settings.exchange.simulated.candles
    if candles is None:
        raise ValueError("without candles there is nothing to cut")
    times = read_columns(candles, ("close",))["time"]
    return [int(times[len(times) * number // (cuts + 1)]) for number in range(1, cuts + 1)]


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
