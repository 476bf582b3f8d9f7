"""What the adapter makes of the messages of venues that it was never run against, through the real client of each.

Over real sockets, but with answers in the form that the venues document: nothing is matched behind them.
"""

from decimal import Decimal
from urllib.parse import parse_qsl

import ccxt
import pytest

from app.domain.order import OrderStatus, OrderType, Side
from app.exchanges.ccxt.orders import order_seen, request_from
from app.exchanges.ccxt.outcome import Outcome, classify
from app.exchanges.ccxt.translate import fill_from, mark_from, trade_client_id
from app.ports.connection import ExchangeUnavailable
from tests.builders import limit, order
from tests.exchanges.ccxt.recorded import bybit, krakenfutures, okx
from tests.exchanges.ccxt.recorded.venue import NOW_NS, recorded

SAMPLES = (bybit, okx, krakenfutures)
FIRST = "main-1-000001"


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.VENUE)
async def at(request):
    async with recorded(request.param) as made:
        yield made


async def test_an_instrument_has_its_steps_and_the_least_that_may_be_ordered(at):
    instrument = at.reader.instruments[at.sample.SYMBOL]
    expected = {name: Decimal(figure) for name, figure in at.sample.EXPECTED_INSTRUMENT.items()}
    assert {name: getattr(instrument, name) for name in expected} == expected
    assert not instrument.inverse


async def test_the_wallet_is_read_without_what_is_not_realized(at):
    assert await at.reader.balance() == Decimal(at.sample.BALANCE)


async def test_a_short_position_is_negative_and_knows_what_it_cost(at):
    [position] = await at.reader.positions()
    assert (position.contracts, position.cost) == tuple(Decimal(figure) for figure in at.sample.POSITION)


async def test_working_orders_are_read_conditional_ones_too(at):
    records = {record.order.client_order_id: record for record in await at.reader.open_orders()}
    first = records[FIRST]
    assert (first.status, first.filled) == (OrderStatus.PARTIALLY_FILLED, Decimal(at.sample.FILLED))
    assert (first.order.type, first.order.side, first.order.contracts, first.order.price) == (
        OrderType.LIMIT,
        Side.BUY,
        Decimal(at.sample.CONTRACTS),
        Decimal(at.sample.PRICE),
    )
    if at.venue.holds_conditional:
        stop = records["main-1-000002"].order
        assert (stop.type, stop.trigger_price, stop.reduce_only) == (OrderType.STOP_MARKET, Decimal(49_000), True)


async def test_an_order_is_found_by_our_id_and_one_that_never_was_is_not(at):
    record = await at.reader.order(at.sample.SYMBOL, FIRST)
    assert (record.order.client_order_id, record.filled) == (FIRST, Decimal(at.sample.FILLED))
    assert await at.reader.order(at.sample.SYMBOL, "main-1-000099") is None


async def test_an_order_that_is_told_is_read(at):
    [payload] = at.tell(at.sample.ORDERS_TOLD)[at.sample.ORDERS]
    seen = order_seen(payload, at.venue, at.ids, NOW_NS)
    assert (seen.client_order_id, seen.symbol) == (FIRST, at.sample.SYMBOL)
    assert (seen.status, seen.filled, seen.contracts) == (
        OrderStatus.PARTIALLY_FILLED,
        Decimal(at.sample.FILLED),
        Decimal(at.sample.CONTRACTS),
    )


def assert_is_our_fill(fill, sample, fee):
    assert (fill.client_order_id, fill.side, fill.contracts, fill.price, fill.fee, fill.fee_currency) == (
        FIRST,
        Side.BUY,
        Decimal(sample.FILL_SIZE),
        Decimal("50000.1"),
        Decimal(fee),
        sample.FILL_FEE[1],
    )
    assert fill.liquidity == "maker"
    assert not fill.liquidation


async def test_a_fill_that_is_told_has_its_order_and_its_fee(at):
    [trade] = at.tell(at.sample.FILLS_TOLD)[at.sample.TRADES]
    assert_is_our_fill(at.reader.fill(trade), at.sample, at.sample.FILL_FEE[0])


async def test_a_fill_that_is_read_is_the_same_one(at):
    [told] = at.tell(at.sample.FILLS_TOLD)[at.sample.TRADES]
    [fill] = await at.reader.fills_since(0)
    assert_is_our_fill(fill, at.sample, getattr(at.sample, "READ_FEE", at.sample.FILL_FEE[0]))
    assert fill.trade_id == at.reader.fill(told).trade_id


async def test_a_liquidation_is_nobodys_order(at):
    [trade] = at.tell(at.sample.LIQUIDATION_TOLD)[at.sample.TRADES]
    name = trade_client_id(trade, at.venue, at.ids)
    fill = fill_from(trade, name, at.venue, at.sample.CURRENCY)
    assert (fill.client_order_id, fill.liquidation, fill.side) == (None, True, Side.SELL)


