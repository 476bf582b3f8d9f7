"""The kill switch and the operator's other commands, on a scripted exchange."""

import asyncio
from decimal import Decimal

import pytest
from dependency_injector import providers

from app.container import Container
from app.domain.events import (
    CancelRejected,
    FlattenCommand,
    HaltCommand,
    InstrumentChanged,
    OrderAccepted,
    OrderCanceled,
    ReasonCleared,
    ReasonRaised,
    ResumeCommand,
    Severity,
)
from app.domain.order import OrderStatus, Purpose, Side
from app.domain.position import Position
from app.domain.records import CancelIntended, OrderDenied
from app.domain.trading_state import TradingLevel
from app.lifecycle import Deadlines, NotStarted
from app.ports.control import Request
from app.ports.exit_codes import ExitCode
from app.risk import RiskEngine
from app.settings import load_settings
from app.settings.models import RiskSettings
from tests.builders import BTC, ETH, START_NS, fill, instrument, limit, mark, order_record, target
from tests.fakes.exchange import FakeExchange
from tests.fakes.journal import FakeJournal
from tests.settling import settle

LONG = Decimal("0.5")
STILL = "still working, and asked for again until the exchange confirms"
NAMED = "--profile benchmark --set storage.backend=sqlite"
"""How the bot of these tests is reached."""


@pytest.fixture
async def ready(bot, exchange):
    """A bot that knows the mark of BTC: 100."""
    exchange.tell(mark("100"))
    await settle()
    return bot


@pytest.fixture
def trading(ready, container):
    return container.registry.context.trading_state


def filled_of(sent, trade_id, price="100", contracts=None):
    return fill(trade_id, sent.side, contracts or sent.contracts, price, "0", client_order_id=sent.client_order_id)


def canceled_of(client_order_id):
    return OrderCanceled(client_order_id, BTC, START_NS, "asked")


async def half_filled(bot, exchange):
    """Have 0.5 of a wanted 0.9 BTC bought, protected by a stop, the rest of the entry at work; return both orders."""
    bot.execution.stage.pursue([target("0.9", stop=Decimal(90))])
    entry = exchange.submitted[-1]
    exchange.tell(OrderAccepted(entry.client_order_id, "V1", BTC, START_NS), filled_of(entry, "t1", contracts=LONG))
    await settle()
    stop = exchange.submitted[-1]
    assert (stop.purpose, stop.contracts) == (Purpose.STOP_LOSS, LONG)
    return entry, stop


async def confirms(exchange):
    """Have the exchange confirm each cancel that it is asked for."""
    cancel = exchange.cancel

    def confirm(order, reason):
        cancel(order, reason)
        exchange.tell(canceled_of(order.client_order_id))

    exchange.cancel = confirm


def ask(bot, command, **fields):
    return bot.runtime._desk.answer(Request(command, **({"wait_s": 0.2} | fields)))


# -- halt -------------------------------------------------------------------------------------------------------


async def test_a_halt_binds_in_the_call_itself(ready, exchange, trading, journal):
    """No event has been handled yet, and an order that would grow is refused already."""
    ready.halt("cable on fire")

    assert trading.current.level is TradingLevel.HALTED
    ready.execution.stage.pursue([target(LONG)])
    assert exchange.submitted == []
    [denied] = journal.of(OrderDenied)
    assert (denied.rule, denied.value) == ("trading_state", "halted (operator:halt)")


async def test_a_halt_is_a_command_on_the_stream_and_on_record(ready, journal):
    ready.halt("cable on fire")
    await settle()

    [raised] = [reason for reason in journal.of(ReasonRaised) if reason.owner == "operator"]
    assert (raised.code, raised.severity, raised.detail, raised.latched) == (
        "halt",
        Severity.HALTED,
        "cable on fire",
        True,
    )
    assert [command.reason for command in journal.of(HaltCommand)] == ["cable on fire"]


async def test_a_halt_cancels_what_grows_and_keeps_what_protects(ready, exchange):
    entry, stop = await half_filled(ready, exchange)

    ready.halt()
    await settle()

    assert exchange.canceled == [entry.client_order_id]
    assert stop.client_order_id not in exchange.canceled


