"""Round trips and ratios, with numbers that can be checked by hand."""

from decimal import Decimal

import pytest

from app.backtest.recorder import BacktestFigures
from app.backtest.round_trips import RoundTripBuilder
from app.backtest.statistics import DAY_NS, statistics_of
from app.domain.market import Bar
from app.domain.order import Side
from app.domain.portfolio import Portfolio
from tests.builders import BTC, START_NS, at, fill, funding_paid, instrument

D = Decimal
BUY, SELL = Side.BUY, Side.SELL


@pytest.fixture
def builder():
    return RoundTripBuilder({BTC: instrument()})


def test_a_round_trip_is_what_was_won_less_fees_and_with_funding(builder):
    """Bought 2 at 100, sold 1 at 110 and 1 at 120: 30 won, 3 of fees, 2 of funding paid: 25."""
    builder.on_fill(fill("a", BUY, "2", "100", "1", time_ns=at(0)))
    builder.on_funding(funding_paid("-2", at(5)))
    builder.on_fill(fill("b", SELL, "1", "110", "1", time_ns=at(10)))
    builder.on_fill(fill("c", SELL, "1", "120", "1", time_ns=at(20)))
    [trip] = builder.closed
    assert (trip.pnl, trip.fees, trip.funding, trip.contracts) == (25, 3, -2, 2)
    assert (trip.entry_price, trip.exit_price, trip.is_long) == (100, 115, True)
    assert (trip.opened_ns, trip.closed_ns) == (at(0), at(20))


def test_a_fill_that_flips_ends_one_round_trip_and_begins_the_next(builder):
    """3 sold out of a long of 1: a third of the fee belongs to the first."""
    builder.on_fill(fill("a", BUY, "1", "100", "0"))
    builder.on_fill(fill("b", SELL, "3", "90", "3"))
    builder.on_fill(fill("c", BUY, "2", "80", "0", liquidation=True, client_order_id=None))
    first, second = builder.closed
    assert (first.pnl, first.is_long, first.liquidated) == (-11, True, False)
    assert (second.pnl, second.is_long, second.liquidated) == (18, False, True)


def test_funding_without_a_position_is_nobody_s(builder):
    builder.on_funding(funding_paid("-2", at(5)))
    assert builder.closed == []


def statistics(equity, trips=(), **changes):
    given = {"traded": 0.0, "in_market_ns": 0, "first_price": None, "last_price": None} | changes
    times = [START_NS + place * DAY_NS for place in range(len(equity))]
    return statistics_of(times, equity, trips, **given)


def test_return_and_drawdown_of_a_path():
    """100, 120, 90, 120: 25 % below the peak, for two days until it was made up for."""
    found = statistics([100.0, 120.0, 90.0, 120.0, 110.0], in_market_ns=2 * DAY_NS, traded=500.0)
    assert found.total_return == pytest.approx(0.10)
    assert found.max_drawdown == pytest.approx(0.25)
    assert found.max_drawdown_s == 86_400.0
    assert (found.turnover, found.exposure) == (5.0, 0.5)
    assert found.calmar == pytest.approx(found.cagr / 0.25)


def test_sharpe_and_sortino_of_two_days():
    """+10 % and -10 % have a mean of zero; +10 % and 0 % have one of 5 % over a deviation of 7.07 %."""
    flat = statistics([100.0, 100.0, 110.0, 99.0])
    assert flat.sharpe == pytest.approx(0.0, abs=1e-9)
    rising = statistics([100.0, 110.0, 110.0])
    assert rising.sharpe == pytest.approx((0.1 / 3) / (0.1 / 3**0.5) * 365**0.5)
    assert rising.sortino is None


def test_what_is_not_defined_is_not_zero():
    alone = statistics([100.0])
    assert (alone.cagr, alone.sharpe, alone.calmar, alone.win_rate, alone.profit_factor, alone.buy_and_hold) == (
        None,
    ) * 6
    ruined = statistics([100.0, -5.0])
    assert ruined.cagr is None


def test_round_trips_are_counted(builder):
    """Won 10, lost 5, lost 5: a third won, 10 / 10, and two losses in a row."""
    for place, exit_price in enumerate(("110", "95", "95")):
        builder.on_fill(fill(f"{place}in", BUY, "1", "100"))
        builder.on_fill(fill(f"{place}out", SELL, "1", exit_price))
    found = statistics([100.0, 100.0], builder.closed, first_price=50.0, last_price=60.0)
    assert (found.round_trips, found.longest_losing_run) == (3, 2)
    assert (found.win_rate, found.profit_factor, found.expectancy) == (pytest.approx(1 / 3), 1.0, 0.0)
    assert found.buy_and_hold == pytest.approx(0.2)


def test_a_fee_in_another_currency_is_none_of_a_round_trip_s_money(builder):
    """Bought at 100 and sold at 110 for 1 USDT and 0.01 BNB: 9 USDT, as the balance has it."""
    builder.on_fill(fill("t1", Side.BUY, "1", "100", "0.01", fee_currency="BNB"))
    builder.on_fill(fill("t2", Side.SELL, "1", "110", "1"))
    [trip] = builder.closed
    assert (trip.fees, trip.pnl) == (1, 9)


def test_the_bars_that_were_seen_are_kept_whole_for_the_chart():
    figures = BacktestFigures(lambda: Portfolio("main", "USDT", {BTC: instrument()}), lambda: {BTC: instrument()})
    figures.observe(Bar(BTC, at(60), 60, D(100), D(107), D(95), D(103), D(1)))
    seen = figures.bars_of[BTC]
    assert [list(column) for column in (seen.opens, seen.highs, seen.lows, seen.closes)] == [[100], [107], [95], [103]]
    assert list(seen.times_ns) == [at(60)]
