"""The real bot on a real file, which gets full, locked or corrupt meanwhile.

Nothing that could grow a position goes out any more; cancels and exits do. The operator is told, the exit code is not
0, and a restart finds all that was acknowledged, and adopts what went out without a record.
"""

import asyncio
import json
import sqlite3
from contextlib import suppress
from decimal import Decimal

import pytest
from dependency_injector import providers
from loguru import logger

from app.container import Container
from app.domain.events import OrderAccepted, OrderCanceled
from app.domain.order import OrderStatus, OrderType, Purpose, Side
from app.domain.position import Position
from app.domain.target import Entry
from app.domain.trading_state import TradingLevel
from app.lifecycle import Deadlines, ExitCode, HealthState, StartFailed
from app.settings import load_settings
from app.storage import open_journal
from app.storage.engine import JOURNAL_FILE
from tests.builders import BTC, ETH, START_NS, fill, instrument, mark, order_record, target
from tests.conftest import SETTINGS
from tests.fakes.exchange import FakeExchange
from tests.storage.test_failures import corrupt, fill_the_disk
from tests.storage.waiting import until

LONG = Decimal("0.5")
NEVER_GROWS = Entry(type=OrderType.LIMIT, price=Decimal(99))


def fill_up(journal, folder):
    """Let the disk be full at the next page."""
    del folder
    fill_the_disk(journal)
    return lambda: None


