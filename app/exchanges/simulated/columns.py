"""Reads and checks the columns of a data file. Polars is imported only when there is one."""

from pathlib import Path
from typing import TYPE_CHECKING

from app.domain.times import parse_iso
from app.exchanges.simulated.errors import BadDataFile
from app.settings.errors import nearest

if TYPE_CHECKING:
    import polars as pl

PRICES = ("open", "high", "low", "close")
SIDES = ("buy", "sell")
SUFFIXES = frozenset({".parquet", ".csv"})
SHOWN_MAX = 5
"""Files that are offered in the place of one that is not there."""
YEAR_MIN, YEAR_MAX = 2000, 2199
"""What lies outside is no time of a perpetual, but another unit: seconds read as nanoseconds are of 1970."""
EARLIEST_NS, LATEST_NS = parse_iso(f"{YEAR_MIN}-01-01T00:00:00Z"), parse_iso(f"{YEAR_MAX}-12-31T23:59:59Z")
UNITS = {"seconds": 10**9, "milliseconds": 10**6, "microseconds": 10**3}
"""Nanoseconds of each."""


def read_columns(
    path: Path, wanted: tuple[str, ...], optional: tuple[str, ...] = (), *, repeats: bool = False
) -> "pl.DataFrame":
    """Return the columns of a Parquet or CSV file; ``time`` as int64 nanoseconds since the epoch, UTC.

    ``ts`` in integer nanoseconds stands for ``time``.

    Args:
        path: Of the file.
        wanted: Columns that must be there.
        optional: Columns that may be there.
        repeats: Whether several rows may have one time, as trades have.

    Raises:
        BadDataFile: It cannot be read, is empty, or lacks a column; times are missing, unsorted or repeated.
    """
    frame = _read(path)
    if "time" not in frame.columns and "ts" in frame.columns:
        frame = frame.rename({"ts": "time"})
    missing = [name for name in ("time", *wanted) if name not in frame.columns]
    if missing:
        raise BadDataFile(path, f"has no column {', '.join(missing)}; it has {', '.join(frame.columns)}")
    kept = ["time", *wanted, *(name for name in optional if name in frame.columns)]
    frame = frame.select(kept).with_columns(_nanoseconds(path, frame["time"]))
    _check_times(path, frame, repeats=repeats)
    return frame


def write_before(path: Path, end_ns: int, to: Path) -> None:
    """Write a copy of a file, with all its columns, that holds no row from ``end_ns`` on.

    Raises:
        BadDataFile: As ``read_columns``.
    """
    times = read_columns(path, (), repeats=True)["time"]
    _read(path).filter(times < end_ns).write_parquet(to)


