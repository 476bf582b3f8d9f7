"""What is particular to hyperliquid: signatures, what must not be signed, and answers that ccxt would misread."""

import time
from decimal import Decimal

import aiohttp
import msgspec
import pytest

from app.domain.events import (
    Fill,
    FundingPaid,
    InstrumentChanged,
    OrderAccepted,
    OrderCanceled,
    OrderRejected,
    OrderTriggered,
    OrderUnknown,
    StreamReset,
)
from app.domain.margin import MarginMode
from app.domain.market import FundingRate, MarkPrice, Quote
from app.domain.order import OrderStatus, OrderType, Side, TimeInForce, TriggerPrice
from app.exchanges.ccxt.client_ids import HexIds
from app.exchanges.ccxt.errors import VenueRefused
from app.exchanges.ccxt.translate import funding_rate_from
from app.ports.connection import ExchangeUnavailable
from tests.builders import limit as limit_order
from tests.builders import order as market_order
from tests.contracts.benches import HyperliquidBench, PaperAtHyperliquidBench
from tests.loopback.hyperliquid import WALLET

FIRST = "main-1-000001"


@pytest.fixture
async def bench():
    made = HyperliquidBench(key_refresh_s=60.0)
    await made.open()
    yield made
    await made.close()


def order(bench, number=1, side=Side.BUY, contracts="0.01", **changes):
    named = {"symbol": bench.symbol, "created_ns": time.time_ns()}
    return market_order(f"main-1-{number:06d}", side, contracts, **named, **changes)


def limit(bench, number=1, side=Side.BUY, contracts="0.01", price="40000", **changes):
    named = {"symbol": bench.symbol, "created_ns": time.time_ns()}
    return limit_order(f"main-1-{number:06d}", side, contracts, price=price, **named, **changes)


def stop(bench, number=2, **changes):
    fields = {"type": OrderType.STOP_MARKET, "trigger_price": "49000", "reduce_only": True} | changes
    return order(bench, number, Side.SELL, **fields)


async def sent(bench, wanted, kind=OrderAccepted):
    """Send an order; return what was told of it first."""
    bench.exchange.submit(wanted)
    return await bench.until(kind, wanted.client_order_id)


# -- what is signed ----------------------------------------------------------------------------------------------


async def test_connecting_signs_nothing(bench):
    """No fee is approved and no referrer named, by the market's client or by the account's."""
    await bench.settle(0.5)
    assert bench.venue.writes == []


async def test_an_order_pays_nobody_and_carries_our_id(bench):
    await sent(bench, limit(bench))
    [action] = bench.venue.asked("submit")
    assert set(action) == {"type", "orders", "grouping"}
    assert action["orders"][0]["c"] == HexIds("main", "0x").to_venue(FIRST)
    assert bench.venue.writes == ["submit"]


async def test_an_order_is_valid_for_as_long_as_was_set_and_no_longer(bench):
    """The venue's clock has gone ahead: to it the order is too old, and it is not taken."""
    await sent(bench, limit(bench))
    [asked] = [asked.raw for asked in bench.venue.requests if asked.action == "submit"]
    assert asked["expiresAfter"] - asked["nonce"] == 5000
    bench.venue.skew_ms = 20_000
    unknown = await sent(bench, limit(bench, 2), OrderUnknown)
    assert "expired" in unknown.reason
    assert await bench.exchange.order(bench.symbol, "main-1-000002") is None


async def test_the_venue_takes_no_action_twice_and_none_that_was_changed(bench):
    """As the loopback venue says: so a signature that is taken was made over what was sent."""
    await sent(bench, limit(bench))
    [asked] = [asked.raw for asked in bench.venue.requests if asked.action == "submit"]
    async with aiohttp.ClientSession() as session:
        for changes, words in (({}, "nonce"), ({"nonce": asked["nonce"] + 1}, "does not exist")):
            async with session.post(f"{bench.venue.url}/exchange", json=asked | changes) as answer:
                assert words in (await answer.json())["response"]
    assert bench.arrived(FIRST) == 1


async def test_an_agent_that_is_not_approved_is_refused_keys(bench):
    bench.venue.refuse_keys()
    refused = await sent(bench, order(bench), OrderRejected)
    assert "does not exist" in refused.reason
    with pytest.raises(VenueRefused, match="private_key, and their rights"):
        await bench.settle(1)


