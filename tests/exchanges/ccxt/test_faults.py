"""What goes wrong between a bot and a venue: the real client over real sockets, against the loopback venue."""

import asyncio
import gc
import json
import time
from decimal import Decimal

import msgspec
import pytest
from loguru import logger

from app.domain.events import (
    CancelRejected,
    Fill,
    FundingPaid,
    OrderAccepted,
    OrderCanceled,
    OrderRejected,
    OrderUnknown,
    StreamReset,
)
from app.domain.margin import MarginMode
from app.domain.market import MS_NS, SECOND_NS, Bar, FundingRate, MarkPrice, Quote
from app.domain.order import OrderStatus, OrderType, Side
from app.exchanges.ccxt.errors import HedgeModeRefused, KeysRefused, NotListed, VenueRefused
from app.ports.connection import ExchangeUnavailable
from app.settings.ccxt import CcxtSettings
from app.settings.models import Settings
from tests.builders import ETH
from tests.builders import limit as limit_order
from tests.builders import order as market_order
from tests.contracts.benches import VENUE_BENCHES, LoopbackBench, venue_settings
from tests.loopback.profile import keys_of

FIRST = "main-1-000001"


CANNOT = {
    "hyperliquid": {
        "test_the_dead_man_is_refreshed_by_progress_and_disarmed_by_a_clean_end": "its switch wants volume first",
        "test_a_clock_that_goes_wrong_later_is_compared_again": "its questions are not signed",
        "test_what_is_asked_may_arrive_later_than_an_order": "as above",
        "test_a_slow_answer_does_not_move_a_clock_that_it_does_not_contradict": "it tells no time",
        "test_keys_that_are_refused_end_the_start": "nothing is signed before the first order",
        "test_hedge_mode_is_refused": "it has no hedge mode",
        "test_a_key_that_expires_in_silence_is_renewed_in_time": "its stream needs no key",
        "test_a_key_that_has_expired_is_renewed_when_a_fill_is_not_told": "as above",
        "test_funding_that_settles_is_told_without_being_asked_for": "it settles at the full hour: test_hyperliquid",
    },
}
"""What there cannot be at a venue, and why."""


@pytest.fixture(params=VENUE_BENCHES, ids=lambda bench: bench.name)
def bench_class(request):
    why = CANNOT.get(request.param.name, {}).get(request.node.originalname)
    if why is not None:
        pytest.skip(why)
    return request.param


@pytest.fixture
async def bench(bench_class):
    made = bench_class(key_refresh_s=60.0)
    await made.open()
    yield made
    await made.close()


def order(bench, number=1, side=Side.BUY, contracts="0.01", **changes):
    named = {"symbol": bench.symbol, "created_ns": time.time_ns()}
    return market_order(f"main-1-{number:06d}", side, contracts, **named, **changes)


def limit(bench, number=1, side=Side.BUY, contracts="0.01", price="40000", **changes):
    named = {"symbol": bench.symbol, "created_ns": time.time_ns()}
    return limit_order(f"main-1-{number:06d}", side, contracts, price=price, **named, **changes)


# -- a market that says no number -----------------------------------------------------------------------------------


async def test_a_funding_rate_that_is_no_number_ends_nothing(bench_class, warned):
    """It is told and left out: what else the market says goes on."""
    bench = bench_class()
    bench.venue.rate = Decimal("NaN")
    await bench.open()
    await bench.until(MarkPrice)
    await bench.settle(0.5)
    assert [line for line in warned if "funding rates left out" in line]
    assert not [event for event in bench.seen if isinstance(event, FundingRate)]
    await bench.close()


@pytest.mark.parametrize("bench_class", [LoopbackBench])
async def test_quotes_that_repeat_or_go_back_are_left_out_and_told_once(bench, warned):
    """Three of the same moment and number, two of two seconds before: none reaches the bot, and one line says so."""
    await bench.until(Quote)
    bench.venue.quiet = True
    await bench.settle(0.3)
    bench.seen.clear()
    now = bench.venue.now_ms
    bench.venue.tell_quote(now, 1_000_000)
    bench.venue.price = Decimal(1)
    for _ in range(3):
        bench.venue.tell_quote(now, 1_000_000)
    for _ in range(2):
        bench.venue.tell_quote(now - 2_000, 999_999)
    await bench.settle(0.5)
    assert {quote.ask for quote in bench.seen if isinstance(quote, Quote)} == {Decimal("50000.1")}
    assert [line for line in warned if "repeat" in line] == ["1 messages left out that repeat, or go back"]
    bench.venue.tell_quote(now, 1_000_001)
    assert (await bench.until(Quote, after=1)).ask == Decimal("1.1")


