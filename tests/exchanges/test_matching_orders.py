"""Orders meet prices, with numbers that can be checked by hand. One minute bars; last price 100 at the start."""

from decimal import Decimal

import pytest

from app.domain.events import Liquidity, OrderAccepted, OrderRejected
from app.domain.order import OrderStatus, OrderType, Side, TimeInForce, TriggerPrice
from app.exchanges.matching import MatchingRules
from tests.builders import ETH, at, instrument, limit, mark, order, quote, trade
from tests.exchanges.venue import Venue, fills, names

D = Decimal


@pytest.fixture
def venue():
    return Venue()


# -- market -----------------------------------------------------------------------------------------------------


def test_a_market_order_fills_at_the_next_bar_s_open(venue):
    """Sent at 100; the next bar opens at 102: 1 contract at 102, fee 0.05 % of 102 = 0.051."""
    assert names(venue.send(order())) == ["OrderAccepted"]
    told = venue.bar("105", open_="102")
    assert fills(told) == [(D(102), D(1))]
    assert (told[0].fee, told[0].liquidity) == (D("0.051"), Liquidity.TAKER)
    assert venue.position() == 1


def test_at_the_signal_s_close_it_fills_at_once():
    venue = Venue(rules=MatchingRules(fill_at_signal=True, spread_ticks=D(4)))
    assert next(type(event) for event in venue.send(order())) is OrderAccepted
    assert venue.position() == 1
    assert venue.engine.fills[-1].price == D(100)


def test_a_taker_pays_spread_slippage_and_impact():
    """Open 100, half a spread of 4 ticks is 0.2; 1 % slippage, 1 % for half the volume: 100.2 * 1.015 up to 101.8."""
    rules = MatchingRules(spread_ticks=D(4), slippage_ratio=D("0.01"), impact_ratio=D("0.01"))
    venue = Venue(rules=rules)
    venue.send(order())
    assert fills(venue.bar("100", volume="2")) == [(D("101.8"), D(1))]


def test_quotes_are_taken_at_their_best(venue):
    venue.send(order("b"))
    assert fills(venue.event(quote("99", "101", 61))) == [(D(101), D(1))]
    venue.send(order("s", Side.SELL))
    assert fills(venue.event(quote("98", "101", 62))) == [(D(98), D(1))]


def test_latency_keeps_an_order_from_prices_before_it_arrives():
    """Sent at 60 s with 90 s latency: the bar that closes at 120 s is too early, the next one fills it."""
    venue = Venue(rules=MatchingRules(latency_ns=90 * 10**9))
    assert venue.send(order()) == []
    assert venue.bar("101") == []
    assert names(venue.bar("102", open_="102")) == ["OrderAccepted", "Fill"]


def test_jitter_is_added_to_latency():
    venue = Venue(rules=MatchingRules(latency_ns=10**9, latency_jitter_ns=120 * 10**9), jitter=0.5)
    venue.send(order())
    assert venue.bar("101") == []
    assert "Fill" in names(venue.bar("101"))


def test_at_the_end_everything_on_its_way_arrives():
    venue = Venue(rules=MatchingRules(latency_ns=10**18))
    venue.send(order())
    venue.engine.end_market()
    assert names(venue.told()) == ["OrderAccepted"]


def test_after_the_end_a_market_order_meets_the_last_price_for_there_is_no_other():
    """A stop that flattens would wait for ever. What was sent before the end waits for a next price, as always."""
    venue = Venue()
    venue.bar("101")
    venue.send(order())
    venue.engine.end_market()
    told = venue.send(order("o2", Side.SELL, "2"))
    assert fills(told) == [(D(101), D(2))]
    assert venue.engine.order("o1").status is OrderStatus.OPEN


# -- limit ------------------------------------------------------------------------------------------------------


def test_a_resting_limit_fills_only_when_the_price_goes_through_it(venue):
    """Buy at 95: a low of 95 only touches, a low of 94.9 goes through: filled at 95, as a maker."""
    venue.send(limit(price="95"))
    assert venue.bar("98", low="95") == []
    told = venue.bar("98", low="94.9")
    assert fills(told) == [(D(95), D(1))]
    assert told[0].liquidity is Liquidity.MAKER


def test_a_gap_fills_a_resting_limit_at_the_better_open(venue):
    venue.send(limit(price="95"))
    venue.bar("98")
    assert fills(venue.bar("91", open_="90")) == [(D(90), D(1))]
    venue.send(limit("s", Side.SELL, price="110"))
    venue.bar("91")
    assert fills(venue.bar("112", open_="112")) == [(D(112), D(1))]


def test_a_marketable_limit_takes_at_the_market_and_never_worse_than_its_limit():
    venue = Venue(rules=MatchingRules(slippage_ratio=D("0.05")))
    venue.send(limit(price="101"))
    [filled] = fills(venue.bar("100"))
    assert filled == (D(101), D(1))


