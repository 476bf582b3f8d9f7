"""Says how far the result of a backtest can be believed."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console
from rich.table import Table

from app.backtest import Backtest, origin_of
from app.cli.backtest import backtest_settings, words_for
from app.cli.data_words import DataWords
from app.cli.failures import UsageRefused
from app.cli.loop import run_loop
from app.ports.exit_codes import ExitCode
from app.preflight import check_before_start
from app.research.lookahead import peeks_of
from app.research.monte_carlo import QUANTILES, Spread, spread_of
from app.research.warm_up import starts_of
from app.settings import LoadedSettings
from app.telemetry import configure_logs


def monte_carlo(
    profile: str | None,
    overrides: list[str],
    files: DataWords,
    strategy: str | None,
    draws: int,
    seed: int,
    *,
    as_json: bool,
) -> int:
    """Run a backtest, draw its round trips again; return the exit code."""
    if draws < 1:
        raise UsageRefused("--draws must be at least 1")
    loaded = backtest_settings(profile, [*words_for(files, (None, None)), *overrides], strategy)
    check_before_start(loaded.settings)
    configure_logs(loaded.settings.telemetry.log_level, as_json=loaded.settings.telemetry.log_json)
    origin = origin_of(loaded.settings)
    run, _ = run_loop(Backtest(loaded).run())
    if run.exit_code is not ExitCode.CLEAN:
        told = "; ".join(run.failures)
        Console(stderr=True).print(f"error: {told}", highlight=False, markup=False, soft_wrap=True)
        return run.exit_code
    results = [float(trip.pnl) for trip in run.figures.trips.closed] if run.figures.times_ns else []
    if not results:
        raise UsageRefused("there is nothing to draw from: not a single round trip was closed")
    spread = spread_of(results, run.figures.equity[0], draws, seed)
    if as_json:
        document = {"round_trips": len(results), "draws": draws, "seed": seed, "quantiles": QUANTILES}
        print(json.dumps(document | msgspec.to_builtins(spread) | {"reproduce": origin}))
    else:
        _print(spread, len(results), draws)
    return ExitCode.CLEAN


def lookahead(
    profile: str | None,
    overrides: list[str],
    files: DataWords,
    strategy: str | None,
    cuts: int,
    *,
    as_json: bool,
) -> int:
    """Find decisions that differ when the data ends earlier; return the exit code."""
    if cuts < 1:
        raise UsageRefused("--cuts must be at least 1")
    loaded = _on_candles(profile, overrides, files, strategy)
    with TemporaryDirectory() as folder:
        peeks = peeks_of(loaded, cuts, Path(folder))
    if as_json:
        print(json.dumps({"cuts": cuts, "peeks": [msgspec.to_builtins(peek) for peek in peeks]}))
    else:
        console = Console(highlight=False)
        for peek in peeks:
            console.print(f"it peeks: {peek.what}", soft_wrap=True)
        if not peeks:
            console.print(f"the same decisions at all of {cuts} cuts: no peek was seen")
    return ExitCode.BUG if peeks else ExitCode.CLEAN


def warm_up(
    profile: str | None,
    overrides: list[str],
    files: DataWords,
    strategy: str | None,
    *,
    as_json: bool,
) -> int:
    """Find decisions that go on differing when a run begins later; return the exit code."""
    starts = starts_of(_on_candles(profile, overrides, files, strategy))
    if as_json:
        print(json.dumps({"starts": [msgspec.to_builtins(start) for start in starts]}))
    else:
        console = Console(highlight=False)
        for start in starts:
            console.print(start.words, soft_wrap=True)
        console.print(_warm_up_verdict([start.is_settled for start in starts]), soft_wrap=True)
    return ExitCode.CLEAN if all(start.is_settled for start in starts) else ExitCode.BUG


def _warm_up_verdict(settled: list[bool]) -> str:
    if all(settled):
        return f"settled: all {len(settled)} runs that began later came to want the same"
    return (
        f"NOT settled: {settled.count(False)} of {len(settled)} runs that began later never came to want the same: "
        "what it decides depends on when it was started"
    )


def _on_candles(profile: str | None, overrides: list[str], files: DataWords, strategy: str | None) -> LoadedSettings:
    loaded = backtest_settings(profile, [*words_for(files, (None, None)), *overrides], strategy)
    if loaded.settings.exchange.simulated.candles is None:
        raise UsageRefused("this needs the candles of one symbol: give --candles FILE")
    check_before_start(loaded.settings)
    return loaded


def _print(spread: Spread, round_trips: int, draws: int) -> None:
    table = Table(title=f"{round_trips} round trips, drawn {draws} times")
    for name in ("", *(f"{100 * quantile:.0f} %" for quantile in QUANTILES)):
        table.add_column(name, justify="right")
    table.add_row("final equity", *(f"{value:,.2f}" for value in spread.equity))
    table.add_row("max drawdown", *(f"{100 * value:.2f} %" for value in spread.drawdown))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{100 * spread.losing:.1f} % of the draws end with a loss")
