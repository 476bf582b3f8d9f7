"""The pure parts of the ccxt adapter: errors, ids, candles, translation, the limiter's order."""

import asyncio
from decimal import Decimal

import ccxt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.events import (
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
    OrderUnknown,
)
from app.domain.market import SECOND_NS, Bar
from app.domain.order import OrderStatus, OrderType
from app.exchanges.ccxt.candles import Candles
from app.exchanges.ccxt.client_ids import HexIds
from app.exchanges.ccxt.fields import number
from app.exchanges.ccxt.guarded import TooManyRequests
from app.exchanges.ccxt.history import History
from app.exchanges.ccxt.limiter import Limiter, Urgency
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.order_facts import OrderFacts
from app.exchanges.ccxt.orders import NotHeldThere, OrderSeen, order_seen, request_from, venue_params
from app.exchanges.ccxt.outcome import Outcome, classify, in_words, says
from app.exchanges.ccxt.queue import EventQueue
from app.exchanges.ccxt.succession import LATE_NS_MAX, Succession
from app.exchanges.ccxt.translate import fill_from, instrument_from, position_from
from app.exchanges.ccxt.venues import VENUES, UnreadableAnswer
from app.timing import SequentialIds, run_virtual
from tests.builders import BTC, ETH, fill, instrument, limit, mark, order, quote

BINANCE = VENUES["binanceusdm"]
MINUTE = 60 * 10**9
ERRORS = [error for error in vars(ccxt).values() if isinstance(error, type) and issubclass(error, BaseException)]


# -- what an error means -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ccxt.InsufficientFunds("x"), Outcome.REJECTED),
        (ccxt.InvalidOrder("-4164"), Outcome.REJECTED),
        (ccxt.InvalidNonce("-1021"), Outcome.REJECTED),
        (TooManyRequests(429, 1), Outcome.REJECTED),
        (ccxt.InvalidOrder('{"code":-4116}'), Outcome.UNKNOWN),
        (ccxt.ExchangeError("a code that nobody knows"), Outcome.UNKNOWN),
        (ccxt.ExchangeNotAvailable("connection reset"), Outcome.UNKNOWN),
        (ccxt.RequestTimeout("x"), Outcome.UNKNOWN),
        (ccxt.BadResponse("x"), Outcome.UNKNOWN),
        (ccxt.NetworkError("x"), Outcome.UNKNOWN),
        (KeyError("id"), Outcome.UNKNOWN),
        (ccxt.AuthenticationError("x"), Outcome.FATAL),
        (ccxt.PermissionDenied("x"), Outcome.FATAL),
    ],
)
def test_only_a_definite_refusal_is_a_rejection(error, outcome):
    assert classify(error, wrote=True, duplicate_codes=BINANCE.duplicate_codes) is outcome


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_of_the_library_means_something(kind):
    """A network error is never a rejection, but for those that say that nothing was done."""
    written, read = classify(kind("x"), wrote=True), classify(kind("x"), wrote=False)
    assert read is not Outcome.UNKNOWN
    if issubclass(kind, ccxt.NetworkError) and not issubclass(kind, ccxt.InvalidNonce | ccxt.RateLimitExceeded):
        assert written is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('binance {"code":-4046,"msg":"No need to change margin type."}', True),
        ("okx 59000", True),
        ("refused at 1759000123", False),
        ("order 590001", False),
        ("-40461", False),
    ],
)
def test_a_code_is_not_a_part_of_a_longer_number(text, said):
    """A refusal that names a time or an id must not pass for \"it is set already\"."""
    assert says(ccxt.ExchangeError(text), ("-4046", "59000")) is said


def test_words_of_an_error_hold_no_query():
    words = in_words(ccxt.ExchangeNotAvailable("binanceusdm GET https://fapi.binance.com/fapi/v1/order?signature=abc"))
    assert words == "ExchangeNotAvailable: binanceusdm GET https://fapi.binance.com/fapi/v1/order"
    assert in_words(ValueError()) == "ValueError"


# -- ids ---------------------------------------------------------------------------------------------------------