def test_post_only_that_would_execute_is_refused(venue):
    [told] = venue.send(limit(price="100", post_only=True))
    assert isinstance(told, OrderRejected)
    assert "post-only" in told.reason
    assert names(venue.send(limit("o2", price="99", post_only=True))) == ["OrderAccepted"]


@pytest.mark.parametrize("time_in_force", [TimeInForce.IOC, TimeInForce.FOK])
def test_what_must_fill_at_once_and_does_not_is_over(venue, time_in_force):
    venue.send(limit(price="95", time_in_force=time_in_force))
    assert names(venue.bar("98")) == ["OrderExpired"]


def test_immediate_or_cancel_keeps_what_it_got():
    """Half of a volume of 1 is 0.5: filled, and the other 0.5 is over."""
    venue = Venue(rules=MatchingRules(partial_fill_ratio=D("0.5")))
    venue.send(order(time_in_force=TimeInForce.IOC))
    told = venue.bar("100")
    assert (names(told), fills(told)) == (["Fill", "OrderExpired"], [(D(100), D("0.5"))])


def test_fill_or_kill_takes_all_or_nothing():
    venue = Venue(rules=MatchingRules(partial_fill_ratio=D("0.5")))
    venue.send(order(time_in_force=TimeInForce.FOK))
    assert names(venue.bar("100")) == ["OrderExpired"]
    venue.send(order("o2", time_in_force=TimeInForce.FOK))
    assert names(venue.bar("100", volume="2")) == ["Fill"]


def test_a_large_order_fills_in_parts():
    venue = Venue(rules=MatchingRules(partial_fill_ratio=D("0.5")))
    venue.send(order(contracts="1"))
    assert [size for _ in range(2) for _, size in fills(venue.bar("100"))] == [D("0.5"), D("0.5")]
    assert venue.engine.open_orders() == ()


def test_good_till_date_ends(venue):
    venue.send(limit(price="95", time_in_force=TimeInForce.GTD, expires_ns=at(150)))
    assert venue.bar("98") == []
    assert names(venue.bar("94")) == ["OrderExpired"]
    assert venue.position() == 0


def test_a_quote_fills_a_resting_limit_at_its_price(venue):
    venue.send(limit(price="95"))
    venue.bar("98")
    assert fills(venue.event(quote("90", "94", 200))) == [(D(95), D(1))]


def test_a_trade_through_a_limit_fills_it(venue):
    venue.send(limit(price="95"))
    venue.bar("98")
    assert venue.event(trade("95", 200)) == []
    assert fills(venue.event(trade("94", 201))) == [(D(94), D(1))]


# -- conditional ------------------------------------------------------------------------------------------------


def stop(client_order_id="s1", side=Side.SELL, trigger="95", **fields):
    return order(client_order_id, side, **({"type": OrderType.STOP_MARKET, "trigger_price": trigger} | fields))


def test_a_stop_fills_at_its_trigger_or_at_a_gap_beyond_it(venue):
    venue.hold("2")
    venue.send(stop(reduce_only=True))
    told = venue.bar("96", open_="99", low="94")
    assert (names(told), fills(told)) == (["OrderTriggered", "Fill"], [(D(95), D(1))])
    venue.send(stop("s2", reduce_only=True))
    assert fills(venue.bar("91", open_="90")) == [(D(90), D(1))]


def test_a_buy_stop_triggers_above(venue):
    venue.send(stop(side=Side.BUY, trigger="105"))
    assert venue.bar("104") == []
    assert fills(venue.bar("104", high="105")) == [(D(105), D(1))]


def test_a_stop_limit_rests_once_triggered(venue):
    """Sell stop 95, limit 94.5: triggered at 95, then filled when the price goes above 94.5."""
    venue.hold("1")
    venue.send(stop(type=OrderType.STOP_LIMIT, price="94.5", reduce_only=True))
    assert names(venue.bar("94", low="93")) == ["OrderTriggered"]
    assert fills(venue.bar("95", open_="94", high="95")) == [(D("94.5"), D(1))]


def test_a_take_profit_triggers_on_the_other_side(venue):
    venue.hold("1")
    venue.send(order("tp", Side.SELL, type=OrderType.TAKE_PROFIT_MARKET, trigger_price="105", reduce_only=True))
    assert venue.bar("95") == []
    assert fills(venue.bar("104", high="106")) == [(D(105), D(1))]


def test_a_take_profit_limit_rests_once_triggered(venue):
    venue.hold("1")
    fields = {"type": OrderType.TAKE_PROFIT_LIMIT, "trigger_price": "105", "price": "105.5", "reduce_only": True}
    venue.send(order("tp", Side.SELL, **fields))
    assert names(venue.bar("105")) == ["OrderTriggered"]
    assert fills(venue.bar("106", open_="105", high="106")) == [(D("105.5"), D(1))]


