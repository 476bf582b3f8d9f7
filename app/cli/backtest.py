"""Runs the bot on recorded data, and says what that came to."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
from loguru import logger
from rich.console import Console
from rich.table import Table

from app.backtest import Backtest, BacktestFigures, Statistics, origin_of, require_compiled, write_report
from app.cli.data_words import DataWords, settings_of_files
from app.cli.failures import UsageRefused
from app.cli.loop import run_loop
from app.cli.origin_rows import origin_rows
from app.cli.progress import covering
from app.cli.report_path import check_report
from app.domain.times import iso
from app.ports.exit_codes import ExitCode
from app.preflight import check_before_start
from app.settings import LoadedSettings, load_settings
from app.telemetry import configure_logs

PROFILE = "backtest"
ENGINES = ("event", "compiled")
IN_MEMORY = ("storage.backend=memory", "exchange.simulated.speed=0")
"""Whatever the profile says: a backtest neither waits for the clock nor goes on where a bot of that profile stands."""
Outcome = tuple[int, BacktestFigures | None, dict[str, Any]]
"""Exit code, what was seen (None of a run that was interrupted), and the document of the run."""
PERCENT = frozenset(
    {"total_return", "cagr", "max_drawdown", "win_rate", "exposure", "buy_and_hold"},
)
LABELS = {
    "total_return": "return",
    "cagr": "CAGR",
    "sharpe": "Sharpe",
    "sortino": "Sortino",
    "calmar": "Calmar",
    "max_drawdown": "max drawdown",
    "max_drawdown_s": "longest drawdown",
    "round_trips": "round trips",
    "win_rate": "win rate",
    "profit_factor": "profit factor",
    "expectancy": "expectancy",
    "longest_losing_run": "longest losing run",
    "turnover": "turnover",
    "exposure": "exposure",
    "buy_and_hold": "buy and hold",
}


def backtest(
    profile: str | None,
    overrides: list[str],
    files: DataWords,
    strategy: str | None,
    period: tuple[str | None, str | None],
    report: Path | None,
    *,
    engine: str,
    as_json: bool,
) -> int:
    """Run a backtest; return its exit code."""
    if engine not in ENGINES:
        raise UsageRefused(f"there is no engine {engine!r}: use {' or '.join(ENGINES)}")
    loaded = backtest_settings(profile, [*words_for(files, period), *overrides], strategy)
    check_before_start(loaded.settings)
    _configure_logs(loaded)
    origin = origin_of(loaded.settings)
    check_report(report, loaded)
    run = _compiled(loaded) if engine == "compiled" else None
    exit_code, figures, document = run or _on_events(loaded, quiet=as_json)
    statistics = None if figures is None else figures.statistics()
    document |= {
        "statistics": None if statistics is None else msgspec.to_builtins(statistics),
        "reproduce": origin,
        "engine": "event" if run is None else engine,
    }
    if as_json:
        print(json.dumps(document))
    elif statistics is not None:
        _print(document, statistics)
    if report is not None and figures is not None and statistics is not None:
        name = " ".join(item.strategy for item in loaded.settings.strategies.values())
        rows = {**dict(_given(loaded, document)), **dict(_rows(document, statistics)), **dict(origin_rows(origin))}
        write_report(report, f"Backtest: {name}", figures, rows)
        print(f"report in {report.absolute()}", file=sys.stderr)
    return exit_code


def _on_events(loaded: LoadedSettings, *, quiet: bool) -> Outcome:
    """Run the bot itself, with a bar on a terminal unless ``quiet``."""
    with covering("backtest", quiet=quiet) as progress:
        # While the bar is there, stderr is its own: it keeps lines above itself.
        _configure_logs(loaded)
        task = progress.add_task("", total=1.0)

        def show(part: float, time_ns: int) -> None:
            progress.update(task, completed=part, description=iso(time_ns)[:10])

        run, _ = run_loop(Backtest(loaded).run(show))
    _configure_logs(loaded)
    for failure in run.untold:
        logger.error(failure)
    document = run.document | {"errors": run.failures, "exit_code": int(run.exit_code)}
    return run.exit_code, run.figures if run.interruption is None else None, document


def _configure_logs(loaded: LoadedSettings) -> None:
    telemetry = loaded.settings.telemetry
    configure_logs(telemetry.log_level, as_json=telemetry.log_json)


def _compiled(loaded: LoadedSettings) -> Outcome | None:
    """Run the compiled engine; None when it hands the run on to the event path, and says why."""
    require_compiled()
    from app.backtest.compiled import CompiledBacktest, HandedOn, document_of, figures_of  # noqa: PLC0415 - slow

    backtest = CompiledBacktest(loaded.settings)
    began = perf_counter()
    trial = backtest.trace()
    if isinstance(trial, HandedOn):
        print(f"the event engine runs this: {trial}", file=sys.stderr)
        return None
    document = document_of(trial, loaded.settings.account, perf_counter() - began) | {"data": backtest.data_noticed}
    return ExitCode.CLEAN, figures_of(trial), document


def words_for(files: DataWords, period: tuple[str | None, str | None]) -> Iterator[str]:
    """Yield the settings that the options stand for."""
    yield from settings_of_files(files)
    for name, moment in zip(("time_from", "time_to"), period, strict=True):
        if moment is not None:
            yield f"exchange.simulated.{name}={moment}"


def backtest_settings(profile: str | None, overrides: list[str], strategy: str | None) -> LoadedSettings:
    """Return the settings, with one strategy instead of the profile's when one is named."""
    profile, overrides = profile or PROFILE, [*IN_MEMORY, *overrides]
    strategy_id = None if strategy is None else strategy.rpartition(".")[2]
    if strategy is not None:
        others = [word for word in overrides if not word.startswith("strategies.")]
        simulated = load_settings(profile, others).settings.exchange.simulated
        symbols = [data.symbol for data in simulated.data] or [simulated.instruments[0].symbol]
        named = f"strategies.{strategy_id}"
        overrides = [f"{named}.strategy={strategy}", f"{named}.symbols={json.dumps(symbols)}", *overrides]
    loaded = load_settings(profile, overrides)
    settings = loaded.settings
    if settings.exchange.adapter != "simulated":
        adapter = settings.exchange.adapter
        raise UsageRefused(f"a backtest runs on the simulated exchange, and exchange.adapter is {adapter}")
    recorded = [data.symbol for data in settings.exchange.simulated.data]
    if not recorded:
        raise UsageRefused("a backtest needs data: give it with --candles FILE")
    if not settings.strategies:
        raise UsageRefused("a backtest needs a strategy: give it with --strategy NAME, or a profile that has one")
    loaded = loaded if strategy_id is None else loaded.with_strategy(strategy_id)
    for name, traded in loaded.settings.strategies.items():
        for symbol in traded.symbols:
            if symbol not in recorded:
                raise UsageRefused(
                    f"{name} trades {symbol}, and the data is of {', '.join(recorded)}: "
                    f"give the other with --candles {symbol}=FILE"
                )
    return loaded