async def test_a_halt_holds_when_the_store_fails_and_its_cancels_leave(ready, exchange, trading, journal):
    entry, _ = await half_filled(ready, exchange)
    journal.fail("the disk is full")

    reply = await ask(ready, "halt")

    assert trading.current.level is TradingLevel.HALTED
    assert exchange.canceled[0] == entry.client_order_id
    assert reply.code is ExitCode.UNCLEAN_STOP
    assert "this halt is not on record and ends with the process: the disk is full" in reply.lines


async def test_an_order_that_waits_for_the_store_when_the_halt_comes_never_leaves(container, exchange):
    journal = FakeJournal()
    container.journal.override(providers.Object(journal))
    await container.init_resources()
    exchange.tell(mark("100"))
    await settle()
    journal.delayed = True
    container.bot().execution.stage.pursue([target(LONG)])
    assert len(container.bot().execution.stage.growing()) == 1

    container.bot().halt()
    journal.commit()
    await settle()

    assert exchange.submitted == []
    assert container.bot().execution.stage.growing() == []
    await container.shutdown_resources()


async def test_the_reply_to_a_halt_says_what_still_works_and_what_is_held(ready, exchange):
    """The exchange answers nothing."""
    await half_filled(ready, exchange)

    reply = await ask(ready, "halt")

    assert reply.code is ExitCode.UNCLEAN_STOP
    assert reply.lines == (
        f"trading is halted: nothing grows until python -m app resume {NAMED}",
        f"{STILL}: buy 0.4 BTC/USDT:USDT market (partially_filled)",
        f"kept; python -m app flatten {NAMED} closes them: 0.5 BTC/USDT:USDT, its stop not confirmed yet",
    )


async def test_a_halt_is_done_when_the_exchange_has_confirmed(ready, exchange):
    await half_filled(ready, exchange)
    await confirms(exchange)

    reply = await ask(ready, "halt")

    assert reply.code is ExitCode.CLEAN
    assert not ready.execution.stage.growing()


async def test_a_halt_is_done_when_it_survives_the_process(container):
    """Whoever was told that trading is halted finds it halted, should the bot die in the next moment."""
    journal = FakeJournal()
    container.journal.override(providers.Object(journal))
    await container.init_resources()
    journal.delayed = True
    desk = container.bot().runtime._desk

    early = await desk.answer(Request("halt", wait_s=0))
    assert early.code is ExitCode.UNCLEAN_STOP
    assert "this halt is not on record yet: should the process die now, halt its next start" in early.lines

    late = asyncio.ensure_future(desk.answer(Request("halt", wait_s=5)))
    await settle()
    assert not late.done()
    journal.commit()
    assert (await late).code is ExitCode.CLEAN
    journal.delayed = False
    await container.shutdown_resources()


async def test_a_second_halt_asks_for_a_rejected_cancel_at_once(ready, exchange):
    entry, _ = await half_filled(ready, exchange)
    ready.halt()
    await settle()
    exchange.tell(CancelRejected(entry.client_order_id, BTC, START_NS, "busy"))
    await settle()

    ready.halt("again")
    await settle()

    assert exchange.canceled == [entry.client_order_id] * 2


async def test_many_orders_are_named_up_to_a_bound(ready, exchange, container):
    """Thirty orders work: twenty are named, ten are counted."""
    tracker = ready.execution.stage.books.tracker
    for number in range(30):
        tracker.intend(limit(f"o{number}", price="90"))
        tracker.sent(f"o{number}")

    reply = await ask(ready, "halt", wait_s=0)

    assert (len(reply.lines), reply.lines[-1]) == (1 + 20 + 1, "and 10 more")


async def test_a_bot_that_is_not_up_cannot_be_halted_by_a_call(container):
    with pytest.raises(NotStarted):
        container.bot().halt()


# -- asking again -----------------------------------------------------------------------------------------------


@pytest.fixture
def later(ready, mocker):
    """Move the clock that cancels are asked again by, and have the asking happen."""
    now = mocker.patch("app.coordinators.growth_canceller.now_s", return_value=100.0)

    def pass_s(seconds):
        now.return_value += seconds
        ready.execution.stage.growth.press()

    return pass_s