@given(epoch=st.integers(0, 999_999), sequence=st.integers(1, 2**32 - 1))
def test_packed_ids_come_back(epoch, sequence):
    ids = HexIds("my-account", prefix="0x")
    ours = f"my-account-{epoch}-{sequence:06d}"
    packed = ids.to_venue(ours)
    assert len(packed) == 34
    assert HexIds("my-account", prefix="0x").from_venue(packed) == ours
    assert HexIds("another", prefix="0x").from_venue(packed) == packed


@given(instance=st.integers(0, 2**24 - 1), epoch=st.integers(0, 999_999), sequence=st.integers(1, 2**32 - 1))
def test_packed_ids_say_which_journal_made_them(instance, epoch, sequence):
    """Whoever reads them knows an order of another folder of the bot, although it never sent it."""
    ids = HexIds("my-account", prefix="0x")
    ours = f"my-account-{instance:06x}x{epoch}-{sequence:06d}"
    packed = ids.to_venue(ours)
    assert len(packed) == 34
    assert HexIds("my-account", prefix="0x").from_venue(packed) == ours
    assert HexIds("another", prefix="0x").from_venue(packed) == packed


@pytest.mark.parametrize("instance", ["", "4fa9c2"])
def test_packed_ids_of_an_account_whose_name_had_to_be_cut_come_back_after_a_restart(instance):
    ours = SequentialIds("a_long_account_name", 3, instance).next_client_order_id()
    packed = HexIds("a_long_account_name", prefix="").to_venue(ours)
    assert HexIds("a_long_account_name", prefix="").from_venue(packed) == ours


def test_what_is_no_id_of_a_bot_is_not_packed():
    with pytest.raises(ValueError, match="'manual' is no client order id"):
        HexIds("main", prefix="").to_venue("manual")


@given(st.text(max_size=40))
def test_ids_of_strangers_come_back_as_they_are_or_as_ours(text):
    assert HexIds("main", prefix="").from_venue(text)[:5] in {text[:5], "main-"}


# -- candles -----------------------------------------------------------------------------------------------------


def candle(minute, close="100"):
    return Bar(BTC, minute * MINUTE, 60, *[Decimal(close)] * 4, Decimal(1))


def test_a_candle_is_over_when_the_next_begins_and_told_once():
    candles = Candles(60)
    assert candles.take([candle(1, "100")]) == []
    assert candles.take([candle(1, "101")]) == []
    assert candles.take([candle(2)]) == [candle(1, "101")]
    assert candles.take([candle(1, "99"), candle(2)]) == []


def test_a_candle_that_nothing_follows_is_over_after_its_time():
    candles = Candles(60)
    candles.take([candle(1)])
    assert candles.due(MINUTE) == []
    assert candles.due(MINUTE + 2 * 10**9) == [candle(1)]
    assert candles.due(MINUTE + 9 * 10**9) == []


@given(st.lists(st.integers(1, 20), min_size=1))
def test_closed_candles_rise_whatever_comes(minutes):
    candles = Candles(60)
    told = [bar.time_ns for minute in minutes for bar in candles.take([candle(minute)])]
    assert told == sorted(set(told))


# -- the order of facts ------------------------------------------------------------------------------------------


def seen(status=OrderStatus.OPEN, filled="0", venue_order_id="7"):
    return OrderSeen(
        client_order_id="o1",
        venue_order_id=venue_order_id,
        symbol=BTC,
        status=status,
        filled=Decimal(filled),
        contracts=Decimal(2),
        time_ns=5,
    )


OBSERVATIONS = {
    "open": lambda facts: facts.see(seen()),
    "partly": lambda facts: facts.see(seen(OrderStatus.PARTIALLY_FILLED, "1")),
    "canceled": lambda facts: facts.see(seen(OrderStatus.CANCELED, "1")),
    "fill": lambda facts: facts.fill(fill(trade_id="t1", client_order_id="o1", contracts="1")),
    "unknown": lambda facts: facts.end(OrderUnknown("o1", BTC, 5, "lost")),
    "rejected": lambda facts: facts.end(OrderRejected("o1", BTC, 5, "no")),
}


