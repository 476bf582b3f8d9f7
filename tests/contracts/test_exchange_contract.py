"""What every exchange adapter does. One suite; each adapter is run through it."""

from decimal import Decimal

import pytest

from app.domain.events import Fill, OrderAccepted, OrderCanceled
from app.domain.margin import MarginMode
from app.domain.order import OrderStatus, Side
from app.exchanges.simulated import SimulatedExchange
from app.settings.models import AccountSettings, InstrumentSettings, SimulatedSettings
from tests.builders import BTC, limit, order
from tests.fakes.journal import FakeJournal

NANOSECONDS = 10**9


def simulated():
    listed = (InstrumentSettings(symbol=BTC, price_start=Decimal(100)),)
    settings = SimulatedSettings(instruments=listed, speed=0.0, deposit=Decimal(10_000))
    return SimulatedExchange(settings, AccountSettings(), FakeJournal(), resumable=False)


@pytest.fixture(params=[simulated])
async def exchange(request):
    adapter = request.param()
    await adapter.connect()
    yield adapter
    await adapter.close()
    await adapter.close()


def until(exchange, kind, client_order_id, most=200):
    """Return the events up to the first of a kind about an order."""
    seen = []
    for _ in range(most):
        event = exchange.next_event()
        seen.append(event)
        if isinstance(event, kind) and event.client_order_id == client_order_id:
            return seen
    raise AssertionError(f"no {kind.__name__} of {client_order_id}")


async def test_it_lists_what_it_is_set_to(exchange):
    [listed] = await exchange.instruments()
    assert listed.symbol == BTC
    assert exchange.capabilities.name


async def test_it_acknowledges_before_it_fills(exchange):
    until_price(exchange)
    exchange.submit(order("c1"))
    kinds = [type(event) for event in until(exchange, Fill, "c1") if getattr(event, "client_order_id", None) == "c1"]
    assert kinds == [OrderAccepted, Fill]


def until_price(exchange):
    for _ in range(10):
        exchange.next_event()


async def test_fills_positions_and_balance_agree(exchange):
    before = await exchange.balance()
    until_price(exchange)
    exchange.submit(order("c1"))
    fill = until(exchange, Fill, "c1")[-1]
    [position] = await exchange.positions()
    assert position.contracts == fill.signed_contracts == Decimal(1)
    assert await exchange.balance() == before - fill.fee
    assert await exchange.fills_since(0) == (fill,)
    assert await exchange.fills_since(fill.time_ns + 1) == ()
    known = await exchange.order(BTC, "c1")
    assert (known.status, known.filled) == (OrderStatus.FILLED, Decimal(1))


async def test_a_canceled_order_is_over_and_known(exchange):
    until_price(exchange)
    resting = limit("c1", price="50")
    exchange.submit(resting)
    until(exchange, OrderAccepted, "c1")
    assert [record.order.client_order_id for record in await exchange.open_orders()] == ["c1"]
    exchange.cancel(resting, "asked")
    until(exchange, OrderCanceled, "c1")
    assert await exchange.open_orders() == ()
    assert (await exchange.order(BTC, "c1")).status is OrderStatus.CANCELED


async def test_an_order_that_was_never_sent_is_not_known(exchange):
    assert await exchange.order(BTC, "never") is None


async def test_a_close_and_a_reduce_only_order_never_flip(exchange):
    until_price(exchange)
    exchange.submit(order("c1"))
    until(exchange, Fill, "c1")
    exchange.submit(order("c2", Side.SELL, "5", reduce_only=True))
    until(exchange, Fill, "c2")
    assert await exchange.positions() == ()


async def test_mode_and_leverage_may_be_set_again(exchange):
    for _ in range(2):
        await exchange.configure(BTC, MarginMode.CROSS, Decimal(5))


async def test_history_is_closed_and_before_now(exchange):
    bars = await exchange.history(BTC, 60, 10)
    assert len(bars) == 10
    assert all(bar.time_ns <= exchange.now_ns for bar in bars)
    assert await exchange.funding_since(0) == ()


async def test_times_never_go_backwards(exchange):
    times = [exchange.next_event().time_ns for _ in range(500)]
    assert times == sorted(times)
