"""What is at the exchange and not the bot's: refused, adopted or closed, as set. What is the bot's own is taken."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest
from dependency_injector import providers

from app.container import Container
from app.coordinators.bounded_account import BoundedAccount
from app.domain.events import Fill, Severity
from app.domain.order import OrderStatus, Purpose, Side
from app.domain.position import Position
from app.domain.records import Mismatch, OrderIntended
from app.lifecycle import Deadlines, StartFailed
from app.ports.connection import ExchangeUnavailable
from app.ports.exit_codes import ExitCode
from app.ports.journal import JournalFailed, LeaseLost
from app.settings import load_settings
from app.timing import run_virtual
from tests.builders import BTC, order, order_record
from tests.fakes.exchange import FakeExchange
from tests.settling import settle
from tests.storage.waiting import until

D = Decimal
LONG_OF_A_STRANGER = (Position(BTC, D(2), D(200)),)


@pytest.fixture
def started(exchange, journal):
    """Start a bot with a policy; return its container."""

    async def start(policy, *more, journal=journal):
        settings = load_settings("benchmark", ["storage.backend=sqlite", f"execution.foreign={policy}", *more])
        made = Container(loaded=settings)
        made.exchange.override(providers.Object(exchange))
        made.journal.override(providers.Object(journal))
        made.strategies.override(providers.Object(()))
        made.folder.override(providers.Object(None))
        made.deadlines.override(providers.Object(Deadlines(drain_s=0.05)))
        await made.init_resources()
        return made

    return start


async def stop(container):
    with suppress(ExceptionGroup):
        await container.shutdown_resources()


async def test_a_stranger_s_position_is_adopted_with_what_it_cost(started, exchange, journal):
    """2 contracts for 200 are at 100 each; the balance differs by what the stranger paid for it."""
    exchange.held, exchange.money = LONG_OF_A_STRANGER, D("9999")
    container = await started("adopt")
    portfolio = container.registry.context.portfolio
    assert portfolio.position(BTC).contracts == 2
    assert portfolio.position(BTC).average_price(exchange.listed[0]) == 100
    assert portfolio.balance == 9999
    [adopted] = journal.of(Fill)
    assert (adopted.client_order_id, adopted.side, adopted.fee) == (None, Side.BUY, 0)
    assert [mismatch.action for mismatch in journal.of(Mismatch)] == ["adopted"]
    assert exchange.submitted == []
    await stop(container)


async def test_a_position_that_is_gone_is_taken_out_of_the_books_at_what_it_cost(started, exchange, journal):
    """Closed by hand while the bot was down. At what price, nobody says: the balance is the exchange's."""
    exchange.held = LONG_OF_A_STRANGER
    await stop(await started("adopt"))
    exchange.held, exchange.money = (), D(10_500)
    container = await started("adopt", journal=journal.crashed())
    portfolio = container.registry.context.portfolio
    assert (portfolio.positions, portfolio.balance) == ((), 10_500)
    [out] = container.journal().of(Fill)
    assert (out.side, out.contracts, out.price) == (Side.SELL, 2, 100)
    await stop(container)


async def test_a_comparison_comes_by_itself_after_its_time(started, exchange, mocker):
    mocker.patch("app.coordinators.reconciler.SETTLING_S", 0)
    container = await started("refuse", "execution.reconcile_every_s=0.01")
    exchange.held = LONG_OF_A_STRANGER
    async with asyncio.timeout(5):
        while not container.registry.context.trading_state.current.holds("execution", "differs"):  # noqa: ASYNC110 - facts come through tasks
            await asyncio.sleep(0)
    await stop(container)


async def test_what_is_to_be_closed_is_adopted_and_then_closed(started, exchange):
    exchange.held = LONG_OF_A_STRANGER
    exchange.working = (order_record(order("stranger"), OrderStatus.OPEN, venue_order_id="V9"),)
    container = await started("close")
    await settle()
    assert exchange.canceled == ["stranger"]
    [closing] = exchange.submitted
    assert (closing.side, closing.contracts, closing.reduce_only, closing.purpose) == (
        Side.SELL,
        2,
        True,
        Purpose.EXIT,
    )
    await stop(container)