def _given(loaded: LoadedSettings, document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what was run, for the page."""
    yield "period", f"{document['time_first']} to {document['time_last']}"
    for name, item in loaded.settings.strategies.items():
        params = "".join(f", {key} {value}" for key, value in item.params.items())
        yield f"strategy {name}", f"{item.strategy} on {' '.join(item.symbols)}{params}"
    yield "engine", document["engine"]


def _rows(document: dict[str, Any], statistics: Statistics) -> Iterator[tuple[str, str]]:
    for name, label in LABELS.items():
        yield label, _text(name, getattr(statistics, name))
    for name in ("fees", "funding", "liquidations", "orders", "fills", "equity"):
        yield name, str(document[name])
    if document["orders_denied"]:
        rules = ", ".join(f"{rule} {count}" for rule, count in document["orders_denied_by"].items())
        yield "denied by risk", f"{document['orders_denied']}: {rules}"
    for symbol, noticed in document["data"].items():
        yield f"data {symbol}", noticed
    if document["settlements_without_mark"]:
        first, *more = document["settlements_without_mark"]
        since = f"at {first}" if not more else f"from {first} on"
        yield "without a mark", f"{1 + len(more)} settlements, {since}: the last price stood in"
    if document["errors"]:
        # A page is kept, and shown to others, long after what was said beside it is forgotten.
        yield "went wrong", "; ".join(document["errors"])
    if document.get("held_back"):
        yield "at the end", f"{document['trading']}: {'; '.join(document['held_back'])}"


def _text(name: str, value: float | None) -> str:
    if value is None:
        return "not defined"
    if name in PERCENT:
        return f"{100 * value:.2f} %"
    if name == "max_drawdown_s":
        return f"{value / 86_400:.1f} days"
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def _print(document: dict[str, Any], statistics: Statistics) -> None:
    table = Table(title=f"{document['time_first']} to {document['time_last']}", show_header=False)
    for label, value in _rows(document, statistics):
        table.add_row(label, value)
    console = Console()
    console.print(table)
    console.print(
        f"{document['bars']} bars in {document['elapsed_s']:.1f} s, {document['bars_per_second']:.0f} a second"
    )
