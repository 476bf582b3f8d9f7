"""Runs the bot: builds it, says what runs, and reports how it ended."""

import asyncio
import json
import os
import sys
from contextlib import suppress
from functools import partial

import msgspec
from loguru import logger
from rich.console import Console

from app.bot import PerpsBot
from app.cli import garbage
from app.cli.build import build_container
from app.cli.doctor import REAL_KINDS, refuse_if_unfit
from app.cli.durations import parse_duration
from app.cli.failures import UsageRefused, report_failure
from app.cli.greeting import LOOK_AGAIN_S, greet, warn_of_what_stayed
from app.cli.loop import run_loop
from app.container import Container
from app.coordinators.runtime import STREAM_ENDED
from app.lifecycle import RunResult, Transition
from app.ports.abort import abort
from app.ports.exit_codes import ExitCode
from app.preflight import check_before_start
from app.telemetry import RunSummary, configure_logs

LOG_FILE = "bot.log"


def run_bot(
    profile: str | None,
    overrides: list[str],
    for_: str | None,
    for_virtual: str | None,
    *,
    plain: bool,
    as_json: bool,
) -> int:
    """Run until there is a reason to stop; return the exit code."""
    wall_s = None if for_ is None else parse_duration(for_)
    if for_virtual is not None:
        overrides = [*overrides, f"exchange.simulated.duration_s={parse_duration(for_virtual)}"]
    live = not (plain or as_json) and sys.stdout.isatty()
    container = build_container(profile, overrides, Console() if live else None)
    settings = container.settings()
    if for_virtual is not None and settings.exchange.adapter != "simulated":
        raise UsageRefused(
            f"--for-virtual needs the simulated exchange, and exchange.adapter is {settings.exchange.adapter}"
        )
    check_before_start(settings)
    if settings.kind in REAL_KINDS:
        refuse_if_unfit(container.loaded())
    _open_log(container, live=live)
    container.observe(_log_transition)
    result, abandoned = run_loop(_run(container, wall_s))
    if for_virtual is not None and result.reason == STREAM_ENDED and not settings.exchange.simulated.data:
        # A generated market ends for no other reason.
        result = msgspec.structs.replace(result, reason=f"--for-virtual {for_virtual} is over")
    if live:
        configure_logs(settings.telemetry.log_level, as_json=settings.telemetry.log_json)
    summary = container.summary()
    code = _report(_judged(result, summary, settings.kind), summary, as_json=as_json)
    if abandoned:
        # A task that ignores its cancellation would keep the interpreter from ending, for as long as it likes.
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    return code


def _open_log(container: Container, *, live: bool) -> None:
    """Log to stderr; while the live view has the screen, into the view and into a file of the state folder."""
    telemetry, folder = container.settings().telemetry, container.folder()
    if not live:
        configure_logs(telemetry.log_level, as_json=telemetry.log_json)
        return
    file = None if folder is None else folder / LOG_FILE
    configure_logs(telemetry.log_level, as_json=False, sink=container.log_tail(), file=file)


async def _run(container: Container, wall_s: float | None) -> RunResult:
    bot: PerpsBot = container.bot()
    loop = asyncio.get_running_loop()

    def on_ready() -> None:
        garbage.begin()
        trading = bot.runtime.context.trading_state
        greet(container.loaded(), container.folder(), trading.current)
        loop.call_later(LOOK_AGAIN_S, lambda: warn_of_what_stayed(container.loaded(), trading.current))
        if wall_s is not None:
            loop.call_later(wall_s, bot.stop, f"--for {wall_s:g} s is over")

    return await bot.run(on_ready, abort=partial(abort, "working orders may be left at the exchange"))


def _log_transition(transition: Transition) -> None:
    bound = logger.bind(part=transition.component, seconds=f"{transition.duration_s:.3f}")
    if transition.error is None:
        bound.debug(f"{transition.phase} done")
    else:
        # The sentence for people comes at the end, once; this is for whoever looks closer.
        bound.bind(error=transition.error).debug(f"{transition.phase} failed")


def _judged(result: RunResult, summary: RunSummary, kind: str) -> RunResult:
    """Return how a run ended: a replay whose strategy failed, or saw no bar, has nothing to go on for, and fails.

    A bot that trades goes on to protect what it holds, and says so: its clean stop is one.
    """
    failed = summary.document(result).get("problems", {}).get("strategy")
    if kind != "replay" or failed is None or result.exit_code is not ExitCode.CLEAN:
        return result
    return RunResult(ExitCode.CRITICAL_FAILURE, result.reason, (*result.errors, failed))


def _report(result: RunResult, summary: RunSummary, *, as_json: bool) -> int:
    for error in result.errors:
        logger.error(error)
    stopped = summary.stopped(result)
    if stopped is not None and (result.exit_code or not as_json):
        logger.log("ERROR" if result.exit_code else "INFO", stopped)
    if as_json:
        try:
            print(json.dumps(summary.document(result)), flush=True)
        except BrokenPipeError as error:
            if not result.exit_code:
                raise
            # That nobody reads it says less than how the run ended.
            report_failure(error)
        return result.exit_code
    for line in summary.lines():
        logger.info(line)
    for line in summary.problems():
        logger.warning(line)
    return result.exit_code
