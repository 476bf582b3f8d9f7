"""What people are told: log lines, figures, health file, live view, summary."""

import io
import json
from decimal import Decimal

import msgspec
import pytest
from loguru import logger
from rich.console import Console

from app.domain.events import (
    FlattenCommand,
    HaltCommand,
    InstrumentChanged,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderUnknown,
    ReasonCleared,
    ReasonRaised,
    ResumeCommand,
    Severity,
    StreamReset,
)
from app.domain.order import Side
from app.domain.records import (
    DayClosed,
    DustHeld,
    EventLeftOut,
    HealthChanged,
    MemoryLost,
    Mismatch,
    OrderDenied,
    OrderIntended,
    SettingsChanged,
    StrategySetAside,
)
from app.lifecycle import RunResult
from app.ports.exit_codes import ExitCode
from app.risk import UNSEEN
from app.telemetry import (
    FactBus,
    FactLog,
    HealthFile,
    LiveView,
    LogTail,
    MetricStore,
    RunFigures,
    RunSummary,
    configure_logs,
)
from app.telemetry.pictures import picture
from app.telemetry.status import bot_status
from tests.builders import BTC, START_NS, bar, fill, funding_paid, instrument, limit, mark, target
from tests.settling import settle


@pytest.fixture
def lines():
    """What is logged while a test runs."""
    sink = io.StringIO()
    configure_logs("DEBUG", as_json=False, sink=sink)
    yield lambda: sink.getvalue().splitlines()
    logger.remove()


# -- log --------------------------------------------------------------------------------------------------------

AT = START_NS
MISMATCH = Mismatch(kind="position", symbol=BTC, ours="", theirs="1", action="reported", time_ns=AT)


def restricted(owner, severity):
    return ReasonRaised(time_ns=AT, owner=owner, code="code", severity=severity, detail="why")


FACTS = [
    (target("0.5", reason="crossed"), "INFO", "target 0.5 at=2026-01-01T00:00:00Z strategy=trend symbol=BTC/USDT:USDT"),
    (OrderIntended(limit(), AT), "INFO", "order buy 1 limit at=2026-01-01T00:00:00Z id=o1"),
    (OrderDenied(limit(), AT, "leverage", "7", "5"), "WARNING", "order denied by risk"),
    (OrderRejected("o1", BTC, AT, "no"), "WARNING", "order rejected by the exchange"),
    (OrderUnknown("o1", BTC, AT, "timed out"), "ERROR", "order outcome unknown: it is being asked for"),
    (OrderCanceled("o1", BTC, AT, "asked"), "INFO", "order canceled"),
    (OrderExpired("o1", BTC, AT, "over"), "INFO", "order expired"),
    (fill(side=Side.SELL), "INFO", "fill sell 1"),
    (fill(liquidation=True, client_order_id=None), "WARNING", "liquidation buy 1"),
    (funding_paid("-1.5"), "INFO", "funding paid 1.5 USDT"),
    (funding_paid("1.5"), "INFO", "funding received 1.5 USDT"),
    (restricted("risk", Severity.HALTED), "ERROR", "trading restricted to halted"),
    (restricted("risk", Severity.REDUCE_ONLY), "WARNING", "trading restricted to reduce_only"),
    (restricted("lifecycle", Severity.REDUCE_ONLY), "INFO", "trading restricted to reduce_only at="),
    (ReasonCleared(time_ns=AT, owner="risk", code="x"), "INFO", "trading restriction lifted"),
    (MISMATCH, "ERROR", "differ in position"),
    (HaltCommand(AT, "cable on fire"), "WARNING", "the operator halted trading at="),
    (ResumeCommand(AT, (("operator", "halt"),)), "WARNING", "the operator resumed trading at="),
    (FlattenCommand(AT, (BTC,)), "WARNING", "the operator closes positions at="),
    (StreamReset(AT, "lost"), "WARNING", "stream was interrupted"),
    (InstrumentChanged(instrument(tick_size="5"), AT), "INFO", f"{BTC} is listed anew: its tick is 5, its lot 0.001"),
    (InstrumentChanged(instrument(is_listed=False), AT), "INFO", f"{BTC} is listed no more"),
    (EventLeftOut(AT, "a fill without a price"), "WARNING", "left out what cannot be true"),
    (DayClosed(day="2026-01-01", equity_start=Decimal(5), equity_end=Decimal(7), time_ns=AT), "INFO", "day closed 2"),
    (SettingsChanged("valid, restart to apply"), "INFO", "a settings file changed verdict=valid, restart to apply"),
    (MemoryLost(AT, "what was wanted of X", "no"), "WARNING", "what was wanted of X cannot be read: going on"),
    (DustHeld(BTC, Decimal("0.2"), Decimal("0.3"), AT), "WARNING", f"0.2 {BTC} are held beyond whole lots of 0.3"),
    (HealthChanged(("execution",)), "ERROR", "unhealthy parts=execution"),
    (HealthChanged(()), "INFO", "all parts are healthy or degraded again"),
]  # fmt: skip