async def test_a_cancel_that_nobody_answers_is_asked_for_again_each_period(ready, exchange, later):
    """The period is one second."""
    entry, _ = await half_filled(ready, exchange)
    ready.halt()
    await settle()

    later(0.5)
    assert exchange.canceled == [entry.client_order_id]
    later(0.5)
    later(0.5)
    later(0.5)
    assert exchange.canceled == [entry.client_order_id] * 3

    exchange.tell(canceled_of(entry.client_order_id))
    await settle()
    later(1)
    later(1)
    assert exchange.canceled == [entry.client_order_id] * 3


async def test_a_cancel_that_was_rejected_is_asked_for_again(ready, exchange, later, journal):
    entry, _ = await half_filled(ready, exchange)
    ready.halt()
    await settle()
    exchange.tell(CancelRejected(entry.client_order_id, BTC, START_NS, "busy"))
    await settle()

    later(1)

    assert exchange.canceled == [entry.client_order_id] * 2
    assert len(journal.of(CancelIntended)) == 1


async def test_asking_goes_on_by_itself(container, exchange):
    """With a period of a millisecond, the background task asks again without anybody's help."""
    settings = container.settings()
    execution = settings.execution.model_copy(update={"cancel_retry_every_s": 0.001})
    container.settings.override(providers.Object(settings.model_copy(update={"execution": execution})))
    await container.init_resources()
    exchange.tell(mark("100"))
    await settle()
    entry, _ = await half_filled(container.bot(), exchange)

    reply = await ask(container.bot(), "halt", wait_s=0.1)

    assert reply.code is ExitCode.UNCLEAN_STOP
    assert exchange.canceled[:3] == [entry.client_order_id] * 3
    with pytest.raises(ExceptionGroup):
        await container.shutdown_resources()


async def test_a_restart_is_still_halted_and_cancels_what_the_halted_run_left(container, exchange, journal):
    await container.init_resources()
    exchange.tell(mark("100"))
    await settle()
    container.bot().execution.stage.pursue([target(LONG)])
    [entry] = exchange.submitted
    container.bot().halt("cable on fire")
    crashed = journal.crashed()
    with pytest.raises(ExceptionGroup):
        await container.shutdown_resources()

    exchange.canceled.clear()
    exchange.working = (order_record(entry, OrderStatus.OPEN),)
    exchange.known[entry.client_order_id] = exchange.working[0]
    container.journal.override(providers.Object(crashed))
    await container.init_resources()
    await settle()

    trading = container.registry.context.trading_state.current
    assert (trading.level, trading.latched[0].detail) == (TradingLevel.HALTED, "cable on fire")
    assert exchange.canceled == [entry.client_order_id]
    with pytest.raises(ExceptionGroup):
        await container.shutdown_resources()


# -- resume -----------------------------------------------------------------------------------------------------


async def test_resuming_takes_two_steps(ready, exchange, trading, journal):
    ready.halt("cable on fire")

    shown = await ask(ready, "resume")
    assert shown.lines == ("would be lifted: halted by operator:halt (cable on fire)",)
    assert (shown.code, trading.current.level) == (ExitCode.UNCLEAN_STOP, TradingLevel.HALTED)

    done = await ask(ready, "resume", token=shown.token)
    assert done.lines == ("lifted: halted by operator:halt (cable on fire)", "trading is active")
    assert (done.code, trading.current.level) == (ExitCode.CLEAN, TradingLevel.ACTIVE)
    ready.execution.stage.pursue([target(LONG)])
    assert [sent.side for sent in exchange.submitted] == [Side.BUY]
    assert [command.reasons for command in journal.of(ResumeCommand)] == [(("operator", "halt"),)]
    assert journal.crashed().recovered().reasons == ()


async def test_a_token_lifts_no_halt_that_came_after_it(ready, trading):
    """Whoever lifts must have seen what holds: the second halt has a reason of its own."""
    ready.halt("first")
    shown = await ask(ready, "resume")
    ready.halt("second")
    refused = await ask(ready, "resume", token=shown.token)
    assert refused.lines[0].startswith("nothing was resumed")
    assert trading.current.level is TradingLevel.HALTED
    assert (await ask(ready, "resume")).lines == ("would be lifted: halted by operator:halt (second)",)


