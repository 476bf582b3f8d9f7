"""What the runtime coordinator does: the pump, its order, its end, and the trading state."""

import asyncio
from contextlib import suppress

import pytest

from app.coordinators import RuntimeCoordinator
from app.coordinators.execution_stage import ExecutionStage
from app.domain.events import Severity, Timer
from app.domain.trading_state import TradingLevel
from app.lifecycle import HealthState, NotStarted, TaskState
from app.telemetry import RunFigures
from app.timing import run_virtual
from tests.builders import BTC, mark, quote, target
from tests.settling import settle


async def test_each_event_goes_to_execution_then_strategy_then_execution_then_telemetry(container, exchange, mocker):
    calls, told = [], mark("100")

    def note(name, answer=None):
        return lambda *what: (calls.append((name, what[-1])), answer)[1]

    mocker.patch.object(ExecutionStage, "pursue", note("pursue"))
    mocker.patch.object(RunFigures, "observe", note("observe"))
    await container.init_resources()
    await settle()
    bot = container.bot()
    bot.execution.stage.takes[type(told)] = note("take")
    bot.strategy.asks[type(told)] = note("ask", (target(),))
    calls.clear()

    exchange.tell(told)
    await settle()

    assert calls == [("take", told), ("ask", told), ("pursue", (target(),)), ("observe", told)]
    await container.shutdown_resources()


async def test_the_clock_follows_the_stream(bot, container, exchange):
    exchange.tell(mark("100", 5))
    await settle()
    assert container.clock().now_ns == mark("100", 5).time_ns


async def test_quotes_alone_make_the_guards_look_once_a_second(bot, exchange, mocker):
    asked = mocker.spy(bot.execution.stage._risk, "on_timer")
    exchange.tell(quote("99", "101", 2), quote("99", "101", 2.5), quote("99", "101", 3.5))
    await settle()
    assert asked.call_count == 2


async def test_the_end_of_the_stream_asks_for_a_stop(bot, container, exchange):
    exchange.end()
    await settle()
    assert container.stop_request().reason == "stream ended"


async def test_an_event_that_a_stage_cannot_take_in_stops_the_bot(bot, container, exchange, mocker):
    """The books would be in doubt: the pump is not restarted, and the run ends with the code of a critical failure."""
    bot.execution.stage.takes[type(mark("1"))] = mocker.Mock(side_effect=ArithmeticError("broken"))
    exchange.tell(mark("100"))
    await settle()

    report = await bot.health()
    [pump] = [task for task in report.tasks if task.name == "runtime.pump"]
    assert pump.state is TaskState.EXHAUSTED
    assert (report.alive, report.ready) == (False, False)
    assert container.stop_request().exit_code == 5


async def test_reasons_are_journalled_once_and_survive_a_restart(bot, container, journal):
    trading = container.registry.context.trading_state
    for _ in range(2):
        trading.raise_reason("risk", "drawdown", Severity.HALTED, "lost", latched=True)
    trading.clear_reason("risk", "drawdown")

    assert trading.current.level is TradingLevel.HALTED
    assert [reason.code for reason in journal.crashed().recovered().reasons] == ["drawdown"]


async def test_a_state_that_cannot_be_journalled_binds_all_the_same(bot, container, journal):
    journal.fail("disk full")
    trading = container.registry.context.trading_state
    trading.raise_reason("operator", "halt", Severity.HALTED, "by hand")
    assert trading.current.level is TradingLevel.HALTED


def test_a_live_exchange_gets_a_timer_every_second(container, exchange, mocker):
    posted = mocker.spy(RuntimeCoordinator, "post")

    async def ten_seconds():
        exchange.is_virtual = False
        await container.init_resources()
        await asyncio.sleep(10.5)
        await container.shutdown_resources()

    run_virtual(ten_seconds())
    assert [isinstance(call.args[1], Timer) for call in posted.call_args_list].count(True) == 10


def test_timers_break_no_silence(container, exchange):
    """An exchange that has been silent for too long restricts trading, also from the first moment on."""

    async def main():
        held = []

        async def look_after(seconds):
            await asyncio.sleep(seconds)
            state = container.registry.context.trading_state.current
            held.append(state.holds("system_monitor", "stream_silent"))

        exchange.is_virtual = False
        await container.init_resources()
        await look_after(20)
        await look_after(20)
        exchange.tell(mark("100"))
        await look_after(2)
        await look_after(40)
        await container.shutdown_resources()
        return held

    assert run_virtual(main()) == [False, True, False, True]


async def test_health_tells_how_much_came_in(bot, exchange):
    exchange.tell(mark("100"))
    await settle()
    status = await bot.runtime.health_check()
    assert (status.state, status.details["stream"]) == (HealthState.HEALTHY, "open")
    assert bot.runtime.events >= 1


async def test_coordinators_are_there_only_while_the_bot_is_up(container):
    bot = container.bot()
    with pytest.raises(NotStarted):
        _ = bot.runtime
    await container.init_resources()
    assert bot.runtime.context.instruments[BTC].symbol == BTC
    await container.shutdown_resources()
    with pytest.raises(NotStarted):
        _ = bot.runtime


async def test_a_price_that_is_none_reaches_nobody_and_none_is_trusted_until_one_comes(container, exchange):
    """A venue in real time: neither books nor guards see the mark of zero, and it is told once."""
    exchange.is_virtual = False
    await container.init_resources()
    context, books = container.registry.context, container.bot().execution.stage.books
    exchange.tell(mark("100"))
    await settle()
    exchange.tell(mark("0"), mark("NaN"), quote("101", "99"))
    await settle()
    assert (context.portfolio.mark(BTC), books.mark_ns(BTC), books.spread(BTC)) == (100, None, None)
    exchange.tell(mark("101"))
    await settle()
    assert (context.portfolio.mark(BTC), books.mark_ns(BTC)) == (101, mark("101").time_ns)
    with suppress(ExceptionGroup):
        await container.shutdown_resources()