@pytest.mark.parametrize(("fact", "level", "words"), FACTS, ids=[words for _, _, words in FACTS])
def test_a_fact_is_a_line(lines, fact, level, words):
    FactLog(orders=True)(fact)
    [line] = lines()
    assert f"{level: <7}" in line
    assert words in line


def test_a_mark_that_has_not_come_yet_is_no_warning(lines):
    """It belongs to every start with a position; one that has come and is old is a warning."""
    log = FactLog(orders=True)
    stale = ReasonRaised(
        time_ns=AT, owner="risk", code="mark_stale", severity=Severity.REDUCE_ONLY, detail=f"{UNSEEN} {BTC}, limit 9 s"
    )
    log(stale)
    log(msgspec.structs.replace(stale, detail="a mark is 10.0 s old, limit 9 s"))
    first, second = lines()
    assert "INFO" in first
    assert "WARNING" in second


def test_a_strategy_that_is_set_aside_is_an_error_with_advice_and_its_traceback_is_in_the_file(lines, tmp_path):
    """Whatever level the terminal has; what is shown there is for the operator, the traceback for the author."""
    file = tmp_path / "bot.log"
    shown = io.StringIO()
    configure_logs("WARNING", as_json=False, sink=shown, file=file)
    FactLog(orders=False)(
        StrategySetAside(time_ns=AT, strategy_id="own", symbol=BTC, error="KeyError: 'x'", traceback="File idea.py")
    )
    assert f"ERROR   strategy own of {BTC} is set aside: KeyError: 'x': mend it and start again" in shown.getvalue()
    assert "flatten closes it" in shown.getvalue()
    assert "File idea.py" not in shown.getvalue()
    assert "File idea.py" in file.read_text()


def test_orders_can_be_left_out_and_what_needs_attention_never_is(lines):
    quiet = FactLog(orders=False)
    quiet(fill())
    quiet(OrderUnknown("o1", BTC, AT, "timed out"))
    quiet("something else")
    assert len(lines()) == 1


def test_secrets_never_reach_the_log(lines):
    logger.bind(api_key="abc", symbol=BTC).info("connecting with token=xyz and password: hunter2")
    [line] = lines()
    assert not {"abc", "xyz", "hunter2"} & set(line.replace("=", " ").split())
    assert "token=***" in line
    assert BTC in line


def test_a_traceback_shows_no_values(lines):
    def fails(secret):
        raise ValueError(len(secret))

    try:
        fails("hunter2")
    except ValueError:
        logger.exception("failed")
    assert "secret = 'hunter2'" not in "\n".join(lines())


def test_lines_can_be_json_and_go_to_a_file_too(tmp_path):
    sink = io.StringIO()
    configure_logs("INFO", as_json=True, sink=sink, file=tmp_path / "bot.log")
    logger.bind(symbol=BTC).info("hello")
    logger.debug("not this")
    logger.remove()
    assert json.loads(sink.getvalue())["record"]["extra"] == {"symbol": BTC}
    assert "hello" in (tmp_path / "bot.log").read_text()


def test_one_subscriber_that_fails_harms_no_other_and_is_told_once(lines):
    bus, seen = FactBus(), []

    def broken(fact):
        raise LookupError

    bus.subscribe(broken)
    bus.subscribe(seen.append)
    bus.publish("a")
    bus.publish("b")
    assert (seen, bus.failures) == (["a", "b"], 2)
    assert len(lines()) == 1


# -- figures ----------------------------------------------------------------------------------------------------


