"""Keeps market data for backtests."""

import json
from pathlib import Path

import msgspec
from platformdirs import user_data_path
from rich.console import Console
from rich.table import Table

from app.cli.failures import UsageRefused
from app.domain.times import iso
from app.ports.exit_codes import ExitCode
from app.research.data_folder import COLUMNS, Contents, DataFolder


def import_file(source: Path, symbol: str, kind: str, folder: Path | None, *, as_json: bool) -> int:
    """Add the rows of a file; return the exit code."""
    if kind not in COLUMNS:
        raise UsageRefused(f"there is no kind {kind!r}: use {', '.join(COLUMNS)}")
    if "/" not in symbol or ".." in symbol:
        raise UsageRefused(f"{symbol!r} is no symbol: write it as BTC/USDT:USDT")
    done = DataFolder(_folder(folder)).add(source, symbol, kind)
    if as_json:
        print(json.dumps(msgspec.to_builtins(done, enc_hook=str)))
        return ExitCode.CLEAN
    console = Console(highlight=False)
    console.print(f"{done.added} rows added, {done.repeated} were there", soft_wrap=True)
    console.print(_words(done.contents), soft_wrap=True)
    return ExitCode.CLEAN


def list_files(folder: Path | None, *, as_json: bool) -> int:
    """Check every file and say what is in it; return the exit code."""
    place = _folder(folder)
    found = list(DataFolder(place).contents())
    if as_json:
        print(json.dumps([msgspec.to_builtins(item, enc_hook=str) for item in found]))
        return ExitCode.CLEAN
    console = Console(highlight=False)
    if not found:
        console.print(
            f"there is no data in {place}: python -m app data import FILE --symbol BTC/USDT:USDT", soft_wrap=True
        )
        return ExitCode.CLEAN
    table = Table("symbol", "kind", "rows", "from", "to", "every", "gaps")
    for item in found:
        every = "" if item.interval_s is None else f"{item.interval_s} s"
        gaps = "" if item.interval_s is None else str(item.gaps)
        table.add_row(item.symbol, item.kind, str(item.rows), _day(item.first_ns), _day(item.last_ns), every, gaps)
    console.print(table)
    console.print(f"in {place}", soft_wrap=True)
    return ExitCode.CLEAN


def _day(time_ns: int) -> str:
    return iso(time_ns)[:10]


def _folder(folder: Path | None) -> Path:
    return user_data_path("perps-bot") / "market" if folder is None else folder


def _words(contents: Contents) -> str:
    text = f"{contents.path}: {contents.rows} rows from {iso(contents.first_ns)} to {iso(contents.last_ns)}"
    if contents.interval_s is None:
        return text
    if not contents.gaps:
        return f"{text}, every {contents.interval_s} s, without a gap"
    return f"{text}, every {contents.interval_s} s, {contents.gaps} gaps, the longest of {contents.longest_gap_s} s"
