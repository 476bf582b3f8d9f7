"""Each check of the order by itself: just inside of its limit, just outside, and off."""

from decimal import Decimal

import pytest

from app.domain.events import Severity
from app.domain.order import OrderType, Side
from app.risk import order_checks
from tests.builders import BTC, ETH, instrument, limit, order
from tests.risk.account import Account, judge, limits

SELL = Side.SELL


def rule(denial):
    return None if denial is None else denial.rule


def test_nothing_grows_unless_trading_is_active(account):
    assert judge(order_checks.trading_state, order(), account.books, limits()) is None
    account.trading.raise_reason("risk", "daily_loss", Severity.REDUCE_ONLY, "")
    denial = judge(order_checks.trading_state, order(), account.books, limits())
    assert str(denial) == "trading_state: reduce_only (risk:daily_loss), limit active"


def test_what_holds_one_symbol_back_denies_nothing_in_another(account):
    account.trading.raise_reason("execution", f"unlisted:{ETH}", Severity.SYMBOL_REDUCE_ONLY, "")
    assert judge(order_checks.trading_state, order(), account.books, limits()) is None
    denial = judge(order_checks.trading_state, order(symbol=ETH), account.books, limits())
    assert str(denial) == f"trading_state: reduce_only (execution:unlisted:{ETH}), limit active"
    account.trading.raise_reason("operator", "halt", Severity.HALTED, "")
    denial = judge(order_checks.trading_state, order(symbol=ETH), account.books, limits())
    assert str(denial) == f"trading_state: halted (execution:unlisted:{ETH}, operator:halt), limit active"


def test_an_unlisted_symbol_is_denied(account):
    denial = judge(order_checks.well_formed, order(symbol="XRP/USDT:USDT"), account.books, limits())
    assert str(denial) == "instrument: XRP/USDT:USDT is not listed, limit a listed symbol"


@pytest.mark.parametrize(
    ("bad", "broken"), [(limit(price="100.05"), "tick_size"), (order(contracts="0.0005"), "lot_size")]
)
def test_a_malformed_order_is_denied_by_the_rule_that_it_breaks(account, bad, broken):
    assert rule(judge(order_checks.well_formed, bad, account.books, limits())) == broken


@pytest.mark.parametrize(
    ("an_order", "denied"),
    [
        (order(contracts="0.05"), None),
        (order(contracts="0.049"), "notional_min"),
        (order(contracts="0.049", reduce_only=True), None),
        (limit(contracts="0.049", price="110"), None),
        (limit(contracts="0.05", price="90"), "notional_min"),
        (order(type=OrderType.STOP_MARKET, contracts="0.05", trigger_price="90"), "notional_min"),
    ],
)
def test_an_order_is_worth_the_minimum_unless_it_reduces(account, an_order, denied):
    """5 USDT at least: 0.05 at the mark of 100; at its own price where it has one."""
    assert rule(judge(order_checks.well_formed, an_order, account.books, limits())) == denied


def test_without_a_price_the_minimum_cannot_be_judged():
    """The age of the mark denies such an order."""
    assert judge(order_checks.well_formed, order(contracts="0.001"), Account().books, limits()) is None


def test_a_mark_must_be_fresh(account):
    at_most = limits(mark_age_s_max=10.0)
    account.clock.pass_s(10)
    assert judge(order_checks.data_age, order(), account.books, at_most) is None
    account.clock.pass_s(0.1)
    denial = judge(order_checks.data_age, order(), account.books, at_most)
    assert str(denial) == f"data_age: mark of {BTC} is 10.1 s old, limit 10.0 s"


def test_a_mark_must_be_known_and_trusted(account):
    assert rule(judge(order_checks.data_age, order(symbol=ETH), account.books, limits())) == "data_age"
    account.books.distrust(BTC)
    assert rule(judge(order_checks.data_age, order(), account.books, limits())) == "data_age"


@pytest.mark.parametrize("price", ["95", "105"])
def test_a_limit_price_may_be_as_far_as_the_collar(account, price):
    at_most = limits(price_collar_ratio_max="0.05")
    assert judge(order_checks.price_collar, limit(price=price), account.books, at_most) is None


@pytest.mark.parametrize("price", ["94.9", "105.1"])
def test_a_limit_price_beyond_the_collar_is_denied(account, price):
    an_order = limit(price=price)
    assert rule(judge(order_checks.price_collar, an_order, account.books, limits(price_collar_ratio_max="0.05"))) == (
        "price_collar"
    )
    assert judge(order_checks.price_collar, an_order, account.books, limits()) is None


def test_the_collar_needs_a_price_and_a_mark(account):
    at_most = limits(price_collar_ratio_max="0.05")
    assert judge(order_checks.price_collar, order(), account.books, at_most) is None
    assert judge(order_checks.price_collar, limit(symbol=ETH), account.books, at_most) is None


def test_an_order_has_at_most_so_many_contracts(account):
    at_most = limits(order_contracts_max="2")
    assert judge(order_checks.order_size, order(contracts="2"), account.books, at_most) is None
    assert rule(judge(order_checks.order_size, order(contracts="2.001"), account.books, at_most)) == "order_contracts"
    assert judge(order_checks.order_size, order(contracts="2.001"), account.books, limits()) is None


