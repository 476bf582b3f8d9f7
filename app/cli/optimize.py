"""Searches the parameters of a strategy on recorded data, and says how far to believe what it found."""

import json
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast, get_args

import msgspec
from loguru import logger
from rich.console import Console
from rich.table import Table

from app.backtest import data_files, origin_of, require_cluster
from app.cli.backtest import backtest_settings, words_for
from app.cli.data_words import DataWords
from app.cli.durations import parse_duration
from app.cli.failures import UsageRefused
from app.cli.origin_rows import origin_rows
from app.cli.progress import counting
from app.cli.report_path import check_report
from app.domain.times import iso
from app.exchanges.simulated import open_recorded
from app.ports.exit_codes import ExitCode
from app.preflight import check_before_start
from app.research import (
    CONFIDENCE,
    Chosen,
    EngineName,
    Found,
    Goal,
    Results,
    SamplerName,
    Space,
    Step,
    Window,
    choose_engine,
    compounded,
    deflated_sharpe,
    on_cluster,
    search,
    walk_forward,
    windows_of,
    workers,
    write_search_report,
)
from app.research.search import OBJECTIVES, Tried
from app.research.trial import Evaluate, Figures
from app.settings import LoadedSettings
from app.strategies import Feed, create, strategy_class

SHOWN = 5
"""Best sets of parameters in the table."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The words of the command line."""

    profile: str | None
    overrides: list[str]
    files: DataWords
    strategy: str | None
    period: tuple[str | None, str | None]
    trials: int
    engine: str
    sampler: str
    objective: str
    seed: int
    prune: bool
    walk: str | None
    workers: int | None
    scheduler: str | None
    study: Path | None
    report: Path | None
    as_json: bool


class _Search(msgspec.Struct, frozen=True):
    """What came of it."""

    founds: tuple[Found, ...]
    steps: tuple[Step, ...]
    resumed: int
    reused: int
    seconds: float


def optimize(wish: Wish) -> int:
    """Search; return the exit code."""
    _check(wish)
    loaded = backtest_settings(wish.profile, [*words_for(wish.files, wish.period), *wish.overrides], wish.strategy)
    # What trials need goes to other processes, and with --scheduler to other machines.
    loaded = loaded.without_secrets()
    strategy_id = _only_strategy(loaded)
    check_report(wish.report, loaded, wish.study)
    check_before_start(loaded.settings)
    logger.remove()
    given = loaded.settings.strategies[strategy_id]
    space = Space(strategy_class(strategy_id, given.strategy), given.params)
    goal = Goal(
        objective=wish.objective,
        sampler=cast("SamplerName", wish.sampler),
        trials=wish.trials,
        seed=wish.seed,
        prune=wish.prune,
    )
    simulated = loaded.settings.exchange.simulated
    markets = [open_recorded(simulated, data) for data in simulated.data]
    _check_bars(loaded, strategy_id, {market.symbol: market.interval_s for market in markets})
    begins_ns, ends_ns, rows = zip(*(market.extent for market in markets), strict=True)
    whole = Window(min(begins_ns), max(ends_ns))
    windows = [] if wish.walk is None else windows_of(whole, *_stretches(wish.walk))
    chosen = choose_engine(cast("EngineName", wish.engine), loaded, strategy_id, whole)
    if chosen.not_compiled is not None:
        print(f"the event engine runs all trials: {chosen.not_compiled}", file=sys.stderr)
    # How many trials are wanted, and which sampler asks for them, changes no result: a study may grow.
    origin = origin_of(loaded.settings)
    try:
        done = _run(wish, chosen, loaded, space, goal, whole, windows, origin)
    except KeyboardInterrupt:
        kept = "nothing is kept: --study FILE keeps results" if wish.study is None else "the same command goes on"
        Console(stderr=True).print(f"interrupted: {kept}", highlight=False)
        return ExitCode.UNCLEAN_STOP
    best = done.founds[-1].ranked
    document = _document(wish, done, origin, sum(rows))
    document["not_compiled"] = chosen.not_compiled
    document["backtest"] = None if not best else _backtest_words(wish, strategy_id, best[0], done.founds[-1])
    if wish.as_json:
        print(json.dumps(document))
    else:
        _print(document)
    if wish.report is not None:
        rows_of_page = dict(_page_rows(document, strategy_id))
        title = f"Optimisation: {given.strategy}"
        write_search_report(wish.report, title, rows_of_page, done.founds[-1].tried, done.steps, wish.objective)
        print(f"report in {wish.report.absolute()}", file=sys.stderr)
    return ExitCode.CLEAN


