"""The books of one account."""

from decimal import Decimal

import pytest

from app.domain.errors import CurrencyMismatch, UnknownInstrument
from app.domain.ledger import Account
from app.domain.margin import MarginMode
from app.domain.order import Side
from app.domain.portfolio import Portfolio
from app.domain.position import Position
from tests.builders import BTC, ETH, fill, funding_paid, instrument, inverse

SELL = Side.SELL


def portfolio(mode=MarginMode.CROSS, leverage="1", deposit="1000"):
    """Return an account that trades BTC and ETH, with money in it."""
    books = Portfolio("main", "USDT", {BTC: instrument(), ETH: instrument(ETH)}, mode, Decimal(leverage))
    if deposit:
        books.deposit("opening", Decimal(deposit), 0)
    return books


def test_a_fill_opens_a_position_and_costs_its_fee():
    books = portfolio()
    entry = books.apply(fill(contracts="2", price="100", fee="0.1"))
    assert entry.reference == "t1"
    assert books.position(BTC) == Position(BTC, Decimal(2), Decimal(200))
    assert (books.balance, books.equity) == (Decimal("999.9"), Decimal("999.9"))


def test_equity_follows_the_mark_and_the_balance_does_not():
    """Long 2 at 100, marked at 110: 20 unrealized."""
    books = portfolio()
    books.apply(fill(contracts="2", price="100"))
    books.set_mark(BTC, Decimal(110))
    assert (books.balance, books.unrealized, books.equity) == (1000, 20, 1020)
    assert books.notional(BTC) == Decimal(220)
    assert books.mark(BTC) == Decimal(110)


def test_closing_turns_unrealized_into_realized():
    books = portfolio()
    books.apply(fill(contracts="2", price="100"))
    books.set_mark(BTC, Decimal(110))
    books.apply(fill("t2", SELL, contracts="2", price="110", fee="1"))
    assert (books.balance, books.unrealized) == (1019, 0)
    assert (books.ledger.realized, books.ledger.fees) == (20, 1)
    assert books.positions == ()
    assert books.notional(BTC) == 0


def test_a_fill_counts_once_however_often_it_is_told():
    books = portfolio()
    assert books.apply(fill(fee="1")) is not None
    assert books.apply(fill(fee="1")) is None
    assert (books.position(BTC).contracts, books.balance) == (1, 999)


def test_a_funding_settlement_counts_once():
    books = portfolio()
    books.apply(fill())
    assert books.apply_funding(funding_paid("-0.5")) is not None
    assert books.apply_funding(funding_paid("-0.5")) is None
    assert (books.balance, books.ledger.funding) == (Decimal("999.5"), Decimal("-0.5"))


def test_a_new_position_without_a_mark_is_worth_what_was_paid():
    books = portfolio()
    books.apply(fill(contracts="2", price="100"))
    assert (books.equity, books.notional(BTC)) == (1000, 200)


def test_restored_positions_without_a_mark_are_worth_their_cost():
    books = portfolio(deposit=None)
    held = Position(BTC, Decimal(-2), Decimal(-200))
    totals = {Account.WALLET: Decimal(5), Account.DEPOSITS: Decimal(-5)}
    books.restore([held], totals, ["t1"], ["funding:x:1"], {})
    assert books.positions == (held,)
    assert (books.equity, books.notional(BTC)) == (5, 200)
    assert books.apply(fill("t1")) is None


def test_restored_books_go_on_where_they_were():
    """Long 2 at 100 and 1000 in the wallet, marked at 90 when they were recorded."""
    books = portfolio()
    books.apply(fill("old", contracts="7"))
    held = Position(BTC, Decimal(2), Decimal(200))
    totals = {Account.WALLET: Decimal(1000), Account.DEPOSITS: Decimal(-1000)}
    books.restore([held], totals, ["t1"], [funding_paid("1").reference], {BTC: Decimal(90)})
    assert (books.balance, books.unrealized, books.equity) == (1000, -20, 980)
    assert books.apply_funding(funding_paid("1")) is None
    assert books.apply(fill("old", SELL, contracts="2", price="90")) is not None
    assert (books.balance, books.unrealized) == (980, 0)