async def test_old_fills_that_come_first_are_not_told(at):
    if at.sample.OLD_FILLS_TOLD is None:
        pytest.skip("it begins with what happens next")
    assert at.tell(at.sample.OLD_FILLS_TOLD) == {}


async def test_funding_that_was_paid_is_read(at):
    [paid] = await at.reader.funding_since(0)
    assert (paid.symbol, paid.amount, paid.currency) == (
        at.sample.SYMBOL,
        Decimal(at.sample.FUNDING_PAID),
        at.sample.CURRENCY,
    )


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.UNKNOWN, Outcome.FATAL], ids=str)
async def test_an_error_means_what_the_venue_says(at, outcome):
    at.answers[at.sample.SUBMIT] = at.sample.ERRORS[outcome.value]
    sent = limit(FIRST, contracts=at.sample.CONTRACTS, price=at.sample.PRICE, symbol=at.sample.SYMBOL)
    request = request_from(sent, at.venue, at.ids, 5000, None)
    with pytest.raises(ccxt.BaseError) as raised:
        await at.client.create_order(
            request.symbol, request.type, request.side, request.amount, request.price, dict(request.params)
        )
    assert classify(raised.value, wrote=True, duplicate_codes=at.venue.duplicate_codes) is outcome


async def test_what_cannot_be_read_is_no_empty_account(at):
    for part in at.answers:
        at.answers[part] = {}
    for ask in (at.reader.balance, at.reader.positions, at.reader.open_orders, lambda: at.reader.fills_since(0)):
        with pytest.raises(ExchangeUnavailable):
            await ask()


async def test_an_order_that_kraken_says_is_over_was_filled_or_canceled():
    """The message that ends an order names it by the venue's id, and says why."""
    for reason, status, filled in (
        ("full_fill", OrderStatus.FILLED, "0.02"),
        ("cancelled_by_user", OrderStatus.CANCELED, "0.005"),
    ):
        async with recorded(krakenfutures) as at:
            at.tell(krakenfutures.ORDERS_TOLD)
            ended = {"feed": "open_orders", "order_id": krakenfutures.ORDER_ID, "is_cancel": True, "reason": reason}
            [payload] = at.tell(ended)["orders"]
            seen = order_seen(payload, at.venue, at.ids, NOW_NS)
            assert (seen.client_order_id, seen.status, seen.filled) == (FIRST, status, Decimal(filled))


async def test_bybit_is_asked_and_told_to_cancel_by_our_id():
    async with recorded(bybit) as at:
        at.answers["order/cancel"] = bybit._ok({"orderId": "1", "orderLinkId": FIRST})
        await at.client.cancel_order(None, bybit.SYMBOL, {"clientOrderId": FIRST})
        [body] = [body for method, _, body in at.asked if method == "POST"]
        assert f'"orderLinkId":"{FIRST}"' in body.replace(" ", "")
        assert "orderId" not in body


async def test_a_protective_stop_goes_by_the_mark_and_only_reduces(at):
    """As it leaves, in the venue's own words."""
    if not at.venue.holds_conditional:
        pytest.skip("conditional orders are refused there")
    at.answers[at.sample.SUBMIT] = at.sample.ERRORS["rejected"]
    stop = order(
        "main-1-000002", Side.SELL, contracts=at.sample.CONTRACTS, symbol=at.sample.SYMBOL,
        type=OrderType.STOP_MARKET, trigger_price="49000", reduce_only=True,
    )  # fmt: skip
    request = request_from(stop, at.venue, at.ids, 5000, None)
    with pytest.raises(ccxt.BaseError):
        await at.client.create_order(
            request.symbol, request.type, request.side, request.amount, request.price, dict(request.params)
        )
    method, whole, body = at.asked[-1]
    assert method == "POST"
    said = (whole + body).replace(" ", "").lower()
    assert [words for words in at.sample.STOP_SENT if words.lower() not in said] == [], said


async def test_marks_are_told_in_tickers(at):
    if not at.venue.marks_in_tickers:
        pytest.skip("it has a stream of marks alone")
    ticker = at.tell(at.sample.TICKER_TOLD)[f"ticker:{at.sample.SYMBOL}"]
    assert mark_from(ticker, NOW_NS).price == Decimal("50002.31")


@pytest.mark.parametrize(("mode", "most"), [("cross", {}), ("isolated", {"maxLeverage": "7"})])
async def test_at_kraken_the_leverage_decides_the_margin_mode(mode, most):
    async with recorded(krakenfutures) as at:
        at.answers["leveragepreferences"] = krakenfutures._ok()
        await at.client.set_leverage(7, krakenfutures.SYMBOL, {"marginMode": mode})
        method, whole, body = at.asked[-1]
        assert (method, dict(parse_qsl(whole.partition("?")[2] or body))) == ("PUT", {"symbol": "PF_XBTUSD"} | most)