def _check(wish: Wish) -> None:
    if wish.trials < 1 or (wish.workers is not None and wish.workers < 1):
        raise UsageRefused("--trials and --workers must be at least 1")
    if wish.scheduler is not None:
        if wish.workers is not None:
            raise UsageRefused("--workers are of this machine: a cluster given with --scheduler has its own")
        require_cluster()
    if wish.engine not in get_args(EngineName):
        raise UsageRefused(f"there is no engine {wish.engine!r}: use {', '.join(get_args(EngineName))}")
    if wish.sampler not in get_args(SamplerName):
        raise UsageRefused(f"there is no sampler {wish.sampler!r}: use {', '.join(get_args(SamplerName))}")
    if wish.objective not in OBJECTIVES:
        raise UsageRefused(f"there is no objective {wish.objective!r}: use {', '.join(OBJECTIVES)}")


def _check_bars(loaded: LoadedSettings, strategy_id: str, intervals_s: Mapping[str, int]) -> None:
    """Refuse bars that cannot be built of those that each symbol has: no set of parameters would trade."""
    for strategy in create(strategy_id, loaded.settings.strategies[strategy_id]):
        for asked in strategy.subscriptions():
            interval_s = intervals_s.get(asked.symbol or strategy.symbol)
            if asked.feed is Feed.BARS and interval_s and asked.interval_s % interval_s:
                raise UsageRefused(
                    f"bars of {asked.interval_s} s cannot be built from bars of {interval_s} s: "
                    f"--set strategies.{strategy_id}.params.interval_s={interval_s}"
                )


def _stretches(text: str) -> tuple[float, float]:
    train, colon, test = text.partition(":")
    if not colon:
        raise UsageRefused(f"{text!r} is no walk-forward: write TRAIN:TEST, as in 30d:10d")
    return parse_duration(train), parse_duration(test)


def _only_strategy(loaded: LoadedSettings) -> str:
    names = list(loaded.settings.strategies)
    if len(names) > 1:
        raise UsageRefused(f"one strategy is searched at a time: name one of {', '.join(names)} with --strategy")
    return names[0]


def _run(
    wish: Wish,
    chosen: Chosen,
    loaded: LoadedSettings,
    space: Space,
    goal: Goal,
    whole: Window,
    windows: list[tuple[Window, Window]],
    origin: dict[str, Any],
) -> _Search:
    began = perf_counter()
    with _evaluating(wish, chosen, loaded) as evaluate, counting("trials") as progress:
        advance = partial(progress.advance, progress.add_task("trials", total=goal.trials * (len(windows) or 1)))
        results = Results(evaluate, wish.study, origin)
        try:
            if windows:
                steps = walk_forward(space, goal, windows, results, advance)
                founds = tuple(step.found for step in steps)
            else:
                steps, founds = [], (search(space, goal, whole, results, advance),)
        finally:
            results.close()
    return _Search(founds, tuple(steps), results.resumed, results.reused, perf_counter() - began)


def _evaluating(wish: Wish, chosen: Chosen, loaded: LoadedSettings) -> AbstractContextManager[Evaluate]:
    """Return what runs trials: processes of this machine, or of a cluster."""
    if wish.scheduler is None:
        return workers(chosen.factory, wish.workers)
    ((strategy_id, given),) = loaded.settings.strategies.items()
    return on_cluster(wish.scheduler, chosen.factory, (strategy_id, given.strategy), data_files(loaded.settings))


def _document(wish: Wish, done: _Search, origin: dict[str, Any], rows: int) -> dict[str, Any]:
    tried = [one for found in done.founds for one in found.tried]
    figures = [one.outcome for one in tried if isinstance(one.outcome, Figures)]
    last = done.founds[-1]
    luck = deflated_sharpe(last.figures)
    return {
        "trials": len(tried),
        "bars": rows,
        "scored": sum(one.score is not None for one in tried),
        "never_closed": sum(not one.statistics.round_trips for one in figures),
        "given_up": sum(one.outcome is None for one in tried),
        "engines": dict(Counter(one.engine for one in figures)),
        "handed_on": dict(Counter(one.handed_on for one in figures if one.handed_on is not None)),
        "in_study": done.resumed,
        "known_before": done.reused,
        "seconds": round(done.seconds, 3),
        "objective": wish.objective,
        "window": [iso(last.window.from_ns), iso(last.window.to_ns)],
        "best": [_row(one) for one in last.ranked[:SHOWN]],
        "deflated_sharpe_probability": luck,
        "likely_luck": None if luck is None else luck < CONFIDENCE,
        "walk_forward": [_step(step) for step in done.steps],
        "out_of_sample_return": compounded(list(done.steps)) if done.steps else None,
        "reproduce": origin
        | {
            "search": {
                name: getattr(wish, name) for name in ("sampler", "objective", "trials", "seed", "prune", "walk")
            }
        },
    }


def _row(tried: Tried) -> dict[str, Any]:
    figures: dict[str, Any] = msgspec.to_builtins(tried.outcome)
    return {"score": tried.score, "params": tried.params} | figures