# -- an order whose answer is lost -------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["hang_executed", "reset_executed", "garbage", "unavailable_executed"])
async def test_what_was_executed_and_not_answered_is_unknown_and_found(bench, fault):
    """Nobody says that it was refused; the stream or a query says that it is there; it is never sent again."""
    bench.venue.event_faults.extend(["drop", "drop"])
    bench.venue.fail("submit", fault)
    bench.exchange.submit(order(bench))
    await bench.until(OrderUnknown, FIRST)
    assert bench.about(FIRST) == ["OrderUnknown"]
    record = await bench.exchange.order(bench.symbol, FIRST)
    assert (record.status, record.filled) == (OrderStatus.FILLED, Decimal("0.01"))
    [fill] = await bench.exchange.fills_since(0)
    assert fill.client_order_id == FIRST
    assert bench.arrived(FIRST) == 1


async def test_what_was_not_executed_and_not_answered_is_unknown_and_not_found(bench):
    bench.venue.fail("submit", "hang")
    bench.exchange.submit(order(bench))
    await bench.until(OrderUnknown, FIRST)
    assert await bench.exchange.order(bench.symbol, FIRST) is None
    assert bench.arrived(FIRST) == 0


async def test_an_order_that_the_stream_told_first_is_not_unknown_any_more(bench):
    bench.venue.fail("submit", "hang_executed")
    bench.exchange.submit(order(bench))
    await bench.until(Fill, FIRST)
    await bench.settle(1.5)
    assert bench.about(FIRST) == ["OrderAccepted", "Fill"]


async def test_the_order_of_acknowledgement_and_fill_does_not_depend_on_the_wire(bench):
    """The stream tells the fill before the answer to the request is here."""
    bench.venue.fail("submit", "slow_answer")
    bench.exchange.submit(order(bench))
    await bench.until(Fill, FIRST)
    await bench.settle(0.5)
    assert bench.about(FIRST) == ["OrderAccepted", "Fill"]


async def test_a_cancel_without_an_answer_is_asked_after(bench):
    resting = limit(bench)
    bench.exchange.submit(resting)
    await bench.until(OrderAccepted, FIRST)
    bench.venue.event_faults.append("drop")
    bench.venue.fail("cancel", "hang_executed")
    bench.exchange.cancel(resting, "asked")
    await bench.until(OrderCanceled, FIRST)


async def test_a_cancel_that_did_not_arrive_is_said_to_be_refused(bench):
    resting = limit(bench)
    bench.exchange.submit(resting)
    await bench.until(OrderAccepted, FIRST)
    bench.venue.fail("cancel", "hang")
    bench.exchange.cancel(resting, "asked")
    await bench.until(CancelRejected, FIRST)
    assert len(await bench.exchange.open_orders()) == 1


@pytest.mark.parametrize("told", [True, False])
async def test_what_a_conditional_order_has_become_is_canceled(bench, told):
    """A stop-limit is triggered and rests under another id of the venue, whether or not the stream said so."""
    stop = order(bench, 1, Side.SELL, type="stop_limit", price="49500", trigger_price="49000")
    bench.exchange.submit(stop)
    await bench.until(OrderAccepted, FIRST)
    if not told:
        bench.venue.event_faults.extend(["drop", "drop"])
    bench.venue.step("48900")
    await bench.settle(0.3)
    bench.exchange.cancel(stop, "asked")
    await bench.until(OrderCanceled, FIRST)
    assert await bench.exchange.open_orders() == ()
    assert bench.about(FIRST)[-1] == "OrderCanceled"


async def test_leverage_is_never_rounded(bench):
    with pytest.raises(VenueRefused, match="whole numbers"):
        await bench.exchange.configure(bench.symbol, MarginMode.CROSS, Decimal("2.5"))
    assert bench.venue.leverage == 20


# -- events of the account ---------------------------------------------------------------------------------------


async def test_whoever_listens_asks_for_nothing(bench):
    """ccxt would ask for positions, past the limiter, and stumble over their numbers, which are text here."""
    await bench.settle(0.3)
    assert bench.venue.listens
    assert not {asked.action for asked in bench.venue.requests} & {"positionRisk", "balance"}


async def test_a_fill_that_is_told_twice_counts_once(bench):
    bench.venue.event_faults.extend(["twice", "twice"])
    bench.exchange.submit(order(bench))
    await bench.until(Fill, FIRST)
    await bench.settle()
    assert bench.about(FIRST) == ["OrderAccepted", "Fill"]


