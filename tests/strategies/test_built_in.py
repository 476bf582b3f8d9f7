"""Each built-in strategy on bars made by hand: it enters, leaves, and enters again."""

from decimal import Decimal

import pytest

from app.domain.order import Side
from app.strategies import Feed, Subscription
from app.strategies.breakout import Breakout
from app.strategies.funding_carry import FundingCarry
from app.strategies.mean_reversion import MeanReversion
from app.strategies.trend import Trend
from tests.builders import BTC, bar, fill, funding_rate
from tests.strategies.account import made, targets


def bars(*closes, start=0):
    return [bar(close, index) for index, close in enumerate(closes, start)]


def sides(found):
    return [int(target.contracts.compare(0)) for target in found]


def stopped(strategy, view, side):
    """Tell a strategy that its position on ``side`` was closed by a stop."""
    return strategy.on_fill(fill(side=Side.SELL if side > 0 else Side.BUY), view)


class TestTrend:
    def test_it_is_long_above_the_slow_average_and_flips_below_it(self, view):
        """Fast 1 is the close; slow 3 weighs it by a half: 10, 11, 11.5, then 8.75 above the close of 6."""
        trend = made(Trend, fast=1, slow=3)
        found = targets(trend, view, bars(10, 12, 12, 6, 6))
        assert [(target.contracts, target.sequence) for target in found] == [(1, 1), (-1, 2)]
        assert [target.time_ns for target in found] == [bar(1, 2).time_ns, bar(1, 3).time_ns]

    def test_it_does_not_act_before_the_slow_average_is_known(self, view):
        trend = made(Trend, fast=1, slow=3)
        assert targets(trend, view, bars(10, 12)) == []
        assert not trend.is_warm
        assert sides(targets(trend, view, bars(12, start=2))) == [1]
        assert trend.is_warm

    def test_it_waits_for_the_next_cross_after_a_stop(self, view):
        """It does not re-enter on the side that has just been stopped."""
        trend = made(Trend, fast=1, slow=3)
        targets(trend, view, bars(10, 12, 12))
        stopped(trend, view, 1)
        assert targets(trend, view, bars(13, 14, start=3)) == []
        assert sides(targets(trend, view, bars(5, start=5))) == [-1]


class TestBreakout:
    def test_it_buys_above_the_channel_with_a_stop_some_ranges_below(self, view):
        """Highs to 11, lows to 9; a close of 14: ranges 2, 2, 4 with weight 1/2: 3; stop 14 - 2 * 3."""
        breakout = made(Breakout, channel=2, atr=2, stop_ranges=2)
        quiet = [bar(10, index, high=11, low=9) for index in range(2)]
        (target,) = targets(breakout, view, [*quiet, bar(14, 2, high=14, low=10)])
        assert (target.contracts, target.stop) == (1, 8)

    def test_it_sells_below_the_channel_with_a_stop_above(self, view):
        """A close of 6: ranges 2, 2, 4 again; stop 6 + 2 * 3."""
        breakout = made(Breakout, channel=2, atr=2, stop_ranges=2)
        quiet = [bar(10, index, high=11, low=9) for index in range(2)]
        (target,) = targets(breakout, view, [*quiet, bar(6, 2, high=10, low=6)])
        assert (target.contracts, target.stop) == (-1, 12)

    def test_a_close_at_the_edge_is_no_breakout(self, view):
        breakout = made(Breakout, channel=2, atr=2)
        quiet = [bar(10, index, high=11, low=9) for index in range(2)]
        assert targets(breakout, view, [*quiet, bar(11, 2), bar(9, 3)]) == []

    def test_it_does_not_act_before_channel_and_range_are_known(self, view):
        breakout = made(Breakout, channel=2, atr=4)
        assert breakout.warmup_bars == 5
        assert targets(breakout, view, bars(10, 11, 12, 13)) == []
        assert sides(targets(breakout, view, bars(14, start=4))) == [1]

    def test_it_enters_the_same_side_again_after_a_stop(self, view):
        breakout = made(Breakout, channel=2, atr=2)
        assert sides(targets(breakout, view, bars(10, 10, 12, 14))) == [1]
        stopped(breakout, view, 1)
        assert sides(targets(breakout, view, bars(16, start=4))) == [1]


