"""What every exchange adapter does. One suite; each adapter is run through it.

What goes wrong only between a process and a real venue is in ``tests/exchanges/ccxt``.
"""

from decimal import Decimal

import pytest

from app.domain.events import CancelRejected, Fill, OrderAccepted, OrderCanceled, OrderRejected
from app.domain.margin import MarginMode
from app.domain.market import SECOND_NS
from app.domain.order import OrderStatus, Side
from tests.builders import limit as limit_order
from tests.builders import order as market_order
from tests.contracts.benches import BENCHES


@pytest.fixture(params=BENCHES, ids=lambda bench: bench.name)
async def bench(request):
    made = request.param()
    await made.open()
    yield made
    await made.close()


def order(bench, number=1, side=Side.BUY, contracts="0.01", **changes):
    contracts = contracts if bench.prices == "50000" else str(Decimal(contracts) * 100)
    named = {"symbol": bench.symbol, "created_ns": bench.now_ns}
    return market_order(f"main-1-{number:06d}", side, contracts, **named, **changes)


def limit(bench, number=1, side=Side.BUY, contracts="0.01", price="0.5", **changes):
    """Return an order at a part of the market's price."""
    contracts = contracts if bench.prices == "50000" else str(Decimal(contracts) * 100)
    price = str(Decimal(price) * Decimal(bench.prices))
    named = {"symbol": bench.symbol, "created_ns": bench.now_ns}
    return limit_order(f"main-1-{number:06d}", side, contracts, price=price, **named, **changes)


async def test_it_lists_what_it_is_set_to_with_its_steps(bench):
    [listed] = await bench.exchange.instruments()
    assert listed.symbol == bench.symbol
    assert min(listed.tick_size, listed.lot_size, listed.contracts_min, listed.notional_min) > 0
    assert bench.exchange.capabilities.name


async def test_it_acknowledges_before_it_fills(bench):
    bench.exchange.submit(order(bench))
    await bench.until(Fill, "main-1-000001")
    assert bench.about("main-1-000001") == ["OrderAccepted", "Fill"]


async def test_fills_position_and_balance_agree(bench):
    before = await bench.exchange.balance()
    sent = order(bench)
    bench.exchange.submit(sent)
    fill = await bench.until(Fill, "main-1-000001")
    [position] = await bench.exchange.positions()
    assert position.contracts == fill.signed_contracts == sent.contracts
    assert fill.fee > 0
    assert await bench.exchange.balance() == before - fill.fee
    [known] = await bench.exchange.fills_since(0)
    assert (known.trade_id, known.client_order_id, known.contracts, known.price, known.fee) == (
        fill.trade_id,
        "main-1-000001",
        fill.contracts,
        fill.price,
        fill.fee,
    )
    assert await bench.exchange.fills_since(fill.time_ns + SECOND_NS) == ()
    record = await bench.exchange.order(bench.symbol, "main-1-000001")
    assert (record.status, record.filled) == (OrderStatus.FILLED, sent.contracts)


async def test_a_canceled_order_is_over_and_known(bench):
    resting = limit(bench)
    bench.exchange.submit(resting)
    await bench.until(OrderAccepted, "main-1-000001")
    [record] = await bench.exchange.open_orders()
    assert (record.order.client_order_id, record.status) == ("main-1-000001", OrderStatus.OPEN)
    assert (record.order.side, record.order.contracts, record.order.price) == (
        Side.BUY,
        resting.contracts,
        resting.price,
    )
    bench.exchange.cancel(resting, "asked")
    await bench.until(OrderCanceled, "main-1-000001")
    assert await bench.exchange.open_orders() == ()
    assert (await bench.exchange.order(bench.symbol, "main-1-000001")).status is OrderStatus.CANCELED


async def test_a_cancel_of_a_filled_order_changes_nothing(bench):
    sent = order(bench)
    bench.exchange.submit(sent)
    await bench.until(Fill, "main-1-000001")
    bench.exchange.cancel(sent, "too late")
    await bench.settle()
    assert set(bench.about("main-1-000001")) <= {"OrderAccepted", "Fill", "CancelRejected"}
    assert (await bench.exchange.order(bench.symbol, "main-1-000001")).status is OrderStatus.FILLED


async def test_a_cancel_of_an_order_that_never_came_is_refused(bench):
    bench.exchange.cancel(limit(bench), "asked")
    await bench.until(CancelRejected, "main-1-000001")


async def test_an_order_that_was_never_sent_is_not_known(bench):
    assert await bench.exchange.order(bench.symbol, "main-1-000099") is None


async def test_a_reduce_only_order_never_flips(bench):
    bench.exchange.submit(order(bench))
    await bench.until(Fill, "main-1-000001")
    bench.exchange.submit(order(bench, 2, Side.SELL, "0.05", reduce_only=True))
    await bench.until(Fill, "main-1-000002")
    assert await bench.exchange.positions() == ()