def test_isolated_margin_is_set_aside_grows_with_funding_and_is_released():
    """200 at leverage 10 need 20; funding takes 0.5 of it; closing half gives half back."""
    books = portfolio(MarginMode.ISOLATED, "10")
    books.apply(fill(contracts="2", price="100"))
    assert books.position(BTC).isolated_margin == Decimal(20)
    assert (books.margin_used, books.margin_available) == (20, 980)
    books.apply_funding(funding_paid("-0.5"))
    assert books.collateral_of(BTC) == Decimal("19.5")
    books.apply(fill("t2", SELL, contracts="1", price="100"))
    assert books.position(BTC).isolated_margin == Decimal("9.75")


def test_a_flip_sets_isolated_margin_aside_for_the_new_side_only():
    """Long 1, sold 3 at 100: short 2, which need 20 at leverage 10."""
    books = portfolio(MarginMode.ISOLATED, "10")
    books.apply(fill(price="100"))
    books.apply(fill("t2", SELL, contracts="3", price="100"))
    assert books.position(BTC).isolated_margin == Decimal(20)


def test_an_isolated_position_is_liquidated_by_its_own_margin():
    """Long 1 at 100 with 10: p = 90 / 0.99, however rich the account is; a mark does not move it."""
    books = portfolio(MarginMode.ISOLATED, "10")
    books.apply(fill(price="100"))
    assert books.liquidation_price(BTC) == Decimal(90) / Decimal("0.99")
    books.apply(fill("t2", symbol=ETH, price="100"))
    books.set_mark(ETH, Decimal(50))
    assert books.liquidation_price(BTC) == Decimal(90) / Decimal("0.99")


def test_under_cross_margin_the_whole_account_stands_for_a_position():
    """Long 20 at 100 with 1000: 1000 + 20 p - 2000 = 0.2 p."""
    books = portfolio(leverage="10")
    books.apply(fill(contracts="20", price="100"))
    assert books.liquidation_price(BTC) == Decimal(1000) / Decimal("19.8")
    books.deposit("more", Decimal(100), 1)
    assert books.liquidation_price(BTC) == Decimal(900) / Decimal("19.8")


def test_under_cross_margin_the_other_positions_count_at_their_marks():
    """Long 1 ETH at 100, marked at 90: lost 10, and 0.9 maintenance; 989.1 stand for BTC."""
    books = portfolio(leverage="10")
    books.apply(fill(contracts="20", price="100"))
    books.apply(fill("t2", symbol=ETH, price="100"))
    books.set_mark(ETH, Decimal(90))
    assert books.collateral_of(BTC) == Decimal("989.1")
    assert books.liquidation_price(BTC) == Decimal("1010.9") / Decimal("19.8")
    books.set_mark(ETH, Decimal(100))
    assert books.liquidation_price(BTC) == Decimal(1001) / Decimal("19.8")


def test_isolated_margins_of_others_do_not_stand_for_a_cross_position():
    """Books of before a change of mode: the 100 set aside for ETH are ETH's alone."""
    books = portfolio()
    books.restore(
        [Position(BTC, Decimal(1), Decimal(100)), Position(ETH, Decimal(1), Decimal(100), Decimal(100))],
        {Account.WALLET: Decimal(1000), Account.DEPOSITS: Decimal(-1000)},
        [],
        [],
        {},
    )
    assert books.collateral_of(BTC) == Decimal(900)


def test_margins_add_up_over_the_positions():
    """220 and 50 at leverage 10 bind 27 and need 2.70 maintenance."""
    books = portfolio(leverage="10")
    books.apply(fill(contracts="2", price="110"))
    books.apply(fill("t2", SELL, symbol=ETH, price="50"))
    assert (books.margin_used, books.maintenance_margin) == (27, Decimal("2.70"))
    assert books.margin_available == 1000 - 27


def test_the_maintenance_margin_follows_the_mark():
    """2 BTC at 110 are 220: 1 % is 2.20; marked at 120 it is 2.40."""
    books = portfolio()
    books.apply(fill(contracts="2", price="110"))
    assert books.maintenance_of(BTC) == Decimal("2.20")
    books.set_mark(BTC, Decimal(120))
    assert books.maintenance_margin == books.maintenance_of(BTC) == Decimal("2.40")
    assert (books.unrealized, books.unrealized) == (20, 20)


