"""Keeps market data for backtests."""

import json
import shlex
from collections.abc import Iterable
from pathlib import Path

import msgspec
from platformdirs import user_data_path
from rich.console import Console
from rich.table import Table

from app.cli.failures import UsageRefused
from app.domain.times import iso
from app.ports.exit_codes import ExitCode
from app.research.data_folder import Contents, DataFolder
from app.research.kinds import KINDS

GAPS_SHOWN = 20
"""Of a file; a machine is told all."""


def check_names(symbol: str, kind: str, kinds: Iterable[str]) -> None:
    """Refuse what would not name a file.

    Raises:
        UsageRefused: It is no symbol, or no kind of data.
    """
    if kind not in kinds:
        raise UsageRefused(f"there is no kind {kind!r}: use {', '.join(kinds)}")
    if "/" not in symbol or ".." in symbol:
        raise UsageRefused(f"{symbol!r} is no symbol: write it as BTC/USDT:USDT")


def import_file(source: Path, symbol: str, kind: str, folder: Path | None, *, as_json: bool) -> int:
    """Add the rows of a file; return the exit code."""
    check_names(symbol, kind, KINDS)
    done = DataFolder(place_of(folder)).add(source, symbol, kind)
    if as_json:
        print(json.dumps(msgspec.to_builtins(done, enc_hook=str)))
        return ExitCode.CLEAN
    console = Console(highlight=False)
    console.print(f"{done.added} rows added, {done.repeated} were there", soft_wrap=True)
    console.print(words_of(done.contents), soft_wrap=True)
    return ExitCode.CLEAN


def list_files(folder: Path | None, *, as_json: bool) -> int:
    """Check every file and say what is in it; return the exit code."""
    place = place_of(folder)
    found = list(DataFolder(place).contents())
    if as_json:
        print(json.dumps([msgspec.to_builtins(item, enc_hook=str) for item in found]))
        return ExitCode.CLEAN
    console = Console(highlight=False)
    if not found:
        _say_nothing_is_there(console, folder)
        return ExitCode.CLEAN
    table = Table("symbol", "kind", "rows", "from", "to", "every", "gaps")
    for item in found:
        every = "" if item.interval_s is None else f"{item.interval_s} s"
        gaps = "" if item.interval_s is None else str(item.gaps)
        table.add_row(item.symbol, item.kind, str(item.rows), _day(item.first_ns), _day(item.last_ns), every, gaps)
    console.print(table)
    console.print(f"in {place}", soft_wrap=True)
    return ExitCode.CLEAN


def _say_nothing_is_there(console: Console, folder: Path | None) -> None:
    there = "" if folder is None else f" --folder {shlex.quote(str(folder))}"
    command = f"python -m app data import FILE --symbol BTC/USDT:USDT{there}"
    console.print(f"there is no data in {place_of(folder)}: {command}", soft_wrap=True)


def _day(time_ns: int) -> str:
    return iso(time_ns)[:10]


def check_files(folder: Path | None, *, as_json: bool) -> int:
    """Say of every file whether it can be used, and where its gaps are; return the exit code."""
    place = place_of(folder)
    examined = list(DataFolder(place).examined())
    if as_json:
        print(json.dumps([msgspec.to_builtins(item, enc_hook=str) for item in examined]))
    else:
        console = Console(highlight=False)
        if not examined:
            _say_nothing_is_there(console, folder)
        for item in examined:
            console.print(item.wrong if item.contents is None else words_of(item.contents), soft_wrap=True)
            for from_ns, to_ns in item.gaps[:GAPS_SHOWN]:
                console.print(f"  nothing from {iso(from_ns)} to {iso(to_ns)}", soft_wrap=True)
            if len(item.gaps) > GAPS_SHOWN:
                console.print(f"  and {len(item.gaps) - GAPS_SHOWN} gaps more")
    return ExitCode.START_FAILED if any(item.wrong for item in examined) else ExitCode.CLEAN


def place_of(folder: Path | None) -> Path:
    """Return the data folder."""
    return user_data_path("perps-bot") / "market" if folder is None else folder


def words_of(contents: Contents) -> str:
    """Return what is in a file, for people."""
    text = f"{contents.path}: {contents.rows} rows from {iso(contents.first_ns)} to {iso(contents.last_ns)}"
    if contents.interval_s is None:
        return text
    if not contents.gaps:
        return f"{text}, every {contents.interval_s} s, without a gap"
    return f"{text}, every {contents.interval_s} s, {contents.gaps} gaps, the longest of {contents.longest_gap_s} s"