@given(st.lists(st.sampled_from(sorted(OBSERVATIONS)), max_size=12))
def test_facts_keep_their_order_whatever_the_wire_does(names):
    """Accepted at most once and before any fill, each fill once, the end once and last of the order's own facts."""
    facts = OrderFacts()
    facts.sent(order("o1"))
    told = [event for name in names for event in OBSERVATIONS[name](facts)]
    kinds = [type(event) for event in told]
    assert kinds.count(OrderAccepted) <= 1
    assert kinds.count(Fill) <= 1
    ends = [kind for kind in kinds if kind in {OrderCanceled, OrderExpired, OrderRejected}]
    assert len(ends) <= 1
    if Fill in kinds and OrderRejected not in kinds:
        assert OrderAccepted in kinds[: kinds.index(Fill)]
    if OrderCanceled in kinds:
        assert "fill" in names
        assert kinds.index(Fill) < kinds.index(OrderCanceled)


def test_what_is_refused_when_it_is_triggered_is_canceled():
    facts = OrderFacts()
    facts.see(seen())
    [event] = facts.see(seen(OrderStatus.REJECTED))
    assert isinstance(event, OrderCanceled)


def test_a_trigger_is_told_once_whether_or_not_the_order_gets_another_id():
    facts = OrderFacts()
    facts.sent(order("o1", type=OrderType.STOP_LIMIT, price="99", trigger_price="100"))
    facts.see(seen())
    triggered = msgspec.structs.replace(seen(), triggered=True)
    assert [type(event) for event in facts.see(triggered)] == [OrderTriggered]
    assert facts.see(triggered) == []
    assert facts.see(seen(venue_order_id="8")) == []


# -- translation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", "x", "NaN", "Infinity", {}])
def test_what_is_no_number_is_unreadable(value):
    with pytest.raises(UnreadableAnswer, match="not a number"):
        number(value, "price")


def test_a_fee_that_was_charged_and_lost_is_no_free_trade():
    """The library gives no fee, and the venue's own text has one: that is not zero."""
    trade = {
        "id": "1", "order": "2", "symbol": BTC, "side": "buy", "amount": "1", "price": "100", "timestamp": 1,
        "fee": {"cost": None}, "info": {"n": "0.05"},
    }  # fmt: skip
    with pytest.raises(UnreadableAnswer, match="fee"):
        fill_from(trade, "o1", BINANCE, "USDT")
    assert fill_from(trade | {"info": {}}, "o1", BINANCE, "USDT").fee == 0


@pytest.mark.parametrize("missing", ["id", "status", "symbol"])
def test_an_answer_without_its_essentials_is_unreadable(missing):
    whole = {"id": "1", "clientOrderId": "o1", "status": "open", "symbol": BTC, "filled": "0"}
    order_seen(whole, BINANCE, BINANCE.ids("main"), 1)
    with pytest.raises(UnreadableAnswer, match=missing):
        order_seen(whole | {missing: None}, BINANCE, BINANCE.ids("main"), 1)


@pytest.mark.parametrize(
    ("filled", "status"), [("2", OrderStatus.FILLED), ("0.5", OrderStatus.CANCELED), (None, OrderStatus.FILLED)]
)
def test_an_order_that_is_over_and_not_full_was_canceled(filled, status):
    """Where a venue calls over what a taker could not fill; what does not say how much was filled decides nothing."""
    payload = {"id": "1", "clientOrderId": "o1", "status": "closed", "symbol": BTC, "amount": "2", "filled": filled}
    assert order_seen(payload, BINANCE, BINANCE.ids("main"), 1).status is status


def test_an_order_without_a_name_goes_by_the_venues_id():
    payload = {"id": "77", "clientOrderId": None, "status": "open", "symbol": BTC}
    ids = HexIds("main", prefix="0x")
    named = order_seen(payload, BINANCE, ids, 1).client_order_id
    assert named == "#77"
    assert venue_params(named, ids) == ("77", {})
    theirs = "0x" + "ab" * 16
    assert venue_params(theirs, ids) == (None, {"clientOrderId": theirs})


def test_a_short_position_is_negative_and_knows_what_it_cost():
    payload = {"symbol": BTC, "contracts": "2", "side": "short", "entryPrice": "100.5"}
    position = position_from(payload, instrument())
    assert (position.contracts, position.cost) == (Decimal(-2), Decimal("-201.0"))
    assert position_from(payload | {"contracts": "0"}, instrument()) is None