async def test_a_wrong_or_old_token_resumes_nothing(ready, trading):
    ready.halt()
    shown = await ask(ready, "resume")
    ready.runtime._desk._wall_s = lambda: 0.0

    for token in ("wrong", shown.token):
        refused = await ask(ready, "resume", token=token)
        assert refused.code is ExitCode.UNCLEAN_STOP
        assert refused.lines[0].startswith("nothing was resumed: the token is not valid")
    assert trading.current.level is TradingLevel.HALTED


async def test_only_what_is_latched_is_lifted(ready, trading):
    trading.raise_reason("system_monitor", "disk_full", Severity.REDUCE_ONLY, "1 MB free")
    nothing = await ask(ready, "resume")
    assert nothing.code is ExitCode.CLEAN
    assert nothing.lines == (
        "nothing is latched: there is nothing to resume",
        "trading is reduce_only",
        "reduce_only by system_monitor:disk_full (1 MB free)",
    )

    ready.halt()
    done = await ask(ready, "resume", token=(await ask(ready, "resume")).token)

    assert done.code is ExitCode.CLEAN
    assert [reason.code for reason in trading.current.reasons] == ["disk_full"]


async def test_a_guard_whose_limit_is_still_passed_halts_again(container, exchange):
    """Ten BTC bought at 1000, marked at 700: equity falls from 10,000 to 7,000, drawdown limit 20 %."""
    container.risk.override(providers.Factory(RiskEngine, RiskSettings()))
    await container.init_resources()
    ready, trading = container.bot(), container.registry.context.trading_state
    exchange.tell(mark("1000"), fill("t1", Side.BUY, "10", "1000", client_order_id=None), mark("1000"), mark("700"))
    await settle()
    assert trading.current.holds("risk", "drawdown")
    [drawdown] = trading.current.latched

    reply = await ask(ready, "resume", token=(await ask(ready, "resume")).token)

    assert reply.code is ExitCode.UNCLEAN_STOP
    assert "raised again, its limit is still passed: halted by risk:drawdown" in reply.lines[0]
    assert trading.current.holds("risk", "drawdown")
    assert [reason.detail for reason in trading.current.latched] == [drawdown.detail]
    await container.shutdown_resources()


async def test_a_guard_is_lifted_while_no_bot_runs_and_raises_its_reason_again_at_the_start(
    container, exchange, journal
):
    """The same loss. The reason was cleared in the journal, the guards' memory still has it as raised."""
    container.risk.override(providers.Factory(RiskEngine, RiskSettings()))
    await container.init_resources()
    exchange.tell(mark("1000"), fill("t1", Side.BUY, "10", "1000", client_order_id=None), mark("1000"), mark("700"))
    await settle()
    exchange.held = (Position(BTC, Decimal(10), Decimal(10000)),)
    await container.shutdown_resources()
    journal.append(ReasonCleared(time_ns=START_NS, owner="risk", code="drawdown"))

    container.journal.override(providers.Object(journal.crashed()))
    await container.init_resources()
    assert not container.registry.context.trading_state.current.holds("risk", "drawdown")
    exchange.tell(mark("700"))
    await settle()

    assert container.registry.context.trading_state.current.holds("risk", "drawdown")
    await container.shutdown_resources()


async def test_a_latched_reason_is_lifted_by_nobody_but_the_operator(ready, trading):
    ready.halt()
    trading.raise_reason("risk", "daily_loss", Severity.HALTED, "lost")

    trading.clear_reason("operator", "halt")
    trading.lift_reason("risk", "daily_loss")
    trading.lift_reason("risk", "never_raised")

    assert [reason.code for reason in trading.current.reasons] == ["halt", "daily_loss"]


# -- flatten ----------------------------------------------------------------------------------------------------


async def test_flatten_closes_reduce_only_and_voids_the_target(ready, exchange, journal):
    entry, _ = await half_filled(ready, exchange)
    await confirms(exchange)
    submit = exchange.submit

    def fills(order):
        submit(order)
        exchange.tell(filled_of(order, "t2"))

    exchange.submit = fills

    reply = await ask(ready, "flatten")

    exit_order = exchange.submitted[-1]
    assert (exit_order.side, exit_order.contracts, exit_order.reduce_only) == (Side.SELL, LONG, True)
    assert entry.client_order_id in exchange.canceled
    assert (reply.code, reply.lines) == (
        ExitCode.CLEAN,
        ("flat: nothing is held, nothing that can grow works", "trading is active"),
    )
    assert [command.symbols for command in journal.of(FlattenCommand)] == [(BTC,)]
    ready.execution.stage.pursue([target("0.9")])
    assert exchange.submitted[-1] is exit_order