async def test_a_unified_account_is_said_to_be_one():
    bench = HyperliquidBench()
    bench.venue.unified = True
    await bench.open()
    try:
        with pytest.raises(ExchangeUnavailable, match="unified"):
            await bench.exchange.balance()
    finally:
        await bench.close()


# -- orders ------------------------------------------------------------------------------------------------------


async def test_a_market_order_is_bound_by_what_the_market_trades_at(bench):
    """Nothing was seen yet: the book is asked for, and the bound is five percent above the ask of 50001."""
    await sent(bench, order(bench), Fill)
    [action] = bench.venue.asked("submit")
    assert action["orders"][0]["p"] == "52501"
    assert len(bench.venue.asked("l2Book")) == 1


async def test_a_market_order_is_not_sent_while_nobody_knows_what_the_market_trades_at(bench):
    bench.venue.fail("l2Book", "garbage")
    refused = await sent(bench, order(bench), OrderRejected)
    assert "not known" in refused.reason
    assert bench.arrived(FIRST) == 0


async def test_a_stop_far_away_can_still_fill_when_it_goes_off(bench):
    """Its bound is reckoned from its trigger, not from the market of today: 38000 less five percent."""
    await sent(bench, order(bench), Fill)
    await sent(bench, stop(bench, trigger_price="38000"))
    assert bench.venue.asked("submit")[-1]["orders"][0]["p"] == "36100"
    bench.venue.step("37900")
    fill = await bench.until(Fill, "main-1-000002")
    assert fill.signed_contracts == Decimal("-0.01")


async def test_a_stop_limit_keeps_its_id_and_is_told_to_be_triggered(bench):
    await sent(bench, stop(bench, 1, type=OrderType.STOP_LIMIT, price="49500", reduce_only=False))
    bench.venue.step("48900")
    await bench.until(OrderTriggered, FIRST)
    [record] = await bench.exchange.open_orders()
    assert (record.order.type, record.order.price, record.status) == (
        OrderType.STOP_LIMIT,
        Decimal(49_500),
        OrderStatus.OPEN,
    )
    bench.venue.step("49600")
    await bench.until(Fill, FIRST)
    assert bench.about(FIRST) == ["OrderAccepted", "OrderTriggered", "Fill"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trigger_by": TriggerPrice.LAST}, "do not watch the last price"),
        ({"type": OrderType.LIMIT, "trigger_price": None, "price": "49000", "time_in_force": TimeInForce.FOK}, "FOK"),
    ],
)
async def test_what_it_does_not_have_is_refused_here(bench, changes, words):
    refused = await sent(bench, stop(bench, 1, **changes), OrderRejected)
    assert words in refused.reason
    assert bench.venue.writes == []


async def test_what_a_taker_could_not_fill_is_canceled(bench):
    """Half of the book is there for us: 0.005 of 0.02, and the rest is over."""
    bench.venue.engine.set_partial_fills(Decimal("0.5"))
    bench.venue.size = Decimal("0.01")
    bench.exchange.submit(order(bench, contracts="0.02"))
    await bench.until(OrderCanceled, FIRST)
    assert bench.about(FIRST) == ["OrderAccepted", "Fill", "OrderCanceled"]
    record = await bench.exchange.order(bench.symbol, FIRST)
    assert (record.status, record.filled) == (OrderStatus.CANCELED, Decimal("0.005"))


async def test_an_order_that_is_to_fill_at_once_and_meets_nothing_is_over(bench):
    """The venue answers with an error; its stream may tell of the order first."""
    bench.exchange.submit(limit(bench, time_in_force=TimeInForce.IOC))
    await bench.settle(1)
    assert bench.about(FIRST) in (["OrderRejected"], ["OrderAccepted", "OrderCanceled"])
    assert (await bench.exchange.order(bench.symbol, FIRST)).status is OrderStatus.REJECTED


async def test_orders_in_one_breath_are_each_taken(bench):
    """Each has a nonce of its own, though all are signed within a millisecond or two."""
    for number in range(1, 6):
        bench.exchange.submit(limit(bench, number))
    for number in range(1, 6):
        await bench.until(OrderAccepted, f"main-1-{number:06d}")
    assert len(await bench.exchange.open_orders()) == 5