async def test_a_stranger_s_order_is_followed_when_adopted(started, exchange, journal):
    exchange.working = (order_record(order("stranger"), OrderStatus.OPEN, venue_order_id="V9"),)
    container = await started("adopt")
    assert [record.order.client_order_id for record in container.bot().execution.stage.orders()] == ["stranger"]
    assert [intent.order.client_order_id for intent in journal.of(OrderIntended)] == ["stranger"]
    assert exchange.canceled == []
    await stop(container)


async def test_an_order_of_ours_that_left_while_the_store_was_down_is_taken_whatever_the_policy(started, exchange):
    """Its id is ours, and its intent was never written."""
    left = order("main-1-000007", Side.SELL, reduce_only=True, purpose=Purpose.STOP_LOSS)
    exchange.working = (order_record(left, OrderStatus.OPEN, venue_order_id="V7"),)
    container = await started("refuse")
    [record] = container.bot().execution.stage.orders()
    assert (record.order, record.status) == (left, OrderStatus.OPEN)
    await stop(container)


async def test_an_order_of_another_folder_of_the_bot_refuses_the_start_and_says_whose_it_is(started, exchange, journal):
    """Its id has the account, and the name of another journal: taken for ours, it would answer for a new order."""
    exchange.working = (order_record(order("main-4fa9c2x1-000001"), OrderStatus.OPEN, venue_order_id="V7"),)
    with pytest.raises(StartFailed):
        await started("refuse")
    [mismatch] = journal.of(Mismatch)
    assert mismatch.theirs.endswith("made by this bot in another state folder, or in this one before it was emptied")


async def test_an_order_of_ours_that_turns_up_later_is_taken_too(started, exchange, mocker):
    mocker.patch("app.coordinators.reconciler.SETTLING_S", 0)
    container = await started("refuse")
    exchange.working = (order_record(order("main-1-000003", reduce_only=True), OrderStatus.OPEN),)
    assert await container.bot().execution.stage.agreement.compare()
    assert len(container.bot().execution.stage.orders()) == 1
    await stop(container)


async def test_a_position_that_nobody_explains_refuses_the_start_and_says_so(started, exchange, journal):
    exchange.held = LONG_OF_A_STRANGER
    with pytest.raises(StartFailed):
        await started("refuse")
    assert [mismatch.action for mismatch in journal.of(Mismatch)] == ["refused"]


async def test_an_end_that_is_not_on_record_is_not_clean(started, exchange, journal):
    """The store failed while the bot ran: whoever reads the exit code must learn of it."""
    container = await started("refuse")
    journal.fail("disk full")
    with pytest.raises(ExceptionGroup) as unclean:
        await container.shutdown_resources()
    [error] = unclean.value.exceptions
    assert isinstance(error, JournalFailed)
    assert "not on record: disk full" in str(error)


async def test_a_lost_lease_stops_the_bot_with_the_code_of_a_critical_failure(started, exchange, journal):
    container = await started("refuse")
    journal.fail("another bot writes", LeaseLost)
    container.registry.context.trading_state.raise_reason("risk", "drawdown", Severity.HALTED, "")
    container.bot().execution.stage.record(
        Mismatch(kind="balance", symbol="", ours="", theirs="", action="", time_ns=1)
    )
    await settle()
    request = container.stop_request()
    assert (request.exit_code, "another bot writes" in request.reason) == (ExitCode.CRITICAL_FAILURE, True)
    await stop(container)
    assert exchange.canceled == exchange.submitted == []


async def test_a_lease_that_is_lost_while_nothing_is_written_stops_the_bot_too(started, exchange, journal):
    """The journal is asked how it is, from time to time, and says with which error it failed."""
    container = await started("refuse", "execution.unknown_query_every_s=0.01")
    journal.fail("another bot writes", LeaseLost)
    request = container.stop_request()
    await until(lambda: request.exit_code is ExitCode.CRITICAL_FAILURE)
    assert "another bot writes" in request.reason
    await stop(container)
    assert exchange.canceled == exchange.submitted == []


def test_an_exchange_that_hangs_cannot_be_read():
    class Hangs(FakeExchange):
        def _read(self, answer):
            raise AssertionError

        async def balance(self):
            await asyncio.sleep(3600)

    async def ask():
        with pytest.raises(ExchangeUnavailable, match="no answer within 10 s"):
            await BoundedAccount(Hangs(), 10.0).balance()
        return asyncio.get_running_loop().time()

    assert run_virtual(ask()) == 10.0