def test_margin_tiers_are_continuous_over_their_edges():
    market = {
        "symbol": BTC, "base": "BTC", "quote": "USDT", "settle": "USDT", "contractSize": "1", "maker": "0.0002",
        "taker": "0.0005", "precision": {"price": "0.1", "amount": "0.001"},
        "limits": {"amount": {"min": "0.001", "max": "1000"}, "cost": {"min": "5"}, "market": {"max": "100"}},
    }  # fmt: skip
    tiers = [
        {"maxNotional": "50000", "maintenanceMarginRate": "0.004", "maxLeverage": "100"},
        {"maxNotional": "500000", "maintenanceMarginRate": "0.01", "maxLeverage": "50"},
    ]
    listed = instrument_from(market, tiers, BINANCE)
    # The first 50000 would cost 0.6 % less than in the tier above.
    assert listed.margin_tiers[1].maintenance_deduction == 300
    assert listed.contracts_max == 100


def test_an_order_goes_out_in_the_venues_words():
    request = request_from(
        limit("main-1-000001", price="100.5", post_only=True, reduce_only=True),
        BINANCE,
        BINANCE.ids("main"),
        5000,
        None,
    )
    assert (request.type, request.side, request.amount, request.price) == ("limit", "buy", "1", "100.5")
    assert request.params == {
        "clientOrderId": "main-1-000001",
        "recvWindow": 5000,
        "reduceOnly": True,
        "postOnly": True,
    }


def test_what_a_venue_does_not_hold_is_refused():
    stop = order("main-1-000001", type="stop_market", trigger_price="90")
    with pytest.raises(NotHeldThere, match="okx"):
        request_from(stop, VENUES["okx"], VENUES["okx"].ids("main"), 5000, None)


@pytest.mark.parametrize(
    ("venue", "info", "balance"),
    [
        ("binanceusdm", {"assets": [{"asset": "USDT", "walletBalance": "12.34"}]}, "12.34"),
        ("bybit", {"result": {"list": [{"coin": [{"coin": "USDT", "walletBalance": "5.5"}]}]}}, "5.5"),
        ("okx", {"data": [{"details": [{"ccy": "USDT", "cashBal": "7"}]}]}, "7"),
        (
            "hyperliquid",
            {"marginSummary": {"accountValue": "100.5"}, "assetPositions": [{"position": {"unrealizedPnl": "-1.5"}}]},
            "102.0",
        ),
        ("krakenfutures", {"accounts": {"flex": {"currencies": {"USDT": {"quantity": "3"}}}}}, "3"),
    ],
)
def test_the_wallet_holds_no_unrealized_profit(venue, info, balance):
    assert VENUES[venue].wallet_balance(info, "USDT") == Decimal(balance)
    with pytest.raises(UnreadableAnswer):
        VENUES[venue].wallet_balance({}, "USDT")


# -- history -----------------------------------------------------------------------------------------------------


async def test_a_past_candle_that_cannot_be_true_is_in_no_bar():
    """Of four minutes the third is nonsense: the second bar of two minutes is made of the fourth alone."""
    rows = [[minute * 60_000, "100", "101", "99", "100", "1"] for minute in range(4)]
    rows[2] = [2 * 60_000, "-5", "200", "-5", "100", "-1"]

    class Client:
        async def fetch_ohlcv(self, symbol, timeframe, since, most):
            return [row for row in rows if row[0] >= since][:most]

    limiter = Limiter(100, 100)
    history = History(Line(Client(), "binanceusdm", limiter, lambda: None), candles_max=3)
    [_, second] = await history.bars(BTC, 120, 2, 4 * MINUTE)
    assert (second.time_ns, second.open, second.low, second.high, second.volume) == (4 * MINUTE, 100, 99, 101, 1)
    limiter.close()