async def test_a_reduce_only_order_without_a_position_is_refused(bench):
    bench.exchange.submit(order(bench, side=Side.SELL, reduce_only=True))
    await bench.until(OrderRejected, "main-1-000001")
    assert await bench.exchange.positions() == ()


async def test_more_than_the_margin_allows_is_refused(bench):
    bench.exchange.submit(order(bench, contracts="100"))
    refused = await bench.until(OrderRejected, "main-1-000001")
    assert "nsufficient" in refused.reason


async def test_post_only_that_would_cross_is_refused(bench):
    bench.exchange.submit(limit(bench, price="1.1", post_only=True))
    refused = await bench.until(OrderRejected, "main-1-000001")
    assert "ost" in refused.reason


async def test_off_the_steps_or_too_small_is_refused_never_rounded(bench):
    wrong = [
        order(bench, 1, contracts="0.0000001"),
        limit(bench, 2, price="0.50000001"),
        limit(bench, 3, contracts="0.001", price="0.02"),
    ]
    for item in wrong:
        bench.exchange.submit(item)
    for item in wrong:
        await bench.until(OrderRejected, item.client_order_id)


async def test_an_id_that_was_used_buys_nothing_again(bench):
    bench.exchange.submit(order(bench))
    await bench.until(Fill, "main-1-000001")
    bench.exchange.submit(order(bench))
    await bench.settle()
    [position] = await bench.exchange.positions()
    assert position.contracts == order(bench).contracts
    assert bench.about("main-1-000001").count("Fill") == 1


async def test_a_stop_rests_and_closes_when_its_price_is_met(bench):
    if bench.name == "simulated":
        pytest.skip("the generator's price cannot be moved: tests/exchanges has the engine's")
    bench.exchange.submit(order(bench))
    await bench.until(Fill, "main-1-000001")
    stop = order(bench, 2, Side.SELL, type="stop_market", trigger_price="49000", reduce_only=True)
    bench.exchange.submit(stop)
    await bench.until(OrderAccepted, "main-1-000002")
    [record] = await bench.exchange.open_orders()
    assert record.order.trigger_price == Decimal(49_000)
    bench.venue.step("48900")
    fill = await bench.until(Fill, "main-1-000002")
    assert fill.contracts == stop.contracts
    assert bench.about("main-1-000002") == ["OrderAccepted", "OrderTriggered", "Fill"]
    assert (await bench.exchange.order(bench.symbol, "main-1-000002")).status is OrderStatus.FILLED
    assert await bench.exchange.positions() == ()


async def test_mode_and_leverage_may_be_set_again(bench):
    for _ in range(2):
        await bench.exchange.configure(bench.symbol, MarginMode.CROSS, Decimal(5))


async def test_history_is_closed_and_before_now(bench):
    bars = await bench.exchange.history(bench.symbol, 60, 10)
    assert len(bars) == 10
    assert all(bar.time_ns <= bench.exchange.now_ns for bar in bars)
    assert [bar.time_ns for bar in bars] == sorted({bar.time_ns for bar in bars})
    assert await bench.exchange.funding_since(0) == ()


async def test_longer_bars_are_whole(bench):
    bars = await bench.exchange.history(bench.symbol, 120, 3)
    assert [bar.interval_s for bar in bars] == [120] * len(bars)
    assert all(bar.time_ns % (120 * SECOND_NS) == 0 for bar in bars)


async def test_the_stream_comes_to_what_is_read(bench):
    """After a buy, a sale of half and a cancel, the told fills add up to the position that is read."""
    bench.exchange.submit(order(bench, contracts="0.02"))
    await bench.until(Fill, "main-1-000001")
    resting = limit(bench, 2)
    bench.exchange.submit(resting)
    bench.exchange.submit(order(bench, 3, Side.SELL, "0.01", reduce_only=True))
    await bench.until(Fill, "main-1-000003")
    bench.exchange.cancel(resting, "asked")
    await bench.until(OrderCanceled, "main-1-000002")
    told = [event for event in bench.seen if isinstance(event, Fill)]
    [position] = await bench.exchange.positions()
    assert sum(fill.signed_contracts for fill in told) == position.contracts
    assert {fill.trade_id for fill in await bench.exchange.fills_since(0)} == {fill.trade_id for fill in told}
    assert await bench.exchange.open_orders() == ()


async def test_times_of_a_simulated_market_never_go_backwards(bench):
    if not bench.exchange.capabilities.is_virtual:
        pytest.skip("streams of a real venue are apart, and overtake each other")
    await bench.settle()
    times = [event.time_ns for event in bench.seen]
    assert times == sorted(times)
