"""What a venue lists is gone by only where orders can be made by it."""

import copy
import time
from decimal import InvalidOperation

import pytest

from app.domain.events import Fill, InstrumentChanged, OrderRejected
from app.domain.market import MarkPrice
from app.domain.order import Side
from app.ports.connection import ExchangeUnavailable
from tests.builders import order
from tests.contracts.benches import LoopbackBench


def steps(**fields):
    """Return what makes the filters of sizes say something else."""

    def spoil(listed):
        for of in listed["filters"]:
            if "stepSize" in of:
                of.update(fields)

    return spoil


UNUSABLE = {
    "a lot of zero": steps(stepSize="0"),
    "a negative lot": steps(stepSize="-0.001"),
    "a lot that is no number": steps(stepSize="NaN"),
    "a tick of zero": lambda listed: listed["filters"][0].update(tickSize="0.0"),
    "a largest order below the smallest": steps(maxQty="0.0001"),
    "a negative largest order": steps(maxQty="-5"),
}


def lists(venue, spoil):
    """Have a venue list its market in another way from now on."""
    good = venue._exchange_info

    def spoiled():
        told = copy.deepcopy(good())
        spoil(told["symbols"][0])
        return told

    venue._exchange_info = spoiled


@pytest.mark.parametrize("spoil", UNUSABLE.values(), ids=UNUSABLE)
async def test_a_start_on_terms_that_nothing_can_be_traded_by_is_refused_in_one_sentence(spoil):
    bench = LoopbackBench(key_refresh_s=60.0)
    lists(bench.venue, spoil)
    try:
        with pytest.raises(ExchangeUnavailable, match=r"^binanceusdm gave an unreadable answer: "):
            await bench.open()
    finally:
        await bench.close()


def sent(bench, number, side=Side.BUY, **changes):
    """Send an order of 0.01; return its id."""
    client_order_id = f"main-1-{number:06d}"
    bench.exchange.submit(
        order(client_order_id, side, "0.01", symbol=bench.symbol, created_ns=time.time_ns(), **changes)
    )
    return client_order_id


@pytest.mark.parametrize("spoil", UNUSABLE.values(), ids=UNUSABLE)
async def test_a_running_bot_goes_on_by_the_terms_that_it_knows_and_its_exits_leave(spoil, monkeypatch, warned):
    """What nothing can be traded by is warned of, and asked for again: the next answer is taken in."""
    monkeypatch.setattr("app.exchanges.ccxt.market.LISTED_AGAIN_S", 0.2)
    monkeypatch.setattr("app.exchanges.ccxt.market.RELIST_AGAIN_S", 0.2)
    bench = LoopbackBench(key_refresh_s=60.0)
    await bench.open()
    try:
        await bench.until(MarkPrice)
        await bench.until(Fill, sent(bench, 1))
        good = bench.venue._exchange_info
        lists(bench.venue, spoil)
        await bench.settle(0.6)
        assert any("what is listed cannot be read again yet" in line for line in warned)
        await bench.until(Fill, sent(bench, 2, Side.SELL, reduce_only=True))
        assert not any(isinstance(event, InstrumentChanged) for event in bench.seen)
        bench.venue._exchange_info = good
        lists(bench.venue, steps(stepSize="0.01", minQty="0.01"))
        assert str((await bench.until(InstrumentChanged)).instrument.lot_size) == "0.01"
        await bench.until(Fill, sent(bench, 3))
    finally:
        await bench.close()


@pytest.mark.parametrize("error", [AssertionError(), InvalidOperation(), ZeroDivisionError("by zero"), KeyError("x")])
async def test_an_order_that_no_request_can_be_made_of_is_refused_whatever_went_wrong(error, monkeypatch):
    """Nothing has left: that is no unknown outcome, and no end of the bot."""
    bench = LoopbackBench(key_refresh_s=60.0)
    await bench.open()
    try:
        await bench.until(MarkPrice)

        def fail(*_):
            raise error

        monkeypatch.setattr(bench.exchange._connected.line.client, "amount_to_precision", fail)
        refused = await bench.until(OrderRejected, sent(bench, 1))
        assert refused.reason.startswith(f"not sent: {type(error).__name__}")
    finally:
        await bench.close()
