"""Events reach the strategies that asked for them, and one that raises harms no other."""

from decimal import Decimal

import pytest

from app.domain.target import Entry
from app.strategies import Feed, Strategy, Subscription
from app.strategies.bar_feed import BarFeed
from app.strategies.router import StrategyRouter
from app.strategies.view import AccountView
from tests.builders import BTC, ETH, at, bar, fill, funding_rate, instrument, mark, quote, target, timer, trade
from tests.risk.account import Account
from tests.strategies.account import FakeView, made


class Listener(Strategy):
    """Keeps what it sees, and wants to be long from the first event on."""

    feeds = (Subscription(Feed.BARS, 60),)

    def subscriptions(self):
        return self.feeds

    def setup(self):
        self.seen = []

    def note(self, event, view):
        self.seen.append(event)
        return self.target(view, 1, event.time_ns, Decimal(100))

    on_bar = on_quote = on_trade = on_mark = on_funding = on_fill = note


class Curious(Listener):
    feeds = tuple(Subscription(feed) for feed in (Feed.QUOTES, Feed.TRADES, Feed.MARKS, Feed.FUNDING))


class Raising(Listener):
    def note(self, event, view):
        raise ZeroDivisionError("my mistake")

    on_bar = note


def router(*strategies):
    failures = []
    return StrategyRouter(strategies, FakeView(), lambda strategy, text, _: failures.append((strategy, text))), failures


def routed(routes, event):
    """Return what the pump would be told."""
    way = routes.ways.get(type(event))
    return () if way is None else way(event)


@pytest.fixture
def listener():
    return made(Listener)


@pytest.mark.parametrize(
    "event",
    [quote("99", "101"), trade("100"), mark("100"), funding_rate("0.0001"), fill()],
    ids=lambda e: type(e).__name__,
)
def test_an_event_reaches_who_listens_to_its_kind_and_symbol(event):
    curious, elsewhere, other_kind = made(Curious), made(Curious, symbol=ETH), made(Raising)
    routes, _ = router(curious, elsewhere)
    assert [target.symbol for target in routed(routes, event)] == [BTC]
    assert (curious.seen, elsewhere.seen, other_kind.seen) == ([event], [], [])


def test_an_event_that_nobody_asked_for_changes_nothing(listener):
    routes, _ = router(listener)
    for event in (quote("99", "101"), mark("100"), timer(1), bar(100, symbol=ETH), trade("100", symbol=ETH)):
        assert list(routed(routes, event)) == []
    assert listener.seen == []


def test_bars_of_the_wanted_length_are_passed_on(listener):
    routes, _ = router(listener)
    (target,) = routed(routes, bar(100))
    assert target.contracts == 1
    assert list(routed(routes, bar(100, 1))) == []
    assert listener.seen == [bar(100), bar(100, 1)]


def test_longer_bars_are_built_from_shorter_ones(listener):
    routes, _ = router(listener)
    for index, close in enumerate((100, 103, 102)):
        routed(routes, bar(close, index, interval_s=20))
    assert listener.seen == [bar(102, open_=100, high=103, low=100, volume=3)]


def test_bars_are_built_from_trades_and_closed_by_the_timer(listener):
    routes, _ = router(listener)
    for event in (trade(100, 1), trade(103, 30), timer(59)):
        assert list(routed(routes, event)) == []
    assert len(routed(routes, timer(60))) == 1
    assert listener.seen == [bar(103, open_=100, volume=2)]


def test_bars_that_are_built_from_trades_are_closed_by_the_next_trade(listener):
    routes, _ = router(listener)
    routed(routes, trade(100, 1))
    assert len(routed(routes, trade(105, 61))) == 1
    assert listener.seen == [bar(100)]