def test_figures_count_events_and_facts():
    figures = RunFigures()
    assert (figures.bars_per_second, figures.speed, figures.elapsed_s) == (0.0, 0.0, 0.0)
    figures.observe(bar("100", 0))
    figures.observe(bar("100", 1))
    figures.observe(mark("100", 120))
    for fact in (fill(fee="2"), fill("t2", liquidation=True, fee="1"), OrderIntended(limit(), AT), funding_paid("-3")):
        figures.on_fact(fact)
    figures.on_fact(OrderDenied(limit(), AT, "r", "v", "l"))
    figures.on_fact(OrderDenied(limit(), AT, "trading_state", "halted (operator:halt)", "active"))
    figures.freeze()
    assert (figures.events, figures.bars, figures.orders, figures.fills) == (3, 2, 1, 2)
    assert (figures.funding, figures.liquidations, figures.denied) == (Decimal(-3), 1, 2)
    assert figures.denied_by == {"r": 1, "halted (operator:halt)": 1}
    assert figures.fees == {"USDT": Decimal(3)}
    assert figures.speed > 0
    assert figures.elapsed_s == figures.elapsed_s


def test_metrics_are_counted_and_set():
    metrics = MetricStore()
    metrics.count("orders")
    metrics.count("orders", 2)
    metrics.gauge("lag", 0.5)
    assert dict(metrics.read()) == {"orders": 3, "lag": 0.5}


# -- surfaces ---------------------------------------------------------------------------------------------------


async def shown(bot, container, exchange):
    """A bot that is long half a bitcoin, and its report."""
    exchange.tell(mark("100"))
    await settle()
    bot.execution.stage.pursue([target("0.5")])
    exchange.tell(fill(side=Side.BUY, contracts="0.5", client_order_id=exchange.submitted[-1].client_order_id, fee="1"))
    exchange.tell(mark("110", 1))
    await settle()
    return container.registry.context, await bot.health()


async def test_the_status_tells_the_account_exactly(bot, container, exchange):
    status = bot_status(*await shown(bot, container, exchange), RunFigures())
    assert (status.equity, status.balance, status.unrealized_pnl, status.fees) == ("10004", "9999", "5", "1")
    [position] = status.positions
    assert (position.contracts, position.average_price, position.mark, position.unrealized) == (
        "0.5",
        "100",
        "110",
        "5",
    )
    assert status.trading == "active"


async def test_the_health_file_is_whole_and_goes_with_the_bot(bot, container, exchange, tmp_path):
    surface = HealthFile(tmp_path, 1.0, RunFigures())
    surface.path.write_text("left by a bot that was killed")
    surface.open()
    assert not surface.path.exists()
    surface.show(*await shown(bot, container, exchange))
    told = json.loads(surface.path.read_bytes())
    assert told["equity"] == "10004"
    assert told["written_at"]
    assert [path.name for path in tmp_path.iterdir()] == ["health.json"]
    surface.close()
    surface.close()
    assert list(tmp_path.iterdir()) == []


async def test_the_live_view_shows_everything_at_a_glance(bot, container, exchange):
    console = Console(file=io.StringIO(), force_terminal=True, width=150, height=50)
    figures = RunFigures()
    for fact in (fill(), OrderIntended(limit(), AT)):
        figures.on_fact(fact)
    context, report = await shown(bot, container, exchange)
    bot.execution.stage.books.tracker.intend(limit())
    context.trading_state.raise_reason("operator", "halt", Severity.HALTED, "by hand")
    view = LiveView(console, 0.1, figures, LogTail())
    view.open()
    view.show(context, report)
    view.close()
    plain = Console(file=io.StringIO(), width=150, height=48)
    plain.print(picture(plain, bot_status(context, report, figures), ("a log line",)))
    text = plain.file.getvalue()
    for words in (
        "halted",
        "operator:halt (by hand)",
        "BTC/USDT:USDT",
        "10,004.00",
        "system_monitor",
        "healthy",
        "a log line",
        "intended",
        "drawdown",
        "limit",
    ):
        assert words in text


