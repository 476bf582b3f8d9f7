"""What every strategy gets from its base: targets, warm-up, and a memory that outlives a restart."""

from decimal import Decimal

import msgspec
import pytest

from app.domain.order import OrderType, Side
from app.domain.target import Entry
from app.strategies import Feed, Strategy, Subscription
from app.strategies.trend import Trend
from tests.builders import BTC, START_NS, bar, fill, funding_rate, mark, quote, trade
from tests.strategies.account import made, targets

ENTRY_AT_105 = Entry(type=OrderType.STOP_MARKET, trigger_price=Decimal(105))
VOLATILE = {"model": "volatility_target", "volatility_ratio": "0.2", "fraction_max": "1"}


class Follower(Strategy):
    """Wants what the closes say: above 100 long, below it short, at it flat."""

    reenters = True

    def on_bar(self, bar, view):
        side = int(bar.close.compare(100))
        return self.target(view, side, bar.time_ns, bar.close, reason=f"close {bar.close}")


class Slow(Follower):
    warmup_bars = 3


class Stubborn(Follower):
    reenters = False


class Keeper(Strategy):
    """Remembers numbers, texts and lists, and something that is not known yet."""

    def setup(self):
        self.count = 0
        self.words = ["a"]
        self.last = None

    def on_bar(self, bar, view):
        self.count += 1
        self.words.append("b")
        self.last = float(bar.close)


def test_a_target_says_who_wants_what_and_why(view):
    (target,) = targets(made(Follower), view, [bar(101)])
    assert (target.strategy_id, target.symbol, target.contracts, target.sequence) == ("mine", BTC, 1, 1)
    assert (target.time_ns, target.reason, target.entry) == (bar(101).time_ns, "close 101", Entry())
    assert (target.stop, target.take_profit, target.trailing) == (None, None, None)


def test_wanting_the_same_again_is_no_new_target(view):
    found = targets(made(Follower), view, [bar(close, index) for index, close in enumerate((101, 102, 99, 98, 100))])
    assert [(target.contracts, target.sequence) for target in found] == [(1, 1), (-1, 2), (0, 3)]


def test_prices_of_a_target_are_cut_to_the_tick(view):
    entry = Entry(type=OrderType.LIMIT, price=Decimal(99))
    target = made(Follower).target(
        view,
        1,
        START_NS,
        Decimal(100),
        entry=entry,
        stop=Decimal("90.04"),
        take_profit=Decimal("119.96"),
        trailing=Decimal("4.98"),
    )
    assert (target.entry, target.stop, target.take_profit, target.trailing) == (
        entry,
        Decimal("90.0"),
        Decimal("120.0"),
        Decimal("5.0"),
    )


def test_a_strategy_that_warms_up_wants_nothing(view):
    strategy = made(Slow)
    assert targets(strategy, view, [bar(101, 0), bar(101, 1)]) == []
    assert len(targets(strategy, view, [bar(101, 2)])) == 1


def test_history_warms_up_and_never_acts(view):
    strategy = made(Slow)
    strategy.on_history([bar(101, index) for index in range(10)], view)
    assert strategy.is_warm
    assert strategy.wanted is None
    assert len(targets(strategy, view, [bar(101, 10)])) == 1


def test_history_that_fails_half_way_leaves_the_strategy_able_to_act(view):
    strategy = made(Follower)
    with pytest.raises(AttributeError):
        strategy.on_history([bar(101), None], view)
    assert len(targets(strategy, view, [bar(101, 1)])) == 1


@pytest.mark.parametrize(("kind", "found"), [(Follower, 1), (Stubborn, 0)])
def test_after_a_stop_a_strategy_enters_the_same_side_again_if_it_says_so(view, kind, found):
    strategy = made(kind)
    targets(strategy, view, [bar(101)])
    strategy.on_fill(fill(side=Side.SELL), view)
    assert len(targets(strategy, view, [bar(101, 1)])) == found


def test_a_stop_that_has_filled_in_part_is_no_exit_yet(view):
    strategy = made(Follower)
    targets(strategy, view, [bar(101)])
    view.hold("0.5")
    strategy.on_fill(fill(side=Side.SELL, contracts="0.5"), view)
    assert strategy.wanted == 1


def test_the_fill_of_its_own_entry_changes_nothing(view):
    strategy = made(Follower)
    strategy.on_fill(fill(side=Side.BUY), view)
    targets(strategy, view, [bar(101)])
    strategy.on_fill(fill(side=Side.BUY), view)
    assert strategy.wanted == 1


def test_a_strategy_that_has_forgotten_says_again_what_it_wants(view):
    strategy = made(Follower)
    targets(strategy, view, [bar(101)])
    strategy.forget()
    (target,) = targets(strategy, view, [bar(101, 1)])
    assert target.sequence == 2


def test_a_size_that_comes_to_nothing_is_asked_for_again(view):
    """1e-9 coins are less than a lot; the strategy must not believe that it is in the market."""
    strategy = made(Follower, {"model": "fixed_quantity", "quantity": "0.0009"})
    assert targets(strategy, view, [bar(101)]) == []
    assert strategy.wanted is None


