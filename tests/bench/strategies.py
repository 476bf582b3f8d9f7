"""What the event path is measured with: a strategy that never acts, and one that turns its position at every bar."""

from app.domain.market import Bar, MarkPrice, Trade
from app.domain.target import Target
from app.ports.strategy_view import StrategyView
from app.strategies import BarParams, Strategy
from app.strategies.strategy import Feed, StrategyParams, Subscription


class Still(Strategy):
    """Looks at every bar, and wants nothing."""

    class Params(BarParams):
        fast: int = 1
        slow: int = 1

    def on_bar(self, bar: Bar, view: StrategyView) -> Target | None:
        del bar, view
        return None


class Turning(Strategy):
    """Long at one bar, short at the next: an order a bar."""

    class Params(BarParams):
        fast: int = 1
        slow: int = 1

    def setup(self) -> None:
        self.count = 0

    def on_bar(self, bar: Bar, view: StrategyView) -> Target | None:
        self.count += 1
        return self.target(view, 1 if self.count % 2 else -1, bar.time_ns, bar.close)


class Switching(Strategy):
    """In the market, and out of it again, every few marks: each decision is one order that nothing has to precede."""

    class Params(StrategyParams):
        every: int = 4

    def setup(self) -> None:
        self.seen = 0

    def subscriptions(self) -> tuple[Subscription, ...]:
        return (Subscription(Feed.MARKS),)

    def on_mark(self, mark: MarkPrice, view: StrategyView) -> Target | None:
        self.seen += 1
        if self.seen % self.params.every:
            return None
        return self.target(view, self.seen // self.params.every % 2, mark.time_ns, mark.price)


class Listening(Strategy):
    """Looks at every trade, and wants nothing."""

    class Params(StrategyParams):
        fast: int = 1
        slow: int = 1

    def subscriptions(self) -> tuple[Subscription, ...]:
        return (Subscription(Feed.TRADES),)

    def on_trade(self, trade: Trade, view: StrategyView) -> Target | None:
        del trade, view
        return None