async def test_a_small_terminal_gets_whole_numbers(bot, container, exchange):
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    figures = RunFigures()
    for fact in (fill(), OrderIntended(limit(), AT)):
        figures.on_fact(fact)
    log = LogTail()
    log.write("a log line")
    view = LiveView(console, 0.1, figures, log)
    view.open()
    view.show(*await shown(bot, container, exchange))
    view.close()
    text = console.file.getvalue()
    for words in (
        "10,004.00",
        "BTC/USDT:USDT",
        "PnL 5.00",
        "average ",
        "mark ",
        "✓ system_monitor",
        "ended",
        "fee",
        "Ctrl-C",
        "a log line",
    ):
        assert words in text
    assert "\u2026" not in text


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (140, 45)], ids=str)
async def test_a_guard_near_its_limit_is_at_the_top_of_every_terminal(bot, container, exchange, size):
    """Nine tenths of a limit are near, half of one is not; what is past its limit is among the reasons already."""
    context, report = await shown(bot, container, exchange)
    status = msgspec.structs.replace(
        bot_status(context, report, RunFigures()),
        reasons=("risk:drawdown (60 below the peak, limit 50)",),
        guards={"daily_loss": "-45.00 today, limit 50.00", "drawdown": "60", "margin_ratio": "0.4000, limit 0.5"},
        nearness={"daily_loss": 0.9, "drawdown": 1.2, "margin_ratio": 0.5},
    )
    console = Console(file=io.StringIO(), width=size[0], height=size[1])
    console.print(picture(console, status, ("a log line",)))
    drawn = console.file.getvalue().splitlines()
    assert [line for line in drawn[:6] if "near its limit: daily_loss -45.00 today, limit 50.00" in line]
    assert sum("near its limit" in line for line in drawn) == 1
    assert len(drawn) <= size[1]


async def test_the_status_says_how_near_each_guard_is(bot, container, exchange):
    """Equity 10,004, deposit 10,000: no loss; the guards of the profile, none of them near."""
    status = bot_status(*await shown(bot, container, exchange), RunFigures())
    assert status.nearness.keys() == status.guards.keys()
    assert all(0 <= part < 1 for part in status.nearness.values())


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (132, 20), (132, 43), (200, 60)], ids=str)
async def test_no_terminal_loses_its_end_or_a_part_of_a_number(bot, container, exchange, size):
    """Ctrl-C is at the top; whatever is left of the rows goes to the log, its latest line last."""
    context, report = await shown(bot, container, exchange)
    console = Console(file=io.StringIO(), width=size[0], height=size[1])
    lines = tuple(f"2026-01-01T00:00:{second:02}.000Z INFO    line {second} at=then" for second in range(40))
    console.print(picture(console, bot_status(context, report, RunFigures()), lines))
    drawn = console.file.getvalue().splitlines()
    assert len(drawn) <= size[1]
    assert any("Ctrl-C stops" in line for line in drawn[:5])
    assert "00:00:39 line 39 " in drawn[-2]
    assert not any("\u2026" in line for line in drawn)


def test_the_log_tail_keeps_the_last_lines():
    tail = LogTail()
    for number in range(100):
        tail.write(f"line {number}\n")
    tail.flush()
    assert tail.lines[-1] == "line 99"
    assert len(tail.lines) < 100


# -- summary ----------------------------------------------------------------------------------------------------


async def test_the_summary_tells_the_run(bot, container, exchange):
    context, report = await shown(bot, container, exchange)
    figures = RunFigures()
    figures.observe(bar("100"))
    figures.on_fact(funding_paid("-3"))
    figures.on_fact(msgspec.structs.replace(funding_paid("-3"), mark_known=False))
    figures.on_fact(fill(liquidation=True, fee="0.5"))
    figures.on_fact(fill("t2", fee="0.002", fee_currency="BNB"))
    summary = RunSummary()
    summary.take(context, report, figures)
    result = RunResult(ExitCode.CLEAN, "enough")
    told = summary.document(result)
    assert (told["exit_code"], told["exit_reason"], told["equity"], told["run_funding"]) == (0, "enough", "10004", "-6")
    text = "\n".join(summary.lines())
    assert "1 funding settlements had no mark price, the last price stood in: 2026-01-01T00:00:00Z" in text
    assert "1 liquidations" in text
    # 0.5 USDT and 0.002 BNB make 0.502 of nothing.
    assert (told["run_fees"], told["run_fees_elsewhere"]) == ("0.5", {"BNB": "0.002"})
    assert "fees of 0.002 BNB are in no balance" in text


def test_a_run_that_never_came_up_has_little_to_tell():
    never = RunSummary()
    assert (never.lines(), never.problems()) == ([], [])
    assert never.stopped(RunResult(ExitCode.START_FAILED, "why", ("why",))) is None
    assert never.stopped(RunResult(ExitCode.CLEAN, "SIGINT during the start")) == (
        "stopped: SIGINT during the start (exit code 0)"
    )