def test_stop_before_take_profit_when_both_lie_in_one_bar(venue):
    venue.hold("1")
    venue.send(
        order("tp", Side.SELL, type=OrderType.TAKE_PROFIT_MARKET, trigger_price="105", reduce_only=True, oco_group="g")
    )
    venue.send(stop(reduce_only=True, oco_group="g"))
    told = venue.bar("100", high="110", low="90")
    assert fills(told) == [(D(95), D(1))]
    assert names(told) == ["OrderTriggered", "Fill", "OrderCanceled"]
    assert venue.position() == 0


def test_a_trailing_stop_follows_the_best_price(venue):
    """Offset 5: from 100 it triggers at 95; a high of 110 lifts that to 105."""
    venue.hold("1")
    venue.send(order("t", Side.SELL, type=OrderType.TRAILING_STOP, trailing_offset="5", reduce_only=True))
    assert venue.bar("108", open_="100", high="110", low="96") == []
    assert fills(venue.bar("104", open_="108", high="108", low="103")) == [(D(105), D(1))]


def test_a_trailing_stop_is_met_by_the_close_after_a_new_high(venue):
    """The high of 120 lifts the trigger to 115, and the close of 112 is proof that it was met."""
    venue.hold("1")
    venue.send(order("t", Side.SELL, type=OrderType.TRAILING_STOP, trailing_offset="5", reduce_only=True))
    assert fills(venue.bar("112", open_="100", high="120", low="99")) == [(D(115), D(1))]


def test_a_trailing_stop_of_a_short_follows_downwards(venue):
    venue.hold("-1")
    venue.send(order("t", Side.BUY, type=OrderType.TRAILING_STOP, trailing_offset="5", reduce_only=True))
    assert venue.bar("92", open_="100", high="104", low="90") == []
    assert fills(venue.bar("96", open_="92", high="97", low="92")) == [(D(95), D(1))]


def test_a_trigger_by_mark_waits_for_the_mark_and_one_by_last_for_the_last_price(venue):
    venue.event(mark("100", 61))
    venue.hold("2")
    venue.send(stop("by-mark", reduce_only=True))
    venue.send(stop("by-last", reduce_only=True, trigger_by=TriggerPrice.LAST))
    told = venue.bar("94")
    assert [event.client_order_id for event in told] == ["by-last", "by-last"]
    told = venue.event(mark("94", 400))
    assert [event.client_order_id for event in told] == ["by-mark", "by-mark"]


# -- reduce-only, groups, cancels ---------------------------------------------------------------------------------


def test_reduce_only_is_cut_to_the_position_and_the_rest_is_over(venue):
    venue.hold("1")
    venue.send(order("x", Side.SELL, "3", reduce_only=True))
    told = venue.bar("100")
    assert fills(told) == [(D(100), D(1))]
    assert names(told) == ["Fill", "OrderCanceled"]
    assert venue.position() == 0


def test_reduce_only_without_a_position_is_refused(venue):
    [told] = venue.send(order("x", Side.SELL, reduce_only=True))
    assert told.reason == "reduce-only, and there is nothing to reduce"


def test_when_the_position_is_closed_its_reduce_only_orders_go(venue):
    venue.hold("1")
    venue.send(stop(reduce_only=True))
    venue.send(order("x", Side.SELL))
    told = venue.bar("100")
    assert names(told) == ["Fill", "OrderCanceled"]


def test_a_cancel_ends_what_works_and_is_refused_for_what_has_ended(venue):
    resting = limit(price="95")
    venue.send(resting)
    assert names(venue.cancel(resting)) == ["OrderCanceled"]
    [told] = venue.cancel(resting)
    assert told.reason == "it is canceled"
    [told] = venue.cancel(order("never"))
    assert told.reason == "it is not known"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"contracts": "0.0005"}, "not a positive multiple of 0.001"),
        ({"contracts": "0.001"}, "notional 0.1 is below 5"),
        ({"contracts": "2000"}, "is above 1000"),
        ({"contracts": "999"}, "insufficient margin: 9990 needed, 1000 free"),
        ({"symbol": ETH}, f"unknown symbol {ETH}"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_the_reason(wrong, why):
    venue = Venue(deposit="1000")
    [told] = venue.send(order(**wrong))
    assert why in told.reason
    assert venue.engine.order("o1").reason == told.reason


def test_a_client_id_is_used_once(venue):
    venue.send(limit(price="95"))
    [told] = venue.send(limit(price="95"))
    assert told.reason == "duplicate client order id"


def test_working_orders_bind_margin():
    """1,000 USDT at leverage 10: 60 contracts at 100 bind 600; another 60 do not fit."""
    venue = Venue(deposit="1000")
    venue.send(limit(price="90", contracts="60"))
    [told] = venue.send(limit("o2", price="90", contracts="60"))
    assert told.reason == "insufficient margin: 1080 needed, 1000 free"


def test_before_any_price_nothing_can_be_judged():
    venue = Venue(listed=(instrument(), instrument(ETH)))
    [told] = venue.send(order(symbol=ETH))
    assert told.reason == "no price yet"