def _read(path: Path) -> "pl.DataFrame":
    import polars as pl  # noqa: PLC0415 - costs 0.2 s, and a generated market needs none of it

    if not path.is_file():
        raise BadDataFile(path, _words_missing(path))
    if path.suffix.lower() not in SUFFIXES:
        raise BadDataFile(path, "is neither .parquet nor .csv: save it as one of these")
    try:
        frame = pl.read_parquet(path) if path.suffix.lower() == ".parquet" else pl.read_csv(path, try_parse_dates=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadDataFile(path, f"cannot be read: {str(error).splitlines()[0]}") from error
    if frame.is_empty():
        raise BadDataFile(path, "has no rows")
    return frame


def _words_missing(path: Path) -> str:
    """Return why there is no file, where it was looked for, and what is there instead."""
    if path.is_dir():
        return "is a folder: name a .parquet or .csv file in it"
    folder = path.absolute().parent
    if not folder.is_dir():
        return f"there is no such file, for there is no folder {folder}"
    others = {other.stem: other.name for other in sorted(folder.iterdir()) if other.suffix.lower() in SUFFIXES}
    near = nearest(path.stem, others)
    if near is not None:
        return f"there is no such file in {folder}: did you mean {others[near]}?"
    if not others:
        return f"there is no such file in {folder}, and no other data file either: give the path of one"
    shown = ", ".join([*others.values()][:SHOWN_MAX]) + (", ..." if len(others) > SHOWN_MAX else "")
    return f"there is no such file in {folder}; the data files there are {shown}"


def _nanoseconds(path: Path, times: "pl.Series") -> "pl.Series":
    import polars as pl  # noqa: PLC0415 - as above

    if times.dtype.is_integer():
        # What is too large for a number of nanoseconds is null by then, and was not before.
        numbers = times.cast(pl.Int64, strict=False)
        outside = (numbers < EARLIEST_NS) | (numbers > LATEST_NS) | (numbers.is_null() & times.is_not_null())
    elif isinstance(times.dtype, pl.Datetime | pl.Date):
        outside = ~times.dt.year().is_between(YEAR_MIN, YEAR_MAX)
    else:
        raise BadDataFile(path, f"column time is {times.dtype}, not a time nor integer nanoseconds")
    rows = outside.fill_null(value=False).arg_true()
    if len(rows):
        raise BadDataFile(path, _words_outside(times[rows[0]]), rows[0])
    return times.cast(pl.Int64 if times.dtype.is_integer() else pl.Datetime("ns")).cast(pl.Int64)


def _words_outside(time: object) -> str:
    """Return what is wrong with a time, and in which unit it would be right."""
    years = f"the years {YEAR_MIN} to {YEAR_MAX}"
    if not isinstance(time, int):
        return f"time is {time}, which does not lie in {years}"
    fits = [unit for unit, size in UNITS.items() if EARLIEST_NS <= time * size <= LATEST_NS]
    looks = f"; these look like {fits[0]}: multiply them by {UNITS[fits[0]]}" if fits else ""
    return f"time is {time}, which as nanoseconds since 1970 does not lie in {years}{looks}"


def _check_times(path: Path, frame: "pl.DataFrame", *, repeats: bool) -> None:
    times = frame["time"]
    if times.null_count():
        raise BadDataFile(path, "time is missing", times.is_null().arg_true()[0])
    step = times.diff()
    wrongs = [(step < 0, "time goes backwards: sort the file")]
    if not repeats:
        wrongs.append((step == 0, "time is there twice"))
    for wrong, why in wrongs:
        found = wrong.fill_null(value=False).arg_true()
        if len(found):
            raise BadDataFile(path, why, found[0])


def check_positive(path: Path, frame: "pl.DataFrame", names: tuple[str, ...]) -> None:
    """Refuse missing, not-a-number, infinite, zero and negative values.

    Raises:
        BadDataFile: Names the first row and the column.
    """
    for name in names:
        values = _numbers(path, frame, name)
        _refuse(path, frame[name], ~(values.is_finite() & (values > 0)), "not a positive number")


def check_bars(path: Path, frame: "pl.DataFrame") -> None:
    """Refuse bars that cannot be. A volume may be missing.

    Raises:
        BadDataFile: Names the first row and what is wrong.
    """
    check_positive(path, frame, PRICES)
    high, low = frame["high"], frame["low"]
    outside = (high < low) | (high < frame["open"]) | (high < frame["close"])
    wrong = (outside | (low > frame["open"]) | (low > frame["close"])).arg_true()
    if len(wrong):
        raise BadDataFile(path, "open and close do not lie between high and low", wrong[0])
    # A column that nothing is in has whatever type it was read as.
    if "volume" in frame.columns and frame["volume"].null_count() < len(frame):
        volumes = _numbers(path, frame, "volume")
        wrong_volume = volumes.is_not_null() & ~(volumes.is_finite() & (volumes >= 0))
        _refuse(path, frame["volume"], wrong_volume, "neither a volume nor missing")


def check_trades(path: Path, frame: "pl.DataFrame") -> None:
    """Refuse trades that cannot be.

    Raises:
        BadDataFile: Names the first row and the column.
    """
    import polars as pl  # noqa: PLC0415 - as above

    check_positive(path, frame, ("price", "contracts"))
    if "side" in frame.columns:
        sides = frame["side"].cast(pl.String).str.to_lowercase()
        _refuse(path, frame["side"], ~sides.is_in(SIDES), "neither buy nor sell")


def check_rates(path: Path, frame: "pl.DataFrame") -> None:
    """Refuse funding rates that cannot be.

    Raises:
        BadDataFile: Names the first row.
    """
    rates = _numbers(path, frame, "funding_rate")
    _refuse(path, frame["funding_rate"], ~(rates.is_finite() & (rates.abs() <= 1)), "not a rate")


def _numbers(path: Path, frame: "pl.DataFrame", name: str) -> "pl.Series":
    import polars as pl  # noqa: PLC0415 - as above

    column = frame[name]
    if not column.dtype.is_numeric():
        # In a column of numbers a single text makes texts of all.
        texts = column.is_not_null() & column.cast(pl.String).cast(pl.Float64, strict=False).is_null()
        row = next(iter(texts.arg_true()), None)
        raise BadDataFile(path, f"column {name} is {column.dtype}, not a number", row)
    return column.cast(pl.Float64)


def _refuse(path: Path, column: "pl.Series", wrong: "pl.Series", what: str) -> None:
    """Refuse the first value that is wrong, or missing where that is not said to be right."""
    rows = wrong.fill_null(value=True).arg_true()
    if len(rows):
        raise BadDataFile(path, f"{column.name} is {column[rows[0]]}, {what}", rows[0])