def lock(journal, folder):
    """Let another program hold the database."""
    del journal
    other = sqlite3.connect(folder / JOURNAL_FILE, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other.close


def spoil(journal, folder):
    """Let the file be overwritten."""
    del folder
    corrupt(journal)
    return lambda: None


class Run:
    """A bot with 0.5 BTC, a stop for it, and an entry of ETH that rests; then its store fails."""

    def __init__(self, tmp_path, *, threaded):
        self.folder = tmp_path / "state"
        self.exchange = FakeExchange(instrument(), instrument(ETH))
        self.threaded = threaded
        self.said = []

    def container(self):
        words = (
            *SETTINGS,
            f"storage.folder={self.folder}",
            "storage.busy_timeout_s=0.05",
            "telemetry.health_every_s=0.05",
        )
        made = Container(loaded=load_settings("benchmark", [*words, "execution.unknown_query_every_s=0.05"]))
        made.exchange.override(providers.Object(self.exchange))
        made.strategies.override(providers.Object(()))
        made.deadlines.override(providers.Object(Deadlines(drain_s=1)))
        if self.threaded:
            made.journal.override(providers.Resource(self.threaded_journal))
        return made

    def threaded_journal(self):
        """As in live trading: a writer thread."""
        journal = open_journal(self.folder, "main", threaded=True, busy_timeout_s=0.05, profile="benchmark")
        yield journal
        journal.close()

    async def begin(self):
        """Start the bot as the command line does, up to where it holds and works something."""
        self.made = self.container()
        self.bot = self.made.bot()
        ready = asyncio.Event()
        self.running = asyncio.ensure_future(self.bot.run(ready.set))
        await ready.wait()
        self.exchange.tell(mark("100"), mark("100", symbol=ETH))
        await until(lambda: self.context.portfolio.mark(ETH) is not None)
        self.bot.execution.stage.pursue([target(LONG, stop=Decimal(90)), target(1, symbol=ETH, entry=NEVER_GROWS)])
        await until(lambda: len(self.exchange.submitted) == 2)
        entry, self.resting = sorted(self.exchange.submitted, key=lambda order: order.symbol)
        self.accept(self.resting)
        self.exchange.tell(fill("t1", Side.BUY, LONG, "100", "0", client_order_id=entry.client_order_id))
        await until(lambda: len(self.exchange.submitted) == 3)
        self.stop = self.exchange.submitted[-1]
        self.accept(self.stop)
        await until(lambda: all(r.status is OrderStatus.OPEN for r in self.bot.execution.stage.orders()))

    @property
    def context(self):
        return self.made.registry.context

    @property
    def trading(self):
        return self.context.trading_state.current

    def accept(self, order):
        self.exchange.tell(OrderAccepted(order.client_order_id, "V1", order.symbol, START_NS))

    async def fail(self):
        """Have the bot write until it notices."""
        number = 0
        while not self.trading.holds("execution", "store_failed"):
            number += 1
            assert number < 20_000
            # Facts that it puts on record: the exchange refuses to cancel what nobody knows.
            self.exchange.tell(OrderCanceled(f"strange-{number}", BTC, START_NS, "x" * 200))
            await asyncio.sleep(0.0 if number % 50 else 0.02)


@pytest.fixture
async def run(tmp_path, threaded):
    logger.remove()
    made = Run(tmp_path, threaded=threaded)
    sink = logger.add(lambda message: made.said.append(message.record["message"]), level="INFO")
    await made.begin()
    yield made
    logger.remove(sink)
    if not made.running.done():
        made.bot.stop("the test is over")
        with suppress(TimeoutError):
            await asyncio.wait_for(made.running, 10)


BROKEN = pytest.mark.parametrize("break_it", [fill_up, lock, spoil], ids=["full", "locked", "corrupt"])
THREADED = pytest.mark.parametrize("threaded", [False, True], ids=["direct", "threaded"])


@BROKEN
@THREADED
async def test_a_store_that_fails_under_the_bot(run, break_it, threaded):
    exchange, execution = run.exchange, run.bot.execution
    mend = break_it(run.made.journal(), run.folder)
    await run.fail()

    # What grows stays here.
    before = len(exchange.submitted)
    execution.stage.pursue([target(2, sequence=2, symbol=ETH)])
    await asyncio.sleep(0.1)
    assert len(exchange.submitted) == before
    assert run.trading.level is TradingLevel.REDUCE_ONLY

    # The operator is told: health, its file, the log.
    report = await run.bot.health()
    [told] = [item for item in report.components if item.component == "execution"]
    assert told.state is HealthState.UNHEALTHY
    assert told.error == str(run.context.journal.failure)
    assert not report.ready
    await until(lambda: not json.loads((run.folder / "health.json").read_text(encoding="utf-8"))["ready"])
    assert any("store_failed" in reason for reason in status_of(run.folder)["reasons"])
    assert any("trading restricted" in line for line in run.said)

    # Cancels and exits go out.
    run.bot.halt("the store is gone")
    await until(lambda: run.resting.client_order_id in exchange.canceled)
    execution.stage.flatten("by hand", (BTC,))
    await until(lambda: exchange.submitted[-1].purpose is Purpose.EXIT)
    out = exchange.submitted[-1]
    assert (out.side, out.contracts, out.reduce_only) == (Side.SELL, LONG, True)
    sold = fill("t2", Side.SELL, LONG, "100", "0", client_order_id=out.client_order_id)
    exchange.tell(
        sold, *(OrderCanceled(o.client_order_id, o.symbol, START_NS, "asked") for o in (run.resting, run.stop))
    )
    await until(lambda: not execution.stage.orders())

    # The end says so.
    run.bot.stop("enough")
    result = await run.running
    assert result.exit_code is ExitCode.UNCLEAN_STOP
    assert any("the end of the run is not on record" in error for error in result.errors)

    mend()
    exchange.known = {
        order.client_order_id: order_record(order, status, filled)
        for order, status, filled in ((run.resting, OrderStatus.CANCELED, 0), (run.stop, OrderStatus.CANCELED, 0))
    }
    exchange.filled = (sold,)
    restarted = run.container()
    if break_it is spoil:
        # Nothing is made up: the start is refused, with a sentence that says which file.
        with pytest.raises(StartFailed, match="journal"):
            await restarted.init_resources()
        return
    await restarted.init_resources()
    context = restarted.registry.context
    assert context.portfolio.position(BTC) == Position(BTC)
    assert context.execution.orders() == ()
    assert context.portfolio.balance == exchange.money
    await restarted.shutdown_resources()


def status_of(folder):
    """What the health file says."""
    return json.loads((folder / "health.json").read_text(encoding="utf-8"))
