"""Downloads a venue's past into the data folder. What is there is not asked for again, so it can be interrupted."""

import asyncio
import json
import signal
from collections.abc import Coroutine
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger
from rich.console import Console

from app.cli.data import check_names, place_of, words_of
from app.cli.failures import NotDone, UsageRefused
from app.cli.loop import run_loop
from app.cli.progress import covering
from app.domain.times import iso, parse_iso
from app.ports.abort import abort
from app.ports.connection import ExchangeUnavailable
from app.ports.exit_codes import ExitCode
from app.research.data_folder import Contents, DataFolder
from app.research.kinds import DOWNLOADED
from app.settings import ExtraMissing, load_settings
from app.settings.models import Settings
from app.telemetry import configure_logs

if TYPE_CHECKING:
    from app.exchanges.ccxt import Past

INTERVAL_S = 60
"""Of the candles: every longer bar can be built of them."""
ROWS_KEPT_MAX = 20_000
"""In memory before they are written: some seconds of a download, which is what a kill costs."""


class _Download:
    """Fetches what is missing, and writes it down as it comes."""

    def __init__(self, past: "Past", folder: DataFolder, symbol: str, kind: str) -> None:
        self._past = past
        self._folder = folder
        self._symbol = symbol
        self._kind = kind
        self._rows: list[tuple[int | float, ...]] = []
        self.added = 0
        self.repeated = 0
        self.contents: Contents | None = None

    async def run(self, from_ns: int, to_ns: int, *, quiet: bool) -> None:
        """Fetch all that is missing between two times. What was fetched is written, however it ends."""
        past = self._past
        try:
            await past.connect()
            # A candle that is not over is none yet.
            from_ns, to_ns = max(from_ns, past.listed_ns), min(to_ns, past.now_ns)
            stretches = self._stretches(from_ns, to_ns)
            whole = sum(end_ns - start_ns for start_ns, end_ns in stretches)
            done = 0
            with covering(f"{self._symbol} {self._kind}", quiet=quiet) as progress:
                task = progress.add_task("", total=1.0)
                for start_ns, end_ns in stretches:
                    async for page in past.pages(self._kind, start_ns, end_ns, INTERVAL_S):
                        self._take(page.rows)
                        gone = done + page.until_ns - start_ns
                        progress.update(task, completed=gone / whole, description=iso(page.until_ns)[:10])
                    done += end_ns - start_ns
        finally:
            # First what was fetched: closing may be interrupted once more.
            try:
                self._write()
            finally:
                await past.close()

    def _stretches(self, from_ns: int, to_ns: int) -> list[tuple[int, int]]:
        if DOWNLOADED[self._kind].is_steady:
            return self._folder.missing(self._symbol, self._kind, INTERVAL_S, from_ns, to_ns)
        # Which settlements are missing cannot be told; there are few.
        return [(from_ns, to_ns)] if from_ns < to_ns else []

    def _take(self, rows: list[tuple[int | float, ...]]) -> None:
        self._rows += rows
        if len(self._rows) >= ROWS_KEPT_MAX:
            self._write()

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            done = self._folder.add_rows(rows, self._symbol, self._kind)
            self.added += done.added
            self.repeated += done.repeated
            self.contents = done.contents


def download(
    venue: str,
    symbol: str,
    kind: str,
    period: tuple[str, str | None],
    profile: str | None,
    overrides: list[str],
    folder: Path | None,
    *,
    as_json: bool,
) -> int:
    """Download; return the exit code."""
    check_names(symbol, kind, DOWNLOADED)
    from_ns = _moment("--from", period[0])
    to_ns = time_ns() if period[1] is None else _moment("--to", period[1])
    if from_ns >= to_ns:
        raise UsageRefused(f"--from {iso(from_ns)} is not before --to {iso(to_ns)}")
    loaded = load_settings(profile, [f"exchange.ccxt.venue={venue}", *overrides])
    configure_logs("WARNING", as_json=loaded.settings.telemetry.log_json)
    work = _Download(_past(loaded.settings, symbol), DataFolder(place_of(folder)), symbol, kind)
    try:
        run_loop(_until_signal(work.run(from_ns, to_ns, quiet=as_json)))
    except asyncio.CancelledError:
        logger.warning(f"interrupted: {work.added} rows are kept, and the same command goes on")
        return ExitCode.UNCLEAN_STOP
    except ExchangeUnavailable as error:
        raise NotDone(
            f"{error}; is the network up? {work.added} rows are kept, and the same command goes on"
        ) from error
    _tell(work, as_json=as_json)
    return ExitCode.CLEAN


async def _until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Cancel the work at Ctrl-C, so that it writes down what it has; a second one does not wait for that."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()

    def on_interrupt() -> None:
        task.cancel()
        loop.add_signal_handler(signal.SIGINT, abort)

    loop.add_signal_handler(signal.SIGINT, on_interrupt)
    await task


def _moment(option: str, text: str) -> int:
    try:
        return parse_iso(text)
    except ValueError as error:
        raise UsageRefused(f"{option} {text!r} is no time: write 2026-01-31 or 2026-01-31T08:00:00Z") from error


def _past(settings: Settings, symbol: str) -> "Past":
    """Return what a venue keeps. The module that needs ccxt is imported here: it costs 0.6 s and 100 MB."""
    try:
        from app.exchanges.ccxt import Past  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise ExtraMissing("a download", error.name or "ccxt", "live") from error
    return Past(settings, symbol)


def _tell(work: _Download, *, as_json: bool) -> None:
    if as_json:
        told = {"added": work.added, "repeated": work.repeated, "contents": work.contents}
        print(json.dumps(msgspec.to_builtins(told, enc_hook=str)))
        return
    console = Console(highlight=False)
    console.print(f"{work.added} rows added, {work.repeated} were there", soft_wrap=True)
    if work.contents is not None:
        console.print(words_of(work.contents), soft_wrap=True)
