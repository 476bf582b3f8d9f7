"""Measures the kill switch: how soon after a halt nothing grows, and how soon the cancels of what works have left."""

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path

WORKING = 200
ROUNDS = 100
TURNS_MAX = 1_000
"""Turns of the event loop that cancels are waited for."""


def kill_switch():
    """Yield a name and the p99, in ms, of refusal and of dispatch: with all well, a dumb exchange, a failed store."""
    for name, confirms, fails in (
        ("exchange confirms, journal on disk", True, False),
        ("exchange answers nothing", False, False),
        ("store has failed", True, True),
    ):
        with tempfile.TemporaryDirectory() as folder:
            refusals, dispatches = asyncio.run(_rounds(Path(folder), confirms=confirms, fails=fails))
        yield name, _p99(refusals), _p99(dispatches)


def _p99(seconds):
    return sorted(seconds)[int(len(seconds) * 0.99) - 1] * 1000


async def _rounds(folder, *, confirms, fails):
    from dependency_injector import providers
    from loguru import logger

    from app.container import Container
    from app.settings import load_settings
    from app.storage import open_journal
    from tests.builders import mark, target
    from tests.fakes.exchange import FakeExchange
    from tests.fakes.journal import FakeJournal

    logger.remove()
    exchange = FakeExchange()
    journal = FakeJournal() if fails else open_journal(folder, "main", threaded=True, busy_timeout_s=5.0)
    container = Container(loaded=load_settings("benchmark", ["lifecycle.drain_s=0.01"]))
    container.exchange.override(providers.Object(exchange))
    container.journal.override(providers.Object(journal))
    container.strategies.override(providers.Object(()))
    await container.init_resources()
    bot, trading = container.bot(), container.registry.context.trading_state
    if fails:
        journal.fail("the disk is full")
    exchange.tell(mark("100"))
    await asyncio.sleep(0.05)
    refusals, dispatches = [], []
    for number in range(ROUNDS):
        _have_working(bot.execution, number)
        left, began = len(exchange.canceled), time.perf_counter()
        bot.halt("measured")
        sent = len(exchange.submitted)
        bot.execution.stage.pursue([target("1", sequence=number + 1)])
        refusals.append(time.perf_counter() - began)
        for _ in range(TURNS_MAX):
            if len(exchange.canceled) - left >= WORKING:
                break
            await asyncio.sleep(0)
        dispatches.append(time.perf_counter() - began)
        if len(exchange.submitted) != sent or len(exchange.canceled) - left < WORKING:
            raise RuntimeError("the kill switch does not work: there is nothing to measure")
        await _end_all(bot.execution, exchange, confirms=confirms)
        trading.lift_reason("operator", "halt")
        await asyncio.sleep(0.02)
    with contextlib.suppress(ExceptionGroup):
        await container.shutdown_resources()
    journal.close()
    return refusals, dispatches


def _have_working(execution, number):
    """Have the exchange hold 200 resting buys."""
    from app.domain.events import OrderAccepted
    from tests.builders import BTC, START_NS, limit

    for place in range(WORKING):
        name = f"r{number}-{place}"
        # Of the target that comes next, or the planner would cancel them before the halt does.
        execution.stage.books.tracker.intend(limit(name, price="90", target_sequence=number + 1))
        execution.stage.books.tracker.sent(name)
        execution.stage.books.tracker.apply(OrderAccepted(name, name, BTC, START_NS))


async def _end_all(execution, exchange, *, confirms):
    """Have the cancels confirmed; an exchange that answers nothing has done so only when the round is over."""
    from app.domain.events import OrderCanceled
    from tests.builders import BTC, START_NS

    if not confirms:
        await asyncio.sleep(0.02)
    working = [tracked.order.client_order_id for tracked in execution.stage.books.tracker.all_working()]
    exchange.tell(*(OrderCanceled(name, BTC, START_NS, "asked") for name in working))
    for _ in range(TURNS_MAX):
        await asyncio.sleep(0)
    if execution.stage.books.tracker.all_working():
        raise RuntimeError("confirmed cancels were not taken in")