@pytest.mark.parametrize("flawed", [["120000", "NaN", "NaN", "NaN", "NaN", "0"], [120_000, "100"], None, [None] * 6])
async def test_a_past_candle_that_is_none_hides_no_other_and_stays_a_gap(flawed, warned):
    """Of four minutes the third is no candle; the others are there, and it is said once."""
    rows = [[minute * 60_000, "100", "101", "99", "100", "1"] for minute in range(4)]

    class Client:
        async def fetch_ohlcv(self, symbol, timeframe, since, most):
            return [flawed if row[0] == 120_000 else row for row in rows if row[0] >= since][:most]

    limiter = Limiter(100, 100)
    history = History(Line(Client(), "binanceusdm", limiter, lambda: None), candles_max=500)
    bars = await history.bars(BTC, 60, 4, 4 * MINUTE)
    assert [bar.time_ns // MINUTE for bar in bars] == [1, 2, 4]
    [told] = warned
    assert f"1 of 4 past candles of {BTC} left out" in told
    limiter.close()


# -- the order of what is told ------------------------------------------------------------------------------------


def test_what_repeats_or_goes_back_is_counted_and_told_once_a_minute(warned):
    """The first is told at once; the eleven of the following minute together, by the next after it."""
    told = Succession("quotes")
    assert told.follows(BTC, MINUTE, 7, MINUTE)
    for second in range(12):
        now_ns = MINUTE + second * SECOND_NS
        assert not told.follows(BTC, MINUTE, 7, now_ns)
    assert not told.follows(BTC, MINUTE - 1, None, 2 * MINUTE)
    assert warned == ["1 messages left out that repeat, or go back", "12 messages left out that repeat, or go back"]


@pytest.mark.parametrize(
    ("time_ns", "number", "follows"),
    [
        (MINUTE, 8, True),
        (MINUTE, 7, False),
        (MINUTE, None, True),
        (MINUTE + 1, 1, True),
        (MINUTE - 1, 8, False),
        (MINUTE - LATE_NS_MAX, 8, False),
        (MINUTE - LATE_NS_MAX - 1, 8, True),
    ],
)
def test_a_message_follows_by_its_time_and_then_by_its_number(time_ns, number, follows):
    """A clock that is set back by more than any message is late stops no stream."""
    told = Succession("quotes")
    told.follows(BTC, MINUTE, 7, 2 * MINUTE)
    assert told.follows(ETH, 1, 1, 2 * MINUTE)
    assert told.follows(BTC, time_ns, number, 2 * MINUTE) is follows


def test_what_claims_to_be_of_later_makes_nothing_late():
    told = Succession("quotes")
    told.follows(BTC, MINUTE + SECOND_NS, 7, MINUTE)
    assert told.follows(BTC, MINUTE, 8, MINUTE)


def test_after_a_break_nothing_is_compared_with_what_was_before():
    told = Succession("quotes")
    told.follows(BTC, MINUTE, 7, MINUTE)
    told.begin_anew()
    assert told.follows(BTC, MINUTE, 7, MINUTE)


# -- the edge ----------------------------------------------------------------------------------------------------


async def test_cancels_and_reducing_orders_overtake_what_waits():
    limiter = Limiter(per_second=50, burst=1)
    await limiter.turn(Urgency.READ)
    went = []

    async def ask(urgency):
        await limiter.turn(urgency)
        went.append(urgency)

    await asyncio.gather(*(ask(urgency) for urgency in (Urgency.READ, Urgency.GROW, Urgency.REDUCE, Urgency.CANCEL)))
    assert went == sorted(Urgency)
    limiter.close()


def test_a_turn_is_not_waited_for_by_less_than_time_can_tell():
    """A token lacks a rounding of 1: in virtual time such a wait never ends, in real time it is a busy loop."""

    async def is_served_at_once():
        limiter = Limiter(per_second=10, burst=1)
        limiter._tokens -= 1e-15
        turn = asyncio.ensure_future(limiter.turn(Urgency.READ))
        await asyncio.sleep(0)
        limiter.close()
        return turn.done()

    assert run_virtual(is_served_at_once())


async def test_nothing_goes_out_during_a_ban():
    limiter = Limiter(per_second=1000, burst=10)
    limiter.ban(0.2)
    assert 0.1 < limiter.banned_s <= 0.2
    began = asyncio.get_running_loop().time()
    await limiter.turn(Urgency.CANCEL)
    assert asyncio.get_running_loop().time() - began > 0.15
    limiter.close()


def test_the_newest_quote_replaces_one_that_waits_and_facts_never():
    queue = EventQueue()
    for event in (quote("99", "101"), mark("100"), fill(trade_id="t1"), quote("98", "101"), fill(trade_id="t2")):
        queue.put(event)
    taken = [queue.take() for _ in range(5)]
    assert [type(event).__name__ for event in taken[:4]] == ["Quote", "MarkPrice", "Fill", "Fill"]
    assert (taken[0].bid, taken[4]) == (Decimal(98), None)
