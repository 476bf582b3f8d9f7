"""Brings each event to the strategies that asked for it. Pure."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from app.domain.events import Fill, StreamEvent, Timer
from app.domain.market import Bar, FundingRate, MarkPrice, Quote, Trade
from app.domain.target import Target
from app.ports.strategy_view import StrategyView
from app.strategies.bar_feed import BarFeed
from app.strategies.blame import place_of
from app.strategies.strategy import Feed, Strategy
from app.strategies.vetting import vetted

NOTHING: tuple[Target, ...] = ()
EVENT_TYPES: dict[Feed, type] = {
    Feed.QUOTES: Quote,
    Feed.TRADES: Trade,
    Feed.MARKS: MarkPrice,
    Feed.FUNDING: FundingRate,
}

Ask = Callable[[StreamEvent], Target | None]
Way = Callable[[Any], Sequence[Target]]
OnFailure = Callable[[Strategy, str, BaseException], None]
"""Told once of each strategy that is set aside: why, in words for people, and the error itself."""


class BarSubscription:
    """A bar feed, and the strategies that see its bars."""

    def __init__(self, feed: BarFeed) -> None:
        self.feed = feed
        self.strategies: list[Strategy] = []
        self.asks: list[Ask] = []


class StrategyRouter:
    """Routes events to strategies. One strategy that raises is set aside; the others go on."""

    def __init__(self, strategies: Sequence[Strategy], view: StrategyView, on_failure: OnFailure) -> None:
        self._view = view
        self._on_failure = on_failure
        self._failed: dict[Strategy, str] = {}
        self._asks: dict[type, dict[str, list[Ask]]] = {}
        self._bars: dict[str, list[BarSubscription]] = {}
        self.ways: dict[type, Way] = {Bar: self._on_bar, Trade: self._on_time, Timer: self._on_time}
        """How each kind of event is brought to the strategies. Nobody listens to a kind that is not here."""
        for strategy in strategies:
            self._subscribe(strategy)

    @property
    def failed(self) -> dict[Strategy, str]:
        """The strategies that were set aside, and why."""
        return dict(self._failed)

    @property
    def bar_subscriptions(self) -> tuple[BarSubscription, ...]:
        """All bar feeds."""
        return tuple(subscription for of_symbol in self._bars.values() for subscription in of_symbol)

    def set_aside(self, strategy: Strategy, error: BaseException) -> None:
        """Ask a strategy no more; its positions keep their protection."""
        if strategy not in self._failed:
            self._failed[strategy] = f"{type(error).__name__}: {error}{place_of(error)}"
            self._on_failure(strategy, self._failed[strategy], error)

    @contextmanager
    def containing(self, strategy: Strategy) -> Iterator[None]:
        """Set a strategy aside for whatever is raised within, which is somebody else's code.

        Not even its sys.exit() ends the bot. What the operator's keyboard says is not the strategy's.
        """
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - see above
            self.set_aside(strategy, error)

    def _on_bar(self, bar: Bar) -> Sequence[Target]:
        targets: tuple[Target, ...] = NOTHING
        for subscription in self._bars.get(bar.symbol, ()):
            feed = subscription.feed
            # A bar of the very length, after the first, is passed on as it is.
            closed = bar if feed.has_bars and bar.interval_s == feed.interval_s else feed.on_bar(bar)
            if closed is not None:
                for ask in subscription.asks:
                    target = ask(closed)
                    if target is not None:
                        targets = (*targets, target)
        return targets

    def _on_time(self, event: Trade | Timer) -> Sequence[Target]:
        """Close bars that are built from trades: a trade closes its own symbol's, a timer all that are due.

        A trade is then brought to those who listen to trades.
        """
        targets: list[Target] = []
        of_trade = isinstance(event, Trade)
        subscriptions = self._bars.get(event.symbol, ()) if isinstance(event, Trade) else self.bar_subscriptions
        for subscription in subscriptions:
            feed = subscription.feed
            closed = feed.on_trade(event) if of_trade else feed.on_time(event.time_ns)  # type: ignore[arg-type] # a Trade
            if closed is not None:
                targets += [target for ask in subscription.asks if (target := ask(closed)) is not None]
        if of_trade and Trade in self._asks:
            targets += self._ask(event)
        return targets

    def _ask(self, event: Any) -> Sequence[Target]:  # noqa: ANN401 - of the kinds that are listened to: they have a symbol
        targets: list[Target] = []
        for ask in self._asks[type(event)].get(event.symbol, ()):
            target = ask(event)
            if target is not None:
                targets.append(target)
        return targets

    def _subscribe(self, strategy: Strategy) -> None:
        market = self._guarded(strategy, strategy.on_event)
        for subscription in strategy.subscriptions():
            symbol = subscription.symbol or strategy.symbol
            if subscription.feed is Feed.BARS:
                bars = self._bar_subscription(symbol, subscription.interval_s)
                bars.strategies.append(strategy)
                bars.asks.append(self._guarded(strategy, strategy.take_bar))
            else:
                self._listen(EVENT_TYPES[subscription.feed], symbol, market)
        if strategy.reenters or type(strategy).on_fill is not Strategy.on_fill:
            self._listen(Fill, strategy.symbol, self._guarded(strategy, strategy.on_fill))

    def _bar_subscription(self, symbol: str, interval_s: int) -> BarSubscription:
        of_symbol = self._bars.setdefault(symbol, [])
        for known in of_symbol:
            if known.feed.interval_s == interval_s:
                return known
        of_symbol.append(BarSubscription(BarFeed(symbol, interval_s)))
        return of_symbol[-1]

    def _listen(self, kind: type, symbol: str, ask: Ask) -> None:
        self._asks.setdefault(kind, {}).setdefault(symbol, []).append(ask)
        # Trades have a way already, on which bars are built of them.
        self.ways.setdefault(kind, self._ask)

    def _guarded(self, strategy: Strategy, call: Callable[..., Target | None]) -> Ask:
        view, failed = self._view, self._failed

        def ask(event: StreamEvent) -> Target | None:
            if failed and strategy in failed:
                return None
            try:
                returned = call(event, view)
                return None if returned is None else vetted(returned, strategy, view, event.time_ns)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - somebody else's code: not even its sys.exit() ends the bot
                self.set_aside(strategy, error)
                return None

        return ask