async def test_an_event_that_is_late_never_brings_an_order_back(bench):
    """The acceptance comes after the cancel of its order: it is not told any more."""
    resting = limit(bench)
    bench.venue.event_faults.append("late")
    bench.exchange.submit(resting)
    await bench.until(OrderAccepted, FIRST)
    bench.exchange.cancel(resting, "asked")
    await bench.until(OrderCanceled, FIRST)
    await bench.settle(0.8)
    assert bench.about(FIRST) == ["OrderAccepted", "OrderCanceled"]


async def test_a_fill_that_comes_after_the_end_of_its_order_is_waited_for(bench):
    """Half is filled, and the rest canceled; the cancel is told first, and held back until the fill is here."""
    bench.venue.engine.set_partial_fills(Decimal("0.5"))
    bench.venue.size = Decimal("0.01")
    bench.venue.quiet = True
    bench.venue.event_faults.extend([None, "late"])
    taking = limit(bench, price="50100")
    bench.exchange.submit(taking)
    await bench.until(OrderAccepted, FIRST)
    bench.exchange.cancel(taking, "asked")
    await bench.until(OrderCanceled, FIRST)
    assert bench.about(FIRST) == ["OrderAccepted", "Fill", "OrderCanceled"]


async def test_a_fill_that_never_comes_has_the_books_compared(bench):
    bench.venue.event_faults.extend([None, "drop"])
    bench.exchange.submit(order(bench))
    await bench.until(OrderAccepted, FIRST)
    reset = await bench.until(StreamReset)
    assert FIRST in reset.reason
    assert [fill.contracts for fill in await bench.exchange.fills_since(0)] == [Decimal("0.01")]


async def test_partial_fills_add_up_with_their_fees(bench):
    bench.venue.engine.set_partial_fills(Decimal("0.5"))
    bench.venue.size = Decimal("0.01")
    bench.exchange.submit(limit(bench, contracts="0.02", price=str(bench.venue.ask)))
    await bench.until(Fill, FIRST, after=3)
    fills = [event for event in bench.seen if isinstance(event, Fill)]
    assert [fill.contracts for fill in fills] == [Decimal("0.005")] * 4
    taken, made = (Decimal("0.005") * bench.venue.ask * rate for rate in bench.fee_rates)
    assert [fill.fee for fill in fills] == [taken, made, made, made]
    assert await bench.exchange.balance() == Decimal(10_000) - taken - 3 * made
    assert (await bench.exchange.order(bench.symbol, FIRST)).filled == Decimal("0.02")


async def test_a_fill_of_nobodys_order_moves_the_position(bench):
    bench.venue.trade_by_hand()
    fill = await bench.until(Fill)
    [position] = await bench.exchange.positions()
    assert position.contracts == fill.signed_contracts == Decimal("0.01")