def test_strategies_that_want_the_same_bars_share_one_feed():
    first, second, other = made(Listener), made(Listener), made(Listener, symbol=ETH)
    routes, _ = router(first, second, other)
    assert [(each.feed.symbol, each.strategies) for each in routes.bar_subscriptions] == [
        (BTC, [first, second]),
        (ETH, [other]),
    ]
    routed(routes, bar(100, interval_s=30))
    routed(routes, bar(101, 1, interval_s=30))
    assert first.seen == second.seen == [bar(101, open_=100, volume=2)]


def test_a_strategy_may_watch_another_symbol():
    class Watching(Listener):
        feeds = (Subscription(Feed.BARS, 60, ETH), Subscription(Feed.BARS, 300), Subscription(Feed.BARS, 60))

    watching = made(Watching)
    routes, _ = router(watching)
    (target,) = routed(routes, bar(100, symbol=ETH))
    assert target.symbol == BTC
    assert [each.feed.interval_s for each in routes.bar_subscriptions] == [60, 300, 60]


def test_a_strategy_that_raises_is_set_aside_and_the_others_go_on(listener):
    raising = made(Raising)
    routes, failures = router(raising, listener)
    assert len(routed(routes, bar(100))) == 1
    routed(routes, bar(100, 1))
    said = "ZeroDivisionError: my mistake (test_router.py, line 41)"
    assert routes.failed == {raising: said}
    assert failures == [(raising, said)]
    assert len(listener.seen) == 2


def test_a_strategy_whose_target_is_nonsense_is_set_aside_and_its_target_goes_nowhere(listener, monkeypatch):
    strange = made(Listener)
    monkeypatch.setattr(strange, "on_bar", lambda event, view: target(entry=None, strategy_id="mine"))
    routes, _ = router(strange, listener)
    assert [found.entry for found in routed(routes, bar(100))] == [Entry()]
    assert "put on record: Expected `object`, got `null` - at `$.entry`" in routes.failed[strange]


def test_ctrl_c_is_not_the_strategys(listener, monkeypatch):
    """Its own sys.exit() is contained; what the operator's keyboard says is not."""
    routes, failures = router(listener)
    for raised in (SystemExit(0), KeyboardInterrupt()):
        broken = made(Raising)
        monkeypatch.setattr(Raising, "on_bar", lambda *_, raised=raised: (_ for _ in ()).throw(raised))
        routes, failures = router(broken)
        if isinstance(raised, KeyboardInterrupt):
            with pytest.raises(KeyboardInterrupt):
                routed(routes, bar(100))
        else:
            routed(routes, bar(100))
            [(failed, said)] = failures
            assert failed is broken
            assert said.startswith("SystemExit: 0 (test_router.py")


def test_a_strategy_can_be_set_aside_from_outside(listener):
    routes, failures = router(listener)
    routes.set_aside(listener, ValueError("no history"))
    assert list(routed(routes, bar(100))) == []
    assert failures == [(listener, "ValueError: no history")]


@pytest.mark.parametrize("interval_s", [90, 45])
def test_bars_that_cannot_make_up_the_wanted_ones_are_reported(interval_s):
    """90 s are too long for a minute, and 45 s do not divide it."""
    feed = BarFeed(BTC, 60)
    assert feed.on_bar(bar(100, interval_s=interval_s)) is None
    assert feed.too_coarse_s == interval_s


def test_once_bars_have_come_trades_are_not_counted_twice():
    feed = BarFeed(BTC, 60)
    feed.on_bar(bar(100, interval_s=30))
    assert feed.on_trade(trade(500, 31)) is None
    assert feed.on_time(at(600)) is None
    assert feed.on_bar(bar(101, 1, interval_s=30)) == bar(101, open_=100, volume=2)
    assert feed.too_coarse_s is None


def test_strategies_see_the_account_as_it_is():
    account = Account()
    account.mark("110")
    account.fill("2", price="100")
    view = AccountView(account.portfolio, {BTC: instrument()})
    assert (view.equity, view.mark(BTC), view.position(BTC).contracts) == (10020, 110, 2)
    assert view.instrument(BTC) == instrument()
    assert view.position(ETH).is_flat