def _step(step: Step) -> dict[str, Any]:
    ranked = step.found.ranked
    return {
        "from": iso(step.test.from_ns),
        "to": iso(step.test.to_ns),
        "params": ranked[0].params if ranked else None,
        "score": ranked[0].score if ranked else None,
        "return": step.found.figures[0].statistics.total_return if ranked else None,
        "out_of_sample": msgspec.to_builtins(step.out_of_sample),
    }


def _backtest_words(wish: Wish, strategy_id: str, best: Tried, found: Found) -> str:
    """Return the command that gives the figures of the best: on its own stretch, where there were several."""
    period = wish.period if wish.walk is None else (iso(found.window.from_ns), iso(found.window.to_ns))
    words = ["python", "-m", "app", "backtest"]
    for kind, files in wish.files.items():
        for file in files:
            words += [f"--{kind}", file]
    for name, value in (("strategy", wish.strategy), ("profile", wish.profile)):
        words += [] if value is None else [f"--{name}", value]
    for name, moment in zip(("--from", "--to"), period, strict=True):
        words += [] if moment is None else [name, moment]
    settings = [*wish.overrides, *(f"strategies.{strategy_id}.params.{key}={v}" for key, v in best.params.items())]
    for setting in settings:
        words += ["--set", setting]
    return shlex.join(words)


# -- for people --------------------------------------------------------------------------------------------------


def _print(document: dict[str, Any]) -> None:
    console = Console(highlight=False)
    best = document["best"]
    if best:
        console.print(_best_table(document))
    if document["walk_forward"]:
        console.print(_walk_table(document))
    engines = ", ".join(f"{count} on the {name} path" for name, count in document["engines"].items())
    console.print(
        f"{document['trials']} trials in {document['seconds']:.1f} s: {engines or 'none ran through'}; "
        f"{document['given_up']} given up{_reused(document)}"
    )
    if document["never_closed"]:
        console.print(f"{document['never_closed']} never closed a round trip: they have no score and cannot win")
    for why, count in document["handed_on"].items():
        console.print(f"{count} handed on to the event path: {why}")
    console.print(_verdict(document))
    if document["backtest"]:
        console.print(f"see the best: {document['backtest']}", soft_wrap=True)


def _reused(document: dict[str, Any]) -> str:
    held = document["in_study"]
    return f"; {document['known_before']} were not run again, of {held} in the study" if held else ""


def _best_table(document: dict[str, Any]) -> Table:
    table = Table(title=f"best by {document['objective']}, {document['window'][0]} to {document['window'][1]}")
    for name in ("parameters", document["objective"], "return", "max drawdown", "round trips"):
        table.add_column(name, justify="right")
    for row in document["best"]:
        figures = row["statistics"]
        table.add_row(
            _words(row["params"]),
            f"{row['score']:.3f}",
            _percent(figures["total_return"]),
            _percent(figures["max_drawdown"]),
            str(figures["round_trips"]),
        )
    return table


def _walk_table(document: dict[str, Any]) -> Table:
    table = Table(title=f"walk-forward: {_percent(document['out_of_sample_return'])} out of sample")
    for name in ("traded from", "parameters", "return searched on", "out of sample"):
        table.add_column(name, justify="right")
    for row in document["walk_forward"]:
        after = row["out_of_sample"]
        held = "not traded" if after is None else _percent(after["statistics"]["total_return"])
        table.add_row(
            row["from"],
            _words(row["params"] or {}),
            "no score" if row["return"] is None else _percent(row["return"]),
            held,
        )
    return table


def _verdict(document: dict[str, Any]) -> str:
    chance = document["deflated_sharpe_probability"]
    if chance is None:
        return "whether the best is luck cannot be told: too few trials or days with a result"
    told = f"{100 * chance:.1f} % probability that the best is more than the luck of having tried this many"
    if not document["likely_luck"]:
        return told
    return f"WARNING: not shown to be more than luck: {told}; {100 * CONFIDENCE:.0f} % is wanted"


def _page_rows(document: dict[str, Any], strategy_id: str) -> Iterator[tuple[str, str]]:
    for rank, row in enumerate(document["best"], 1):
        yield (
            f"{rank}. {strategy_id}: {_words(row['params'])}",
            f"{document['objective']} {row['score']:.3f}, {row['engine']} path",
        )
    yield "luck", _verdict(document)
    if document["walk_forward"]:
        yield "walk-forward, out of sample", _percent(document["out_of_sample_return"])
    yield (
        "trials",
        (
            f"{document['trials']}, of which {document['given_up']} were given up "
            f"and {document['never_closed']} never closed a round trip"
        ),
    )
    yield "engines", ", ".join(f"{name}: {count}" for name, count in document["engines"].items())
    yield from origin_rows(document["reproduce"])


def _words(params: dict[str, float]) -> str:
    return " ".join(f"{name}={value:.6g}" for name, value in params.items())


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.2f} %"