async def test_an_order_that_nobody_named_is_seen_and_can_be_canceled(bench):
    """Somebody placed it in the venue's own application, which gives no client order id."""
    bench.venue.trade_by_hand(type=OrderType.LIMIT, price=Decimal(41_000))
    told = await bench.until(OrderAccepted)
    [record] = await bench.exchange.open_orders()
    assert record.order.client_order_id == told.client_order_id == f"#{told.venue_order_id}"
    assert (await bench.exchange.order(bench.symbol, told.client_order_id)).status is OrderStatus.OPEN
    bench.exchange.cancel(record.order, "foreign")
    await bench.until(OrderCanceled, told.client_order_id)
    assert await bench.exchange.open_orders() == ()


# -- what is read ------------------------------------------------------------------------------------------------


async def test_old_fills_are_not_told_again_when_a_socket_is_opened(bench):
    """The venue begins with all fills that ever were; what was missed is asked for instead."""
    await sent(bench, order(bench), Fill)
    bench.venue.trade_by_hand()
    await bench.until(Fill, after=1)
    await bench.restart()
    await bench.venue.drop_sockets()
    await bench.until(StreamReset, after=1)
    await bench.settle(0.3)
    assert [event for event in bench.seen if isinstance(event, Fill)] == []
    assert len(await bench.exchange.fills_since(0)) == 2


@pytest.mark.parametrize("question", ["positions", "balance", "open_orders", "fills", "funding"])
async def test_an_answer_that_says_nothing_is_no_empty_account(bench, question):
    names = {
        "positions": "balance", "balance": "balance", "open_orders": "frontendOpenOrders",
        "fills": "userFillsByTime", "funding": "userFunding",
    }  # fmt: skip
    bench.venue.fail(names[question], "empty")
    exchange = bench.exchange
    ask = {
        "positions": exchange.positions,
        "balance": exchange.balance,
        "open_orders": exchange.open_orders,
        "fills": lambda: exchange.fills_since(0),
        "funding": lambda: exchange.funding_since(0),
    }
    with pytest.raises(ExchangeUnavailable, match="says nothing"):
        await ask[question]()


async def test_the_margin_table_is_the_venues(bench):
    """Forty times up to 150 million, twenty above; half of the initial margin is for maintenance."""
    [listed] = await bench.exchange.instruments()
    assert [(tier.notional_max, tier.leverage_max, tier.maintenance_rate) for tier in listed.margin_tiers] == [
        (150_000_000, 40, Decimal("0.0125")),
        (None, 20, Decimal("0.025")),
    ]
    assert (listed.tick_size, listed.lot_size, listed.notional_min) == (1, Decimal("0.00001"), 10)


async def test_marks_quotes_and_rates_come_as_they_are(bench):
    mark, quote = await bench.until(MarkPrice), await bench.until(Quote)
    rate = await bench.until(FundingRate)
    assert (mark.price, quote.bid, quote.ask, rate.rate) == (50_000, 49_999, 50_001, Decimal("0.0000125"))
    assert "activeAssetCtx:BTC" in set().union(*bench.venue.sockets.values())


async def test_the_best_price_is_the_best_whatever_the_number_of_its_digits(bench):
    """As text, 99999 would be more than 100001."""
    bench.venue.step("100000")
    while (quote := await bench.until(Quote)).ask != 100_001:
        bench.seen.clear()
    assert (quote.bid, quote.ask) == (99_999, 100_001)


@pytest.fixture
def impatient(monkeypatch):
    """Before the bench is opened: funding settles all the time, and what was paid is asked for soon."""

    def settles_now(payload, now_ns):
        return msgspec.structs.replace(funding_rate_from(payload, now_ns), settles_ns=now_ns)

    monkeypatch.setattr("app.exchanges.ccxt.market_streams.funding_rate_from", settles_now)
    monkeypatch.setattr("app.exchanges.ccxt.market_streams.FUNDING_EVERY_S", 0.2)
    monkeypatch.setattr("app.exchanges.ccxt.listener.FUNDING_LATE_NS", 10**9)
    monkeypatch.setattr("app.exchanges.ccxt.listener.FUNDING_LOOK_S", 0.1)


@pytest.mark.usefixtures("impatient")
async def test_a_settlement_is_told_with_its_rate_and_what_was_held(bench):
    await sent(bench, order(bench, side=Side.SELL), Fill)
    await bench.until(FundingRate)
    bench.venue.fund("0.001")
    paid = await bench.until(FundingPaid)
    # A short of 0.01 at a mark of 50000 receives 0.1 % of it.
    assert (paid.amount, paid.rate, paid.contracts) == (Decimal("0.5"), Decimal("0.001"), Decimal("-0.01"))