async def test_the_reply_to_a_halt_says_what_protects_a_position(ready, exchange):
    _, stop = await half_filled(ready, exchange)
    exchange.tell(OrderAccepted(stop.client_order_id, "V2", BTC, START_NS))
    await settle()
    assert (await ask(ready, "halt")).lines[-1].endswith("0.5 BTC/USDT:USDT, its stop at work")
    exchange.tell(canceled_of(stop.client_order_id))
    ready.execution.stage.pursue([target("0.5", sequence=2)])
    await settle()
    assert (await ask(ready, "halt")).lines[-1].endswith("0.5 BTC/USDT:USDT, without a stop")


async def test_a_flatten_of_one_symbol_says_what_is_held_in_others(container):
    exchange = FakeExchange(instrument(), instrument(symbol=ETH))
    container.exchange.override(providers.Object(exchange))
    await container.init_resources()
    exchange.tell(mark("100"), mark("100", symbol=ETH))
    await settle()
    execution = container.bot().execution
    execution.stage.pursue([target("0.9")])
    exchange.tell(filled_of(exchange.submitted[-1], "t1", contracts=LONG))
    await confirms(exchange)

    reply = await ask(container.bot(), "flatten", symbol=ETH)

    assert reply.lines[:2] == (
        "flat in ETH/USDT:USDT: nothing is held, nothing that can grow works",
        "still held: 0.5 BTC/USDT:USDT",
    )
    await container.shutdown_resources()


async def test_flatten_works_while_halted_and_says_what_is_left(ready, exchange):
    """The exchange answers nothing: the position and the entry's cancel are named."""
    await half_filled(ready, exchange)
    ready.halt()

    reply = await ask(ready, "flatten", symbol=BTC, wait_s=0.1)

    assert (exchange.submitted[-1].purpose, exchange.submitted[-1].reduce_only) == (Purpose.EXIT, True)
    assert reply.code is ExitCode.UNCLEAN_STOP
    assert reply.lines == (
        "left; the bot goes on closing it: 0.5 BTC/USDT:USDT",
        "left; the bot goes on closing it: buy 0.4 BTC/USDT:USDT market (partially_filled)",
        "trading is halted",
        "halted by operator:halt (halted by hand)",
    )


async def test_a_flatten_says_what_is_less_than_a_lot(ready, exchange):
    """0.5 are held when the lot becomes 0.4: 0.4 are sold, and there is nothing to wait for."""
    ready.execution.stage.pursue([target(LONG)])
    exchange.tell(filled_of(exchange.submitted[-1], "t1"), InstrumentChanged(instrument(lot_size="0.4"), START_NS))
    await settle()
    asked = asyncio.create_task(ask(ready, "flatten", symbol=BTC, wait_s=60))
    await settle()
    exchange.tell(filled_of(exchange.submitted[-1], "t2"))

    reply = await asked

    assert reply.code is ExitCode.UNCLEAN_STOP
    assert reply.lines[0] == f"stays, for it is less than a lot: 0.1 {BTC}"


async def test_an_entry_that_fills_after_a_flatten_is_closed_too(ready, exchange):
    """Nothing is held yet, an entry works; its fill is already on its way when the operator flattens."""
    ready.execution.stage.pursue([target(LONG)])
    [entry] = exchange.submitted

    await ask(ready, "flatten", wait_s=0.1)
    exchange.tell(filled_of(entry, "t1"))
    await settle()

    assert exchange.canceled == [entry.client_order_id]
    closing = exchange.submitted[-1]
    assert (closing.side, closing.contracts, closing.reduce_only) == (Side.SELL, LONG, True)


async def test_an_exit_that_was_refused_is_tried_again_though_the_stop_still_works(ready, exchange):
    _, stop = await half_filled(ready, exchange)
    await ask(ready, "flatten", wait_s=0)
    await settle()
    first = exchange.submitted[-1]
    exchange.tell(canceled_of(first.client_order_id), mark("99"))
    await settle()

    again = exchange.submitted[-1]
    assert (again.purpose, again.contracts) == (Purpose.EXIT, LONG)
    assert again is not first
    assert stop.client_order_id not in exchange.canceled