def test_an_order_is_worth_at_most_so_much(account):
    """At the mark of 100, or at its own price."""
    at_most = limits(order_notional_max="200")
    assert judge(order_checks.order_size, order(contracts="2"), account.books, at_most) is None
    assert judge(order_checks.order_size, order(contracts="2.001"), account.books, at_most).value == "200.1"
    assert rule(judge(order_checks.order_size, limit(contracts="2", price="100.1"), account.books, at_most)) == (
        "order_notional"
    )
    assert judge(order_checks.order_size, order(contracts="2.001", symbol=ETH), account.books, at_most) is None


def test_there_are_at_most_so_many_orders_at_once(account):
    at_most = limits(open_orders_max=2)
    account.works(order("w1"))
    assert judge(order_checks.open_orders, order(), account.books, at_most) is None
    account.works(order("w2", symbol=ETH))
    assert str(judge(order_checks.open_orders, order(), account.books, at_most)) == "open_orders: 2, limit 2"


def test_orders_do_not_come_too_fast(account):
    """Two in a minute: the third waits until the first is more than a minute old."""
    at_most = limits(orders_per_minute_max=2)
    account.books.note_intent(order())
    assert judge(order_checks.message_rate, order(), account.books, at_most) is None
    account.books.note_intent(order())
    assert rule(judge(order_checks.message_rate, order(), account.books, at_most)) == "message_rate"
    account.clock.pass_s(60.001)
    assert judge(order_checks.message_rate, order(), account.books, at_most) is None


def test_the_same_order_is_not_sent_twice_in_a_moment(account):
    window = limits(duplicate_window_s=1.0)
    assert judge(order_checks.repeated_order, order(), account.books, window) is None
    account.books.note_intent(order())
    account.clock.pass_s(0.5)
    denial = judge(order_checks.repeated_order, order("another id"), account.books, window)
    assert str(denial) == "repeated_order: an equal order was sent 0.500 s ago, limit 1.0 s"
    assert judge(order_checks.repeated_order, order(contracts="2"), account.books, window) is None
    assert judge(order_checks.repeated_order, order(), account.books, limits()) is None
    account.clock.pass_s(0.5)
    assert judge(order_checks.repeated_order, order(), account.books, window) is None


@pytest.mark.parametrize(
    ("an_order", "denied"),
    [
        (limit(side=SELL, price="100.1"), None),
        (limit(side=SELL, price="100"), "self_trade"),
        (order(side=SELL), "self_trade"),
        (limit(price="100"), None),
        (order(type=OrderType.STOP_MARKET, side=SELL, trigger_price="90"), None),
    ],
)
def test_an_order_does_not_trade_with_our_own(account, an_order, denied):
    """A limit buy of ours rests at 100."""
    account.works(limit("resting", price="100"))
    assert rule(judge(order_checks.self_trade, an_order, account.books, limits())) == denied


def test_a_buy_does_not_trade_with_our_own_sell(account):
    account.works(limit("resting", side=SELL, price="100"))
    assert judge(order_checks.self_trade, limit(price="99.9"), account.books, limits()) is None
    denial = judge(order_checks.self_trade, limit(price="100"), account.books, limits())
    assert str(denial) == "self_trade: crosses our sell at 100, limit no crossing"


def test_only_what_rests_in_the_book_can_be_traded_with(account):
    account.works(order("market"))
    account.works(order("armed", type=OrderType.STOP_LIMIT, price="100", trigger_price="110"))
    assert judge(order_checks.self_trade, order(side=SELL), account.books, limits()) is None


@pytest.mark.parametrize("side", Side)
def test_taking_the_other_side_costs_at_most_so_much(account, side):
    """Bid 99 and ask 101 around a mark of 100: one per cent either way."""
    an_order = order(side=side)
    account.books.set_quote(BTC, Decimal(99), Decimal(101))
    assert judge(order_checks.expected_slippage, an_order, account.books, limits(slippage_ratio_max="0.01")) is None
    denial = judge(order_checks.expected_slippage, an_order, account.books, limits(slippage_ratio_max="0.0099"))
    assert str(denial) == "expected_slippage: 0.01000 of the mark, limit 0.0099"
    assert judge(order_checks.expected_slippage, an_order, account.books, limits()) is None


def test_slippage_is_judged_of_market_orders_where_there_is_a_quote_and_a_mark(account):
    at_most = limits(slippage_ratio_max="0.001")
    assert judge(order_checks.expected_slippage, order(), account.books, at_most) is None
    account.books.set_quote(BTC, Decimal(90), Decimal(110))
    account.books.set_quote(ETH, Decimal(90), Decimal(110))
    assert judge(order_checks.expected_slippage, limit(), account.books, at_most) is None
    assert judge(order_checks.expected_slippage, order(symbol=ETH), account.books, at_most) is None


def test_the_minimum_notional_of_the_instrument_counts():
    account = Account(instruments={BTC: instrument(notional_min="1000")})
    account.mark("100")
    denial = judge(order_checks.well_formed, order(contracts="9.999"), account.books, limits())
    assert str(denial) == "notional_min: 999.9 USDT, limit 1000"