class TestMeanReversion:
    CALM = (10, 10.1, 10, 10.1)

    def strategy(self):
        """Four closes around 10.05, bands at 1.5 deviations, two changes for the index."""
        return made(MeanReversion, period=4, width=1.5, rsi=2, stop_ratio="0.1")

    def test_it_buys_below_the_lower_band_with_a_stop_below(self, view):
        """A close of 9 is far below 10, 10.1, 10 and itself; the stop is a tenth lower."""
        (target,) = targets(self.strategy(), view, bars(*self.CALM, 9))
        assert (target.contracts, target.stop) == (1, Decimal("8.1"))

    def test_it_sells_above_the_upper_band_with_a_stop_above(self, view):
        (target,) = targets(self.strategy(), view, bars(*self.CALM, 11))
        assert (target.contracts, target.stop) == (-1, Decimal("12.1"))

    def test_it_leaves_at_the_middle_and_not_before(self, view):
        """After 9 the middle is 9.8, so 9.5 is too low and 10 is enough."""
        strategy = self.strategy()
        found = targets(strategy, view, bars(*self.CALM, 9, 9.5, 10))
        assert sides(found) == [1, 0]
        assert found[1].time_ns == bar(1, 6).time_ns
        assert strategy.wanted == 0

    def test_it_leaves_a_short_at_the_middle(self, view):
        assert sides(targets(self.strategy(), view, bars(*self.CALM, 11, 10.6, 10))) == [-1, 0]

    def test_inside_the_bands_it_does_nothing(self, view):
        assert targets(self.strategy(), view, bars(*self.CALM, *self.CALM)) == []

    @pytest.mark.parametrize("far", [9, 11])
    def test_a_price_outside_the_bands_must_also_be_overdone(self, view, far):
        """The other closes moved so much that the index is not below 1 or above 99."""
        strategy = made(MeanReversion, period=4, width=0.1, rsi=4, oversold=1)
        assert targets(strategy, view, bars(10, 10.1, 10, 10.1, 10, far)) == []

    def test_it_does_not_act_before_bands_and_index_are_known(self, view):
        strategy = made(MeanReversion, period=4, width=1, rsi=5)
        assert strategy.warmup_bars == 6
        assert targets(strategy, view, bars(10, 9, 8, 7, 5)) == []
        assert sides(targets(strategy, view, bars(2, start=5))) == [1]

    def test_it_enters_again_after_a_stop(self, view):
        strategy = self.strategy()
        assert sides(targets(strategy, view, bars(*self.CALM, 9))) == [1]
        stopped(strategy, view, 1)
        assert sides(targets(strategy, view, bars(5, start=5))) == [1]


class TestFundingCarry:
    @pytest.fixture
    def carry(self, view):
        view.marks[BTC] = Decimal(100)
        return made(FundingCarry, enter_rate="0.0001", leave_rate="0.00002", stop_ratio="0.05")

    @pytest.mark.parametrize(("rate", "side", "stop"), [("0.0001", -1, "105"), ("-0.0001", 1, "95")])
    def test_it_takes_the_side_that_is_paid(self, carry, view, rate, side, stop):
        (target,) = targets(carry, view, [funding_rate(rate)])
        assert (target.contracts, target.stop) == (side, Decimal(stop))

    def test_below_the_entry_rate_it_stays_out(self, carry, view):
        assert targets(carry, view, [funding_rate("0.0000999"), funding_rate("0.00002"), funding_rate("0")]) == []

    def test_it_stays_while_the_rate_is_worth_it_and_leaves_when_it_is_not(self, carry, view):
        found = targets(carry, view, [funding_rate(rate) for rate in ("0.0002", "0.00003", "0.00002", "0")])
        assert sides(found) == [-1, 0]

    def test_it_leaves_the_side_that_has_come_to_pay(self, carry, view):
        """Short for 0.0002; at -0.00005 it would pay, though that is too little to go long for."""
        assert sides(targets(carry, view, [funding_rate("0.0002"), funding_rate("-0.00005")])) == [-1, 0]

    def test_it_flips_when_the_other_side_is_paid_enough(self, carry, view):
        assert sides(targets(carry, view, [funding_rate("0.0002"), funding_rate("-0.0002")])) == [-1, 1]

    def test_it_enters_again_after_a_stop(self, carry, view):
        targets(carry, view, [funding_rate("0.0002")])
        stopped(carry, view, -1)
        assert sides(targets(carry, view, [funding_rate("0.0002")])) == [-1]

    def test_it_asks_for_funding_rates_alone(self, carry):
        assert carry.subscriptions() == (Subscription(Feed.FUNDING),)

    def test_without_a_mark_it_waits(self, carry, view):
        view.marks.clear()
        assert targets(carry, view, [funding_rate("0.0002")]) == []