async def test_a_position_that_no_strategy_wanted_is_closed(ready, exchange):
    exchange.tell(fill("t1", Side.BUY, LONG, "100", client_order_id=None))
    exchange.held = (Position(BTC, LONG, Decimal(50)),)
    await settle()

    await ask(ready, "flatten", wait_s=0.1)

    [closing] = exchange.submitted
    assert (closing.strategy_id, closing.side, closing.contracts) == ("operator", Side.SELL, LONG)


async def test_a_symbol_that_is_not_traded_is_refused(ready):
    reply = await ask(ready, "flatten", symbol="DOGE/USDT:USDT")
    assert reply.code is ExitCode.USAGE
    assert reply.lines == ("DOGE/USDT:USDT is not traded here: use one of BTC/USDT:USDT",)


@pytest.mark.parametrize(("command", "fields"), [("flatten", {}), ("resume", {"token": True})])
async def test_a_command_that_the_stream_does_not_take_is_not_called_done(ready, mocker, command, fields):
    ready.halt()
    await settle()
    if fields:
        fields = {"token": (await ask(ready, "resume")).token}
    mocker.patch.object(ready.runtime._desk, "_post")

    reply = await ask(ready, command, wait_s=0.05, **fields)

    assert reply.code is ExitCode.UNCLEAN_STOP
    assert reply.lines[0].startswith("the bot did not take the command from its stream")


async def test_commands_are_ordered_with_everything_else(ready, container):
    facts = []
    container.registry.context.facts.subscribe(facts.append)

    ready.halt()
    ready.runtime.post(FlattenCommand(START_NS, (BTC,)))
    await settle()

    assert [type(fact) for fact in facts] == [HaltCommand, ReasonRaised, FlattenCommand]


# -- the control surface ----------------------------------------------------------------------------------------


class Surface:
    """Somewhere that a test speaks with the bot, or that fails."""

    def __init__(self, error=None):
        self.error = error
        self.answer = None

    async def serve(self, answer):
        if self.error is not None:
            raise self.error
        self.answer = answer
        await asyncio.Event().wait()


async def test_the_control_surface_is_served_while_the_bot_is_up(container, exchange):
    surface = Surface()
    container.control.override(providers.Object(surface))
    await container.init_resources()
    await settle()

    reply = await surface.answer(Request("halt"))

    assert reply.code is ExitCode.CLEAN
    assert container.registry.context.trading_state.current.holds("operator", "halt")
    await container.shutdown_resources()


async def test_the_control_surface_is_still_there_while_the_stop_waits_for_the_exchange(container, exchange):
    """The drain waits for a cancel that the exchange does not confirm."""
    surface = Surface()
    container.control.override(providers.Object(surface))
    container.deadlines.override(providers.Object(Deadlines(drain_s=5)))
    await container.init_resources()
    exchange.tell(mark("100"))
    await settle()
    entry, stop = await half_filled(container.bot(), exchange)
    exchange.tell(OrderAccepted(stop.client_order_id, "V2", BTC, START_NS))
    stopping = asyncio.ensure_future(container.shutdown_resources())
    await settle()
    assert exchange.canceled == [entry.client_order_id]

    reply = await surface.answer(Request("halt", wait_s=0))

    assert reply.code is ExitCode.UNCLEAN_STOP
    assert container.registry.context.trading_state.current.holds("operator", "halt")
    exchange.tell(canceled_of(entry.client_order_id))
    await stopping


async def test_a_bot_whose_control_surface_fails_trades_on_degraded(container):
    container.control.override(providers.Object(Surface(OSError("read-only file system"))))
    await container.init_resources()
    await settle()

    report = await container.health()
    [task] = [task for task in report.tasks if task.name == "runtime.control"]
    assert task.last_error == "OSError: read-only file system"
    assert (report.alive, report.ready) == (True, True)
    await container.shutdown_resources()


def test_only_a_bot_that_keeps_state_has_a_socket(tmp_path):
    keeps = Container(loaded=load_settings("simulated", [f"storage.folder={tmp_path}"]))
    assert keeps.control().path == tmp_path / "control.sock"
    assert Container(loaded=load_settings("benchmark", [f"storage.folder={tmp_path}"])).control() is None
