"""Reads and checks the columns of a data file. Polars is imported only when there is one."""

from pathlib import Path
from typing import TYPE_CHECKING

from app.exchanges.simulated.errors import BadDataFile

if TYPE_CHECKING:
    import polars as pl

PRICES = ("open", "high", "low", "close")


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
    frame = frame.select(kept).with_columns(_nanoseconds(path, frame))
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

    if path.suffix.lower() not in {".parquet", ".csv"}:
        raise BadDataFile(path, "is neither .parquet nor .csv")
    if not path.is_file():
        raise BadDataFile(path, "there is no such file")
    try:
        frame = pl.read_parquet(path) if path.suffix.lower() == ".parquet" else pl.read_csv(path, try_parse_dates=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadDataFile(path, f"cannot be read: {str(error).splitlines()[0]}") from error
    if frame.is_empty():
        raise BadDataFile(path, "has no rows")
    return frame


def _nanoseconds(path: Path, frame: "pl.DataFrame") -> "pl.Expr":
    import polars as pl  # noqa: PLC0415 - as above

    kind = frame.schema["time"]
    if kind.is_integer():
        return pl.col("time").cast(pl.Int64)
    if isinstance(kind, pl.Datetime | pl.Date):
        return pl.col("time").cast(pl.Datetime("ns")).cast(pl.Int64)
    raise BadDataFile(path, f"column time is {kind}, not a time nor integer nanoseconds")


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
    import polars as pl  # noqa: PLC0415 - as above

    for name in names:
        column = frame[name]
        if not column.dtype.is_numeric():
            raise BadDataFile(path, f"column {name} is {column.dtype}, not a number")
        values = column.cast(pl.Float64)
        wrong = (values.is_null() | ~values.is_finite() | (values <= 0)).fill_null(value=True).arg_true()
        if len(wrong):
            raise BadDataFile(path, f"{name} is {column[wrong[0]]}, not a positive number", wrong[0])


def check_bars(path: Path, frame: "pl.DataFrame") -> None:
    """Refuse bars that cannot be.

    Raises:
        BadDataFile: Names the first row and what is wrong.
    """
    check_positive(path, frame, PRICES)
    high, low = frame["high"], frame["low"]
    outside = (high < low) | (high < frame["open"]) | (high < frame["close"])
    wrong = (outside | (low > frame["open"]) | (low > frame["close"])).arg_true()
    if len(wrong):
        raise BadDataFile(path, "open and close do not lie between high and low", wrong[0])


def check_rates(path: Path, frame: "pl.DataFrame") -> None:
    """Refuse funding rates that cannot be.

    Raises:
        BadDataFile: Names the first row.
    """
    rates = frame["funding_rate"]
    wrong = (rates.is_null() | ~rates.is_finite() | (rates.abs() > 1)).fill_null(value=True).arg_true()
    if len(wrong):
        raise BadDataFile(path, f"funding_rate is {rates[wrong[0]]}, not a rate", wrong[0])