def test_a_position_that_can_only_be_turned_into_nothing_is_given_up(view):
    """Long with 1000 of equity; without any the short comes to nothing: flat, and short as soon as it can be."""
    strategy = made(Follower, {"model": "equity_fraction", "fraction": "1"})
    assert [target.contracts for target in targets(strategy, view, [bar(101)])] == [Decimal("99.009")]
    view.equity = Decimal(0)
    assert [target.contracts for target in targets(strategy, view, [bar(99, 1), bar(99, 2)])] == [0]
    view.equity = Decimal(990)
    assert [target.contracts for target in targets(strategy, view, [bar(99, 3)])] == [-10]


def test_by_default_a_strategy_sees_the_bars_of_its_symbol_and_wants_nothing(view):
    strategy = made(Strategy, interval_s=300)
    assert strategy.subscriptions() == (Subscription(Feed.BARS, 300),)
    everything = [bar(1), quote(1, 2), trade(1), mark(1), funding_rate("0.1")]
    assert targets(strategy, view, everything) == []
    assert strategy.is_warm


def test_a_restored_strategy_goes_on_where_it_was(view):
    before, after = made(Keeper), made(Keeper)
    targets(before, view, [bar(101), bar(102, 1)])
    after.restore(before.snapshot())
    assert (after.count, after.words, after.last) == (2, ["a", "b", "b"], 102.0)
    assert after.snapshot() == before.snapshot()


def test_a_restored_strategy_still_knows_what_it_wants(view):
    before, after = made(Follower), made(Follower)
    targets(before, view, [bar(101), bar(99, 1)])
    after.restore(before.snapshot())
    assert targets(after, view, [bar(99, 2)]) == []
    assert [target.sequence for target in targets(after, view, [bar(101, 3)])] == [3]


def test_a_restored_strategy_still_knows_how_wild_the_market_is(view):
    """It takes 61 closes to measure: without them every size would be nothing."""
    before, after = made(Follower, VOLATILE), made(Follower, VOLATILE)
    for strategy in (before, after):
        strategy.on_history([bar(100 + index % 2, index) for index in range(61)], view)
    fresh = made(Follower, VOLATILE)
    fresh.restore(before.snapshot())
    (expected,), (found,) = targets(after, view, [bar(101, 61)]), targets(fresh, view, [bar(101, 61)])
    assert expected == found
    assert found.contracts > 0


def test_a_memory_of_another_kind_is_refused_and_nothing_but_the_sequence_taken_over(view):
    strategy = made(Keeper)
    state = msgspec.json.decode(strategy.snapshot())
    with pytest.raises(msgspec.ValidationError):
        strategy.restore(msgspec.json.encode(state | {"_sequence": 7, "last": 5.5, "words": "no list"}))
    assert (strategy.last, strategy.words, strategy._sequence) == (None, ["a"], 7)


def test_a_memory_of_other_parameters_is_refused_but_its_sequence_goes_on(view):
    """Averages of 3 and 5 are of no use to 2 and 4; a target of sequence 1 would be ignored after one of 2."""
    before, after = made(Trend, fast=1, slow=2), made(Trend, fast=1, slow=3)
    assert len(targets(before, view, [bar(close, index) for index, close in enumerate((10, 12, 6))])) == 2
    with pytest.raises(msgspec.ValidationError, match="with other parameters"):
        after.restore(before.snapshot())
    assert (after.slow.period, after.slow.value, after.wanted) == (3, None, None)
    found = targets(after, view, [bar(close, index) for index, close in enumerate((10, 12, 14), 3)])
    assert [target.sequence for target in found] == [3]


def test_a_memory_that_lacks_something_leaves_that_as_it_was(view):
    strategy = made(Keeper)
    state = msgspec.json.decode(strategy.snapshot())
    del state["words"]
    strategy.restore(msgspec.json.encode(state | {"count": 4}))
    assert (strategy.count, strategy.words) == (4, ["a"])


def test_what_cannot_be_saved_is_named():
    strategy = made(Keeper)
    strategy.model = object()
    with pytest.raises(TypeError, match=r"self.model cannot be saved \(.*object.*\): override snapshot and restore"):
        strategy.snapshot()


@pytest.mark.parametrize(
    ("side", "words", "what"),
    [
        (1, {"stop": Decimal(101)}, "stop 101 is on the wrong side of 100"),
        (-1, {"stop": Decimal(100)}, "stop 100 is on the wrong side of 100"),
        (1, {"take_profit": Decimal(99)}, "take_profit 99 is on the wrong side of 100"),
    ],
)
def test_protection_on_the_wrong_side_is_refused(view, side, words, what):
    """It would go off as soon as it rests."""
    with pytest.raises(ValueError, match=what):
        made(Follower).target(view, side, START_NS, Decimal(100), **words)


@pytest.mark.parametrize("side", [2, -3, 0.5, "long"])
def test_a_side_that_is_none_is_refused(view, side):
    """Sizes are multiplied by it: a 2 would trade twice what the sizing says."""
    with pytest.raises(ValueError, match="use \\+1 for long, -1 for short, 0 for flat"):
        made(Follower).target(view, side, START_NS, Decimal(100))


def test_a_stop_may_be_above_the_price_when_the_entry_is(view):
    asked = made(Follower).target(view, 1, START_NS, Decimal(100), stop=Decimal(102), entry=ENTRY_AT_105)
    assert asked.stop == 102
