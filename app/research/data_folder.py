"""A folder of market data: a file for each symbol and kind, sorted, without doubles, as the bot reads them.

An import adds rows to what is there. The new file replaces the old one at once, when it is complete: an import that is
interrupted leaves the old one, and the same command goes on. Of several at once in one folder each waits its turn.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from app.backtest import remove_drafts, whole_file
from app.domain.market import SECOND_NS
from app.exchanges.simulated.columns import check_bars, check_rates, check_trades, read_columns
from app.exchanges.simulated.errors import BadDataFile
from app.research.errors import DataFileUnwritable
from app.research.kinds import KINDS
from app.storage import lock

if TYPE_CHECKING:
    import polars as pl

TURN_S = 60.0
"""For imports that came before to be done: each reads one file and writes it anew, which takes seconds at most."""
STEPS_MIN = 2
"""Between candles, before they say how long those are: two of them may lie on both sides of a gap."""


class Contents(msgspec.Struct, frozen=True):
    """What is in a file."""

    path: Path
    symbol: str
    kind: str
    rows: int
    first_ns: int
    last_ns: int
    interval_s: int | None
    """Usual distance of rows; None for kinds that have none, and for a single row."""
    gaps: int
    """How often rows are further apart than that."""
    longest_gap_s: int
    """Zero without a gap."""


class Examined(msgspec.Struct, frozen=True):
    """What an examination of a file has found."""

    path: Path
    symbol: str
    kind: str
    contents: Contents | None = None
    """None when it cannot be used."""
    gaps: list[tuple[int, int]] = []
    """From and to of each stretch without rows, UTC nanoseconds."""
    wrong: str | None = None
    """Why it cannot be used."""


class Imported(msgspec.Struct, frozen=True):
    """What an import has done."""

    added: int
    repeated: int
    """Rows that were there already, with the same values."""
    contents: Contents


class DataFolder:
    """Reads and writes the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, source: Path, symbol: str, kind: str) -> Imported:
        """Add the rows of a CSV or Parquet file.

        Raises:
            BadDataFile: A row cannot be, times go backwards or repeat, a row contradicts what is there, or has other
                columns, or the candles are of another length than those.
            DataFileUnwritable: The folder cannot be written, its disk is full, or another import does not end.
        """
        return self._merge(source, read_checked(source, kind), symbol, kind)

    def add_rows(self, rows: Sequence[tuple[int | float, ...]], symbol: str, kind: str) -> Imported:
        """Add rows: time in UTC nanoseconds, and the columns of its kind, in that order, all of them.

        Raises:
            BadDataFile: As ``add``; it names the file that the rows were to be added to.
            DataFileUnwritable: As ``add``.
        """
        import polars as pl  # noqa: PLC0415 - as below

        columns = (*KINDS[kind].wanted, *KINDS[kind].optional)
        schema = {"time": pl.Int64} | dict.fromkeys(columns, pl.Float64)
        path = self._path(symbol, kind)
        return self._merge(path, checked(path, pl.DataFrame(rows, schema=schema, orient="row"), kind), symbol, kind)

    def missing(self, symbol: str, kind: str, interval_s: int, from_ns: int, to_ns: int) -> list[tuple[int, int]]:
        """Return the stretches between two times that there is no candle of, the ends excluded, UTC nanoseconds.

        Raises:
            BadDataFile: The file cannot be used, or holds candles of another length.
        """
        import polars as pl  # noqa: PLC0415 - as below

        step_ns = interval_s * SECOND_NS
        # The first and the last candle that lie within the times asked for.
        first_ns, end_ns = -(-from_ns // step_ns) * step_ns, to_ns // step_ns * step_ns
        if first_ns >= end_ns:
            return []
        path = self._path(symbol, kind)
        if not path.is_file():
            return [(first_ns, end_ns)]
        times = read_checked(path, kind)["time"]
        steps = times.diff().drop_nulls()
        if len(steps) and int(steps.min()) != step_ns:  # type: ignore[arg-type] # int64 column
            raise BadDataFile(path, f"holds candles of {int(steps.min()) // SECOND_NS} s, not of {interval_s} s")  # type: ignore[arg-type] # as above
        there = times.filter((times >= first_ns) & (times < end_ns))
        edges = pl.concat([pl.Series([first_ns - step_ns]), there, pl.Series([end_ns])])
        ends = (edges.diff() > step_ns).fill_null(value=False).arg_true().to_list()
        return [(int(edges[at - 1]) + step_ns, int(edges[at])) for at in ends]

    def _merge(self, source: Path, new: "pl.DataFrame", symbol: str, kind: str) -> Imported:
        path = self._path(symbol, kind)
        rows, added = new, len(new)
        with _alone_in_folder_of(path):
            if path.is_file():
                old = read_checked(path, kind)
                if KINDS[kind].is_steady and source != path:
                    _refuse_other_length(source, new, path, old)
                fresh = _fresh(source, new, old, has_ids=not KINDS[kind].repeats)
                added = len(fresh)
                rows = old.vstack(fresh).sort("time") if added else old
            _write(path, rows)
        return Imported(added, len(new) - added, _contents(path, symbol, kind, rows))

    def examined(self) -> Iterator[Examined]:
        """Yield what is in each file, where its gaps are, and what makes it unusable, in the order of their names."""
        for path in self._files():
            symbol = _symbol_of(path.parent.name)
            try:
                rows = read_checked(path, path.stem)
            except BadDataFile as bad:
                yield Examined(path, symbol, path.stem, wrong=str(bad))
                continue
            contents = _contents(path, symbol, path.stem, rows)
            yield Examined(path, symbol, path.stem, contents=contents, gaps=_gaps(rows, contents.interval_s))

    def contents(self) -> Iterator[Contents]:
        """Yield what is in each file, having checked it, in the order of their names.

        Raises:
            BadDataFile: A file cannot be used.
        """
        for path in self._files():
            yield _contents(path, _symbol_of(path.parent.name), path.stem, read_checked(path, path.stem))

    def _files(self) -> list[Path]:
        return [path for path in sorted(self._folder.glob("*/*.parquet")) if path.stem in KINDS]

    def _path(self, symbol: str, kind: str) -> Path:
        return self._folder / symbol.replace("/", "_").replace(":", "-") / f"{kind}.parquet"


def read_checked(path: Path, kind: str) -> "pl.DataFrame":
    """Return the rows of a file as numbers, with ``time`` in nanoseconds.

    Raises:
        BadDataFile: Names the row and what is wrong.
    """
    known = KINDS[kind]
    return checked(path, read_columns(path, known.wanted, known.optional, repeats=known.repeats), kind)


def checked(path: Path, frame: "pl.DataFrame", kind: str) -> "pl.DataFrame":
    """Return rows as numbers, having looked at each.

    Raises:
        BadDataFile: Names the row and what is wrong.
    """
    import polars as pl  # noqa: PLC0415 - costs 0.2 s, and other commands need none of it

    known = KINDS[kind]
    if known.is_steady:
        check_bars(path, frame)
    elif known.repeats:
        check_trades(path, frame)
    else:
        check_rates(path, frame)
    numbers = [name for name in frame.columns if name not in {"time", "side"}]
    return frame.with_columns([pl.col(name).cast(pl.Float64) for name in numbers])


@contextmanager
def _alone_in_folder_of(path: Path) -> Iterator[None]:
    """Let nobody else read and replace a file there: of two that read the same rows the later would lose the others'.

    The folder itself is locked, which leaves no file behind; the draft of an import that was killed is removed.

    Raises:
        DataFileUnwritable: It cannot be made, or somebody else has it for too long.
    """
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise DataFileUnwritable(path, str(error)) from error
    try:
        try:
            lock(place, TURN_S)
        except BlockingIOError as error:
            why = f"another import has been at work in {folder} for {TURN_S:g} s"
            raise DataFileUnwritable(path, why) from error
        remove_drafts(folder, path.suffix)
        yield
    finally:
        os.close(place)


def _write(path: Path, rows: "pl.DataFrame") -> None:
    import polars as pl  # noqa: PLC0415 - as below

    try:
        with whole_file(path) as draft:
            rows.rename({"time": "ts"}).write_parquet(draft)
    except (OSError, pl.exceptions.ComputeError) as error:  # polars names a full disk by the latter
        raise DataFileUnwritable(path, str(error)) from error


def _refuse_other_length(source: Path, new: "pl.DataFrame", path: Path, old: "pl.DataFrame") -> None:
    """Refuse candles of another length than those that are there: as rows among them they would be prices that jump.

    Raises:
        BadDataFile: They are.
    """
    length_s, kept_s = _length_s(new), _length_s(old)
    if length_s is not None and kept_s is not None and length_s != kept_s:
        raise BadDataFile(
            source,
            f"holds candles of {length_s} s, and {path} those of {kept_s} s: one folder keeps one length, "
            "give this one another with --folder",
        )


def _length_s(rows: "pl.DataFrame") -> int | None:
    """Return how long candles are: what lies between most of them, and divides every gap; None where nothing does."""
    steps = rows["time"].diff().drop_nulls()
    if len(steps) < STEPS_MIN:
        return None
    usual_ns = int(steps.mode().min())  # type: ignore[arg-type] # int64 column
    return None if (steps % usual_ns != 0).any() else usual_ns // SECOND_NS


def _fresh(source: Path, new: "pl.DataFrame", old: "pl.DataFrame", *, has_ids: bool) -> "pl.DataFrame":
    """Return the rows that are not there yet, with the columns of those that are.

    A time names a row, but for trades: of a moment that is there already, all of them are.

    Raises:
        BadDataFile: A row contradicts what is there, or has other columns.
    """
    missing = [name for name in old.columns if name not in new.columns]
    if missing:
        raise BadDataFile(source, f"has no column {', '.join(missing)}, which the rows that are there have")
    # What they have more would be lost without a word: a volume, by which partial fills and impact go.
    more = [name for name in new.columns if name not in old.columns]
    if more:
        raise BadDataFile(
            source,
            f"has a column {', '.join(more)}, which the rows that are there have not: "
            "give this one another folder with --folder",
        )
    if not has_ids:
        return new.select(old.columns).join(old, on="time", how="anti")
    both = new.select(old.columns).with_row_index("row").join(old, on="time", how="inner", suffix="_old")
    for name in old.columns[1:]:
        differs = both.filter(~both[name].eq_missing(both[f"{name}_old"]))
        if len(differs):
            row = differs.row(0, named=True)
            raise BadDataFile(source, f"{name} is {row[name]}, and {row[f'{name}_old']} was there", row["row"])
    return new.select(old.columns).join(old, on="time", how="anti")


def _contents(path: Path, symbol: str, kind: str, rows: "pl.DataFrame") -> Contents:
    times = rows["time"]
    steps = times.diff().drop_nulls()
    interval_s, gaps, longest_ns = None, 0, 0
    if KINDS[kind].is_steady and len(steps):
        usual_ns = int(steps.mode().min())  # type: ignore[arg-type] # int64 column
        wide = steps.filter(steps > usual_ns)
        interval_s, gaps = usual_ns // SECOND_NS, len(wide)
        longest_ns = int(wide.max()) - usual_ns if gaps else 0  # type: ignore[arg-type] # as above
    return Contents(
        path, symbol, kind, len(rows), int(times[0]), int(times[-1]), interval_s, gaps, longest_ns // SECOND_NS
    )


def _gaps(rows: "pl.DataFrame", interval_s: int | None) -> list[tuple[int, int]]:
    if interval_s is None:
        return []
    times, usual_ns = rows["time"], interval_s * SECOND_NS
    wide = (times.diff() > usual_ns).fill_null(value=False).arg_true().to_list()
    return [(int(times[at - 1]) + usual_ns, int(times[at])) for at in wide]


def _symbol_of(name: str) -> str:
    pair, _, settle = name.partition("-")
    return f"{pair.replace('_', '/')}:{settle}" if settle else pair.replace("_", "/")