async def test_what_happened_while_the_bot_was_away_for_long_is_all_found(bench):
    """Ten days: a venue that ends an answer after a week, or after a hundred payments, is asked again."""
    bench.venue.trade_by_hand()
    fill = await bench.until(Fill)
    now_ns, hour_ns = bench.now_ns, 3600 * SECOND_NS
    [of_venue] = bench.venue.fills
    bench.venue.fills[:] = [
        msgspec.structs.replace(of_venue, trade_id=f"t{number}", time_ns=now_ns - hours * hour_ns)
        for number, hours in enumerate((230, 100, 1))
    ]
    assert [told.time_ns for told in await bench.exchange.fills_since(now_ns - 240 * hour_ns)] == [
        (now_ns - hours * hour_ns) // MS_NS * MS_NS for hours in (230, 100, 1)
    ]
    bench.venue.fund("0.001")
    [(paid, _)] = bench.venue.settled
    at_ns = [now_ns // hour_ns * hour_ns - hours * hour_ns for hours in range(240, 0, -1)]
    bench.venue.settled[:] = [
        (msgspec.structs.replace(paid, time_ns=time_ns), time_ns // MS_NS + 3) for time_ns in at_ns
    ]
    told = await bench.exchange.funding_since(now_ns - 241 * hour_ns)
    assert [payment.time_ns for payment in told] == at_ns
    assert {payment.contracts for payment in told} == {fill.signed_contracts}


async def test_fills_of_one_moment_that_do_not_go_on_a_page_are_found_or_told(bench, warned, monkeypatch):
    """An order that took seven others at once, on pages of five. Binance has them by ids; hyperliquid only by time."""
    monkeypatch.setattr("app.exchanges.ccxt.account.TRADES_MAX", 5)
    bench.venue.trade_by_hand()
    await bench.until(Fill)
    at_ns = bench.now_ns - 200 * 3600 * SECOND_NS
    [of_venue] = bench.venue.fills
    bench.venue.fills[:] = [
        msgspec.structs.replace(of_venue, trade_id=f"t{number}", time_ns=at_ns) for number in range(1, 8)
    ]
    told = await bench.exchange.fills_since(at_ns - SECOND_NS)
    has_ids = bench.name == "binanceusdm"
    assert len(told) == (7 if has_ids else 5)
    assert len([line for line in warned if "may be missing: 5 are of" in line]) == (0 if has_ids else 1)


@pytest.mark.parametrize(("bench_class", "rate"), [(LoopbackBench, "NaN")])
async def test_a_payment_is_booked_though_its_rate_is_no_number(bench, rate):
    """What was paid is exact; by which rate is not known, and not asked for again."""
    bench.exchange.submit(order(bench))
    await bench.until(Fill, FIRST)
    bench.venue.fund("0.001")
    [(paid, stamp)] = bench.venue.settled
    bench.venue.settled[:] = [(msgspec.structs.replace(paid, rate=Decimal(rate)), stamp)]
    [told] = await bench.exchange.funding_since(0)
    assert (told.amount, told.rate, told.mark_known) == (paid.amount, Decimal(0), False)


@pytest.mark.parametrize("bench_class", [LoopbackBench])
async def test_a_payment_that_is_no_number_makes_the_account_unreadable(bench):
    """Unlike a candle: what is left out would be missing in the books."""
    bench.exchange.submit(order(bench))
    await bench.until(Fill, FIRST)
    bench.venue.fund("0.001")
    [(paid, stamp)] = bench.venue.settled
    bench.venue.settled[:] = [(msgspec.structs.replace(paid, amount=Decimal("NaN")), stamp)]
    with pytest.raises(ExchangeUnavailable, match="not a number"):
        await bench.exchange.funding_since(0)


async def test_funding_is_paid_once_however_often_it_is_asked_for(bench):
    bench.exchange.submit(order(bench))
    await bench.until(Fill, FIRST)
    bench.venue.fund("0.001")
    [paid] = await bench.exchange.funding_since(0)
    [again] = await bench.exchange.funding_since(0)
    assert isinstance(paid, FundingPaid)
    assert paid == again
    # A long of 0.01 at a mark of 50000, 0.1 % of it.
    assert (paid.amount, paid.rate, paid.contracts) == (Decimal("-0.50000000"), Decimal("0.001"), Decimal("0.010"))


async def test_funding_that_settles_is_told_without_being_asked_for(monkeypatch, bench_class):
    """The bot holds a position over a settlement; what it came to is on the stream a little later."""
    monkeypatch.setattr("app.exchanges.ccxt.listener.FUNDING_LOOK_S", 0.1)
    monkeypatch.setattr("app.exchanges.ccxt.listener.FUNDING_LATE_NS", 10**9)
    monkeypatch.setattr("app.exchanges.ccxt.market_streams.FUNDING_EVERY_S", 0.1)
    bench = bench_class()
    await bench.open()
    try:
        bench.exchange.submit(order(bench))
        await bench.until(Fill, FIRST)
        bench.venue.fund("0.001")
        # Sooner than was said at first, as where a venue shortens its interval.
        bench.venue.settles_at_ms = bench.venue.now_ms
        paid = await bench.until(FundingPaid)
        assert paid.amount == Decimal("-0.50000000")
    finally:
        await bench.close()


async def test_the_dead_man_is_refreshed_by_progress_and_disarmed_by_a_clean_end(monkeypatch, bench_class):
    """Without progress nothing is said to the venue, which then cancels what rests."""
    monkeypatch.setattr("app.exchanges.ccxt.dead_man.REFRESHES", 100)
    bench = bench_class(dead_man_s=10)
    await bench.open()
    await bench.settle(0.3)
    said = len(bench.venue.asked("dead man"))
    assert said >= 2
    await asyncio.sleep(0.35)
    assert len(bench.venue.asked("dead man")) <= said + 1
    await bench.close()
    countdowns = [params["countdownTime"] for params in bench.venue.asked("dead man")]
    assert (countdowns[0], countdowns[-1]) == ("10000", "0")


# -- what the venue will not have --------------------------------------------------------------------------------


async def test_too_many_requests_is_a_refusal_and_silence_for_as_long_as_was_said(bench):
    bench.venue.fail("submit", (429, {"Retry-After": "1"}))
    bench.exchange.submit(order(bench))
    refused = await bench.until(OrderRejected, FIRST)
    assert "429" in refused.reason
    asked = len(bench.venue.requests)
    bench.exchange.submit(order(bench, 2))
    assert "banned" in (await bench.until(OrderRejected, "main-1-000002")).reason
    began = time.monotonic()
    await bench.exchange.balance()
    assert time.monotonic() - began > 0.5
    assert bench.arrived("main-1-000002") == 0
    assert len(bench.venue.requests) - asked <= 3


async def test_a_ban_is_kept_by_everybody_but_what_reduces_waits_and_goes(bench):
    bench.exchange.submit(order(bench))
    await bench.until(Fill, FIRST)
    bench.venue.fail("balance", (418, {"Retry-After": "1"}))
    with pytest.raises(ExchangeUnavailable, match="418"):
        await bench.exchange.balance()
    bench.exchange.submit(order(bench, 2, Side.SELL, reduce_only=True))
    await bench.until(Fill, "main-1-000002")
    assert await bench.exchange.positions() == ()


async def test_local_refusals_leave_no_trace_on_the_wire(bench):
    for number, wrong in enumerate(
        [
            {"contracts": "0.0001"},
            {"contracts": str(bench.venue.instrument.lot_size * Decimal("1000.5"))},
            {"price": "40000.05"},
            {"contracts": "0.001", "price": "9000"},
            {"contracts": "2000000000"},
        ],
        1,
    ):
        bench.exchange.submit(limit(bench, number, **wrong))
        await bench.until(OrderRejected, f"main-1-{number:06d}")
    bench.exchange.submit(order(bench, 9, type=OrderType.TRAILING_STOP, trailing_offset="10"))
    await bench.until(OrderRejected, "main-1-000009")
    assert "submit" not in bench.venue.writes


async def test_the_clock_may_be_wrong_by_ten_seconds(bench_class):
    bench = bench_class()
    bench.venue.skew_ms = 10_000
    await bench.open()
    try:
        assert abs(bench.exchange.now_ns - bench.venue.now_ns) < 10**9
        bench.exchange.submit(order(bench))
        await bench.until(Fill, FIRST)
    finally:
        await bench.close()


async def test_a_clock_that_goes_wrong_later_is_compared_again(bench):
    bench.venue.skew_ms = 10_000
    with pytest.raises(ExchangeUnavailable, match="recvWindow"):
        await bench.exchange.balance()
    await bench.settle(1)
    assert await bench.exchange.balance() == Decimal(10_000)


async def test_what_is_asked_may_arrive_later_than_an_order(bench_class):
    """To the venue everything is six seconds old: a slow machine reads its account, and sends no order."""
    bench = bench_class(request_timeout_s=8.0)
    await bench.open()
    try:
        bench.venue.skew_ms = 6_000
        assert await bench.exchange.balance() == Decimal(10_000)
        bench.exchange.submit(order(bench))
        refused = await bench.until(OrderRejected, FIRST)
        assert "recvWindow" in refused.reason
    finally:
        await bench.close()


async def test_a_slow_answer_does_not_move_a_clock_that_it_does_not_contradict(bench):
    """Both clocks are this machine's: no answer, however slow, contradicts that they are one."""
    session = bench.exchange._market.session
    session._offset_ns = 0
    bench.venue.fail("time", "slow_answer")
    await bench.exchange._market.measure_clock()
    assert session.offset_s == 0


async def test_keys_that_are_refused_end_the_start(bench_class):
    bench = bench_class()
    bench.venue.refuse_keys()
    with pytest.raises(KeysRefused, match="api_key"):
        await bench.open()
    await bench.close()


async def test_keys_that_are_taken_back_end_the_bot(bench):
    bench.venue.refuse_keys()
    bench.exchange.submit(order(bench))
    await bench.until(OrderRejected, FIRST)
    with pytest.raises(VenueRefused, match="refuses the keys"):
        await bench.settle(1)


async def test_hedge_mode_is_refused(bench_class):
    bench = bench_class()
    bench.venue.hedged = True
    with pytest.raises(HedgeModeRefused, match="one-way"):
        await bench.open()
    await bench.close()


async def test_a_symbol_that_is_not_listed_is_refused(bench_class):
    from app.exchanges.ccxt import CcxtMarket

    bench = bench_class()
    await bench.venue.start()
    market = CcxtMarket(venue_settings(bench.venue).exchange.ccxt, [ETH], valid_s=5)
    with pytest.raises(NotListed, match="ETH/USDT:USDT"):
        await market.connect()
    await market.close()
    await bench.venue.stop()


async def test_whoever_asks_before_connecting_is_told_what_comes_first():
    from app.exchanges.ccxt import CcxtExchange, CcxtMarket

    settings = Settings(exchange={"adapter": "ccxt", "ccxt": {"venue": "binanceusdm"}})
    market, exchange = CcxtMarket(settings.exchange.ccxt, [ETH], valid_s=5), CcxtExchange(settings, [ETH])
    for ask in (market.next_event, exchange.next_event, lambda: exchange.submit(market_order(FIRST, Side.BUY, "1"))):
        with pytest.raises(RuntimeError, match=r"connect\(\) comes first"):
            ask()
    for question in (market.history(ETH, 60, 1), exchange.balance(), exchange.examine()):
        with pytest.raises(RuntimeError, match=r"connect\(\) comes first"):
            await question
    await exchange.close()
    await market.close()


async def test_a_venue_that_was_never_tried_needs_a_word():
    from app.exchanges.ccxt import CcxtMarket

    market = CcxtMarket(CcxtSettings(venue="okx"), [], valid_s=5)
    with pytest.raises(VenueRefused, match="experimental"):
        await market.connect()
    await market.close()


async def test_connecting_changes_nothing(bench):
    await bench.settle(0.5)
    assert bench.venue.writes == []


async def test_what_is_set_already_is_success_and_what_is_refused_is_not(bench):
    await bench.exchange.configure(bench.symbol, MarginMode.CROSS, Decimal(7))
    assert bench.venue.leverage == 7
    bench.venue.fail("leverage", "garbage")
    with pytest.raises(ExchangeUnavailable, match="says nothing"):
        await bench.exchange.configure(bench.symbol, MarginMode.CROSS, Decimal(7))


# -- sockets -----------------------------------------------------------------------------------------------------


async def test_a_socket_that_is_closed_is_opened_again_and_what_was_missed_is_asked_for(bench):
    await bench.venue.drop_sockets("private")
    bench.venue.trade_by_hand()
    await bench.until(StreamReset, after=1)
    assert [fill.contracts for fill in await bench.exchange.fills_since(0)] == [Decimal("0.01")]
    bench.exchange.submit(order(bench))
    await bench.until(Fill, FIRST)


async def test_what_the_account_trades_elsewhere_is_not_told_and_warned_of_once(bench, mocker):
    """The streams tell the whole account; the bot is told of the symbols that it trades."""
    bought, warned = {"binanceusdm": "BTCUSDT", "hyperliquid": "BTC"}[bench.name], []
    send = bench.venue._send_account

    def renamed(messages):
        send(json.loads(json.dumps(messages).replace(f'"{bought}"', f'"{bought.replace("BTC", "DOGE")}"')))

    sink = logger.add(lambda line: warned.append(str(line)), level="WARNING")
    mocker.patch.object(bench.venue, "_send_account", renamed)
    bench.venue.trade_by_hand()
    bench.venue.trade_by_hand()
    await bench.settle()
    mocker.stopall()
    bench.exchange.submit(order(bench))
    fill = await bench.until(Fill)
    logger.remove(sink)

    assert fill.client_order_id == FIRST
    assert {event.symbol for event in bench.seen if hasattr(event, "client_order_id")} == {bench.symbol}
    assert len([line for line in warned if "not configured" in line]) == 1


async def test_an_order_that_waited_too_long_for_its_turn_is_refused_unsent(bench, monkeypatch):
    """Whoever asked for it may have concluded that it is not there: valid for 5 s, it is sent after 6 s by nobody."""
    asked_s = iter((100.0, 106.0))
    monkeypatch.setattr("app.exchanges.ccxt.sender.now_s", lambda: next(asked_s))
    bench.exchange.submit(order(bench))
    assert "not sent: it waited too long" in (await bench.until(OrderRejected, FIRST)).reason
    assert bench.arrived(FIRST) == 0


async def test_nothing_grows_while_nobody_listens_to_the_account(bench):
    """What reduces goes out all the same."""
    bench.exchange.submit(order(bench))
    await bench.until(Fill, FIRST)
    await bench.venue.drop_sockets("private")
    await bench.until(StreamReset)
    bench.exchange.submit(order(bench, 2))
    assert "nobody listens" in (await bench.until(OrderRejected, "main-1-000002")).reason
    bench.exchange.submit(order(bench, 3, Side.SELL, reduce_only=True))
    await bench.until(OrderAccepted, "main-1-000003")
    assert bench.arrived("main-1-000002") == 0
    assert await bench.exchange.positions() == ()


async def test_a_bug_in_a_task_of_the_adapter_ends_the_bot_aloud(bench):
    async def fails():
        raise ArithmeticError("a bug")

    bench.exchange._market.session.spawn(fails(), "bug")
    with pytest.raises(ArithmeticError):
        await bench.settle(1)


async def test_bars_of_a_length_that_the_venue_has_not_are_built_of_shorter_ones(bench):
    """Two minutes of one minute each; the stream goes on where history ended."""
    bars = await bench.exchange.history(bench.symbol, 120, 2)
    await bench.settle(0.5)
    assert all(bar.interval_s == 120 for bar in bars)
    streams = bench.exchange._market.streams
    assert streams._intervals == {bench.symbol: 60}
    assert streams._candles[bench.symbol].closed_ns >= bars[-1].time_ns


async def test_the_market_comes_back_after_its_sockets_were_closed(bench):
    await bench.until(Quote)
    await bench.venue.drop_sockets()
    await bench.settle(1.5)
    bench.seen.clear()
    await bench.until(MarkPrice)
    await bench.until(Quote)


async def test_a_socket_that_is_half_open_is_found_by_its_silence(bench_class):
    bench = bench_class(stream_silence_s_max=0.5, ping_every_s=0.3)
    await bench.open()
    try:
        await bench.until(MarkPrice)
        bench.venue.frozen = True
        await bench.until(StreamReset)
        bench.venue.frozen = False
        await bench.until(StreamReset, after=1)
        bench.seen.clear()
        await bench.until(MarkPrice)
        bench.exchange.submit(order(bench))
        await bench.until(Fill, FIRST)
    finally:
        await bench.close()


async def test_a_key_that_expires_in_silence_is_renewed_in_time(bench_class):
    """The venue tells nobody, and sends nothing any more; the stream is opened anew by our own timer."""
    bench = bench_class(key_refresh_s=0.6)
    await bench.open()
    try:
        bench.venue.expire_keys()
        bench.venue.trade_by_hand()
        await bench.until(StreamReset, after=1)
        assert len(await bench.exchange.fills_since(0)) == 1
        assert len(bench.venue.asked("listen")) >= 2
        bench.exchange.submit(order(bench))
        await bench.until(Fill, FIRST)
    finally:
        await bench.close()


async def test_a_key_that_has_expired_is_renewed_when_a_fill_is_not_told(bench):
    """The answer says that the order is filled, and then no stream says anything: the next fill is told again."""
    bench.venue.expire_keys()
    await _is_heard_again_after_a_fill(bench)
    assert len(bench.venue.asked("listen")) == 2


async def test_a_stream_that_has_died_in_silence_is_opened_anew_when_a_fill_is_not_told(bench, monkeypatch):
    hears, dead = bench.venue.hears, set(bench.venue.sockets)
    monkeypatch.setattr(bench.venue, "hears", lambda socket: socket not in dead and hears(socket))
    await _is_heard_again_after_a_fill(bench)


async def _is_heard_again_after_a_fill(bench):
    bench.exchange.submit(order(bench))
    missed, broke, back = [await bench.until(StreamReset, after=count) for count in range(3)]
    assert missed.reason == f"fills of {FIRST} did not come"
    assert "it told nothing of what was filled" in broke.reason
    assert back.reason == f"back after: {broke.reason}"
    bench.exchange.submit(order(bench, 2))
    await bench.until(Fill, "main-1-000002")


async def test_a_stream_that_has_died_in_silence_is_opened_anew_when_a_comparison_comes_upon_a_fill(bench, monkeypatch):
    """No order's answer says it: what was filled rested, or was a stop."""
    await bench.settle(1.2)
    hears, dead = bench.venue.hears, set(bench.venue.sockets)
    monkeypatch.setattr(bench.venue, "hears", lambda socket: socket not in dead and hears(socket))
    bench.venue.trade_by_hand()
    assert len(await bench.exchange.fills_since(0)) == 1
    await bench.settle(1.2)
    assert not _resets(bench)
    assert len(await bench.exchange.fills_since(0)) == 1
    assert "it told nothing of what was filled" in (await bench.until(StreamReset)).reason
    await bench.until(StreamReset, after=1)
    bench.venue.trade_by_hand()
    await bench.until(Fill)


async def test_a_stream_that_goes_on_telling_nothing_is_not_opened_anew_again_and_again(bench, monkeypatch):
    """It may lag, and would never come to what it has to tell if each was closed at once."""
    monkeypatch.setattr(bench.venue, "hears", lambda _: False)
    for number in (1, 2):
        bench.exchange.submit(order(bench, number))
        while f"fills of main-1-{number:06d} did not come" not in _resets(bench):
            await bench.take()
        await bench.settle(1.5)
    assert len([why for why in _resets(bench) if why.startswith("back after")]) == 1


async def test_one_message_that_is_lost_is_no_reason_to_open_the_stream_anew(bench):
    bench.venue.event_faults.append("drop")  # its acceptance
    bench.venue.event_faults.append("drop")  # its fill
    bench.exchange.submit(order(bench))
    await bench.until(OrderAccepted, FIRST)
    bench.exchange.submit(limit(bench, 2))
    missed = await bench.until(StreamReset)
    assert missed.reason == f"fills of {FIRST} did not come"
    await bench.settle(1)
    assert _resets(bench) == [missed.reason]


def _resets(bench):
    return [event.reason for event in bench.seen if isinstance(event, StreamReset)]


async def test_candles_are_told_once_each_when_they_are_over(bench_class):
    bench = bench_class()
    await bench.open()
    try:
        [last] = await bench.exchange.history(bench.symbol, 60, 1)
        await bench.settle(0.5)
        bars = [event for event in bench.seen if isinstance(event, Bar)]
        assert all(bar.time_ns > last.time_ns for bar in bars)
        assert len({bar.time_ns for bar in bars}) == len(bars)
    finally:
        await bench.close()


# -- a life after another ----------------------------------------------------------------------------------------


async def test_another_start_finds_orders_and_position_and_takes_their_fills(bench):
    bench.exchange.submit(order(bench))
    await bench.until(Fill, FIRST)
    bench.exchange.submit(limit(bench, 2))
    await bench.until(OrderAccepted, "main-1-000002")
    await bench.restart()
    [position] = await bench.exchange.positions()
    [record] = await bench.exchange.open_orders()
    assert (position.contracts, record.order.client_order_id) == (Decimal("0.01"), "main-1-000002")
    [fill] = await bench.exchange.fills_since(0)
    assert fill.client_order_id == FIRST
    bench.venue.step("39000")
    fill = await bench.until(Fill, "main-1-000002")
    assert fill.price == Decimal(40_000)


async def test_closing_leaves_no_task_and_no_socket(bench):
    await bench.settle(0.2)
    await bench.exchange.close()
    await asyncio.sleep(0.1)
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("exchange.")] == []
    assert bench.venue.sockets == {}


# -- secrets -----------------------------------------------------------------------------------------------------


async def test_no_secret_is_logged_printed_or_raised(bench, capfd, caplog):
    """Through errors of all kinds, neither key nor secret comes out anywhere."""
    said = []
    sink = logger.add(said.append, level="TRACE")
    caplog.set_level(0)
    caplog.set_level("WARNING", "aiohttp.access")  # the venue's own
    for fault in ("garbage", "unavailable_executed", (429, {"Retry-After": "1"})):
        bench.venue.fail("balance", fault)
        with pytest.raises(ExchangeUnavailable) as caught:
            await bench.exchange.balance()
        said.append(f"{caught.value!r} {caught.value}")
    bench.venue.fail("submit", "reset_executed")
    bench.exchange.submit(order(bench))
    await bench.settle(1)
    logger.remove(sink)
    client = bench.exchange._connected.line.client
    with pytest.raises(ValueError, match="verbose"):
        client.verbose = True
    said += [repr(bench.exchange), repr(client), repr(bench.exchange._settings), repr(bench.seen)]
    said += [*capfd.readouterr(), caplog.text]
    text = " ".join(str(item) for item in said)
    secrets = {name: value for name, value in keys_of(bench.venue).items() if name != "wallet_address"}
    assert [name for name, value in secrets.items() if value in text] == []
    assert "signature=" not in text
    gc.collect()


async def test_a_market_without_streams_of_its_own_kind_is_asked(monkeypatch, bench_class):
    """Where a venue streams neither the top of the book nor candles together, books and questions stand in."""
    monkeypatch.setattr("app.exchanges.ccxt.market_streams.CANDLES_EVERY_S", 0.1)
    bench = bench_class()
    await bench.open()
    try:
        client = bench.exchange._market.line.client
        client.has = client.has | {"watchOHLCVForSymbols": None, "watchOHLCV": False, "watchMarkPrices": None}
        await bench.settle(0.5)
        assert len(bench.venue.asked("candles")) >= 2
        await bench.until(MarkPrice)
    finally:
        await bench.close()