def test_a_flat_symbol_has_no_liquidation_price():
    assert portfolio().liquidation_price(BTC) is None
    assert portfolio().mark(BTC) is None


def test_of_an_unlisted_symbol_nothing_is_held_and_its_marks_mean_nothing():
    books = portfolio()
    books.set_mark("XRP/USDT:USDT", Decimal(2))
    assert books.position("XRP/USDT:USDT").is_flat
    assert books.mark("XRP/USDT:USDT") is None


def test_a_fill_of_an_unlisted_symbol_is_refused():
    with pytest.raises(UnknownInstrument, match="XRP"):
        portfolio().apply(fill(symbol="XRP/USDT:USDT"))


def test_funding_of_an_unlisted_symbol_is_refused():
    books = portfolio()
    with pytest.raises(UnknownInstrument, match="XRP"):
        books.apply_funding(funding_paid("1", symbol="XRP/USDT:USDT"))
    assert books.balance == 1000


def test_a_fee_in_another_currency_costs_this_balance_nothing():
    books = portfolio()
    entry = books.apply(fill(contracts="2", price="100", fee="1", fee_currency="BNB"))
    assert entry.amount(Account.FEES) == 0
    assert (books.balance, books.position(BTC).contracts) == (1000, 2)


def test_other_currencies_are_refused():
    books = portfolio()
    with pytest.raises(CurrencyMismatch):
        books.apply_funding(funding_paid("1", currency="BTC"))
    assert (books.balance, books.positions) == (1000, ())
    with pytest.raises(CurrencyMismatch, match="cannot combine USDT with BTC"):
        Portfolio("main", "USDT", {"BTC/USD:BTC": inverse()})


def test_a_settlement_that_is_told_after_the_close_does_not_burden_the_next_position():
    """Isolated: the next 100 at leverage 10 get their 10 in full."""
    books = portfolio(MarginMode.ISOLATED, "10")
    books.apply(fill(price="100"))
    books.apply(fill("t2", SELL, price="100"))
    books.apply_funding(funding_paid("-3"))
    books.apply(fill("t3", price="100"))
    assert books.position(BTC).isolated_margin == Decimal(10)
    assert books.balance == 997


def test_only_the_latest_trade_ids_are_remembered(mocker):
    """With room for two, the third pushes the first out; the latest still counts once."""
    mocker.patch("app.domain.portfolio.SEEN_KEPT_MAX", 2)
    books = Portfolio("main", "USDT", {BTC: instrument()})
    for name in ("t1", "t2", "t3"):
        assert books.apply(fill(name)) is not None
    assert books.apply(fill("t3")) is None
    assert list(books._seen_trades) == ["t2", "t3"]


def test_only_the_latest_settlements_are_remembered(mocker):
    """As trade ids: with room for two, the third pushes the first out."""
    mocker.patch("app.domain.portfolio.SEEN_KEPT_MAX", 2)
    books = Portfolio("main", "USDT", {BTC: instrument()})
    told = [funding_paid("-1", time_ns) for time_ns in (1, 2, 3)]
    for paid in told:
        assert books.apply_funding(paid) is not None
    assert books.apply_funding(told[2]) is None
    assert list(books._seen_funding) == [told[1].reference, told[2].reference]


def test_a_restored_position_without_a_mark_is_worth_what_it_cost():
    """Cost 200, maintenance 1 %: 2, and no profit."""
    books = Portfolio("main", "USDT", {BTC: instrument()})
    books.restore([Position(BTC, Decimal(2), Decimal(200))], {}, (), (), {})
    assert (books.maintenance_of(BTC), books.notional(BTC), books.unrealized) == (2, 200, 0)


def test_an_isolated_position_s_profit_is_not_free():
    """1 at 100, leverage 10 binds 10 of 1000; marked at 150 the profit of 50 stays with the position."""
    books = Portfolio("main", "USDT", {BTC: instrument()}, MarginMode.ISOLATED, Decimal(10))
    books.deposit("in", Decimal(1000), 0)
    books.apply(fill())
    books.set_mark(BTC, Decimal(150))
    assert (books.margin_available, books.equity) == (990, 1050)