async def test_a_liquidation_is_one(bench):
    """Twenty times, all of it: the venue closes the position, and says by whom."""
    await bench.exchange.configure(bench.symbol, MarginMode.CROSS, Decimal(20))
    await sent(bench, order(bench, contracts="3.7"), Fill)
    bench.venue.step("47000")
    fill = await bench.until(Fill, after=1)
    assert fill.liquidation
    assert fill.client_order_id is None
    assert await bench.exchange.positions() == ()


async def test_mode_and_leverage_are_one_request(bench):
    await bench.exchange.configure(bench.symbol, MarginMode.ISOLATED, Decimal(7))
    assert bench.venue.asked("leverage") == [{"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 7}]


async def test_the_account_is_the_one_that_was_set(bench):
    await bench.exchange.balance()
    assert {asked["user"] for asked in bench.venue.asked("balance")} == {WALLET}


@pytest.mark.parametrize(("price", "tick"), [("50000", "1"), ("9000", "1"), ("6000", "0.1"), ("9", "0.001")])
async def test_a_tick_holds_while_the_price_rises_by_half(price, tick):
    """A stop that is on the tick can be sent at 13500 as at 9000, where five digits would be a finer one."""
    bench = HyperliquidBench()
    bench.venue.price = Decimal(price)
    bench.venue.size_digits = 0
    await bench.open()
    try:
        [listed] = await bench.exchange.instruments()
        raised = listed.round_price(Decimal(price) * Decimal("1.49"))
        assert listed.tick_size == Decimal(tick)
        bench.exchange.submit(limit(bench, side=Side.SELL, contracts="2", price=str(raised)))
        await bench.settle()
        assert bench.arrived(FIRST) == 1
    finally:
        await bench.close()


@pytest.mark.parametrize("bench_class", [HyperliquidBench, PaperAtHyperliquidBench], ids=lambda bench: bench.name)
async def test_a_tick_is_read_again_when_the_price_has_risen(bench_class):
    """From 6000 to 9000 the tick becomes 1: what is sent afterwards is on it, and so is what the bot is told."""
    bench = bench_class(key_refresh_s=60.0)
    bench.venue.size_digits = 3
    bench.venue.price = Decimal(6000)
    await bench.open()
    try:
        await bench.until(MarkPrice)
        [before] = await bench.exchange.instruments()
        assert before.tick_size == Decimal("0.1")
        bench.venue.step("9000")
        changed = await bench.until(InstrumentChanged)
        [after] = await bench.exchange.instruments()
        assert changed.instrument == after
        assert after.tick_size == 1
        assert msgspec.structs.replace(after, tick_size=before.tick_size) == before
        bench.exchange.submit(limit(bench, price="8000.5"))
        assert "not a positive multiple of 1" in (await bench.until(OrderRejected, FIRST)).reason
        bench.exchange.submit(limit(bench, 2, price="8000"))
        await bench.until(OrderAccepted, "main-1-000002")
    finally:
        await bench.close()


async def test_a_tick_is_read_again_when_the_price_has_fallen():
    """From 9000 to 6000 the tick becomes 0.1: what rests on the coarser one stays, what is finer is taken, too."""
    bench = HyperliquidBench(key_refresh_s=60.0)
    bench.venue.size_digits = 3
    bench.venue.price = Decimal(9000)
    await bench.open()
    try:
        await bench.until(MarkPrice)
        await sent(bench, limit(bench, price="5000"))
        bench.venue.step("6000")
        changed = await bench.until(InstrumentChanged)
        assert changed.instrument.tick_size == Decimal("0.1")
        assert await bench.exchange.instruments() == (changed.instrument,)
        bench.venue.engine.list_anew(msgspec.structs.replace(bench.venue.instrument, tick_size=Decimal("0.1")))
        await sent(bench, limit(bench, 2, price="5000.5"))
        resting = await bench.exchange.open_orders()
        assert sorted(record.order.price for record in resting) == [Decimal(5000), Decimal("5000.5")]
    finally:
        await bench.close()


async def test_a_lot_that_changes_while_the_bot_runs_is_found_and_what_is_sent_is_on_it(monkeypatch):
    """No price has moved: what is listed is read again every few hours."""
    monkeypatch.setattr("app.exchanges.ccxt.market.LISTED_AGAIN_S", 0.2)
    bench = HyperliquidBench(key_refresh_s=60.0)
    bench.venue.size_digits = 3
    await bench.open()
    try:
        [before] = await bench.exchange.instruments()
        bench.venue.size_digits = 2
        changed = (await bench.until(InstrumentChanged)).instrument
        assert (before.lot_size, changed.lot_size) == (Decimal("0.001"), Decimal("0.01"))
        assert await bench.exchange.instruments() == (changed,)
        bench.exchange.submit(limit(bench, contracts="0.011"))
        assert "0.01" in (await bench.until(OrderRejected, FIRST)).reason
        await bench.settle(0.5)
        assert [type(event) for event in bench.seen].count(InstrumentChanged) == 1
    finally:
        await bench.close()


async def test_a_tick_that_cannot_be_read_again_is_asked_for_later(monkeypatch):
    monkeypatch.setattr("app.exchanges.ccxt.market.RELIST_AGAIN_S", 0.2)
    bench = HyperliquidBench(key_refresh_s=60.0)
    bench.venue.size_digits = 3
    bench.venue.price = Decimal(6000)
    await bench.open()
    try:
        await bench.until(MarkPrice)
        bench.venue.fail("metaAndAssetCtxs", "empty")
        bench.venue.step("9000")
        assert (await bench.until(InstrumentChanged)).instrument.tick_size == 1
    finally:
        await bench.close()


@pytest.mark.parametrize("how", ["gone", "flagged"])
async def test_a_symbol_that_is_not_listed_any_more_is_closed_by_what_was_known_of_it(monkeypatch, how):
    """Its instrument stays, marked; the account is readable; an exit leaves; that it is listed again is told."""
    monkeypatch.setattr("app.exchanges.ccxt.market.UNLISTED_AGAIN_S", 0.2)
    bench = HyperliquidBench(key_refresh_s=60.0)
    bench.venue.size_digits = 3
    bench.venue.price = Decimal(6000)
    await bench.open()
    try:
        await bench.until(MarkPrice)
        await sent(bench, limit(bench, contracts="2", price="6100"))
        await bench.until(Fill, FIRST)
        [known] = await bench.exchange.instruments()
        bench.venue.unlisted = how
        bench.venue.step("9000")
        assert (await bench.until(InstrumentChanged)).instrument == msgspec.structs.replace(known, is_listed=False)
        [position] = await bench.exchange.positions()
        bench.exchange.submit(limit(bench, 2, side=Side.SELL, contracts=str(position.contracts), price="8000"))
        await bench.until(Fill, "main-1-000002")
        assert await bench.exchange.positions() == ()
        bench.venue.unlisted = None
        assert (await bench.until(InstrumentChanged, after=1)).instrument.is_listed
    finally:
        await bench.close()


async def test_a_symbol_that_a_start_finds_unlisted_is_looked_for(monkeypatch):
    """The venue keeps it among the others, marked: the start goes on, for something may be held of it."""
    monkeypatch.setattr("app.exchanges.ccxt.market.UNLISTED_AGAIN_S", 0.2)
    bench = HyperliquidBench(key_refresh_s=60.0)
    bench.venue.unlisted = "flagged"
    await bench.open()
    try:
        [found] = await bench.exchange.instruments()
        assert not found.is_listed
        await bench.settle(0.3)
        bench.venue.unlisted = None
        assert (await bench.until(InstrumentChanged)).instrument == msgspec.structs.replace(found, is_listed=True)
    finally:
        await bench.close()


async def test_an_answer_without_any_market_unlists_nothing(monkeypatch, warned):
    monkeypatch.setattr("app.exchanges.ccxt.market.RELIST_AGAIN_S", 0.2)
    bench = HyperliquidBench(key_refresh_s=60.0)
    bench.venue.size_digits = 3
    bench.venue.price = Decimal(6000)
    await bench.open()
    try:
        await bench.until(MarkPrice)
        meta, bench.venue._meta = bench.venue._meta, lambda: {"universe": [], "marginTables": [], "collateralToken": 0}
        bench.venue.step("9000")
        while not [line for line in warned if "what is listed cannot be read" in line]:
            await bench.settle(0.1)
        bench.venue._meta = meta
        assert (await bench.until(InstrumentChanged)).instrument.is_listed
    finally:
        await bench.close()
