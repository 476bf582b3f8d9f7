"""A strategy that changes its mind at every few marks: long with a stop, short with a stop, flat."""

from decimal import Decimal

from app.domain.market import MarkPrice
from app.domain.order import OrderType
from app.domain.target import Entry, Target
from app.ports.strategy_view import StrategyView
from app.strategies import Strategy
from app.strategies.strategy import Feed, StrategyParams, Subscription

RISKED = Decimal("0.002")


class Fickle(Strategy):
    """Market entries, entries by limit, and stops on both sides, of which some trail."""

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
        self.forget()
        side = (1, -1, 0, 1, -1)[self.sequence % 5]
        price = mark.price
        if not side:
            return self.target(view, 0, mark.time_ns, price)
        near = view.instrument(self.symbol).round_price(price * (1 - side * RISKED / 20))
        entry = Entry() if self.sequence % 2 else Entry(type=OrderType.LIMIT, price=near)
        trails = self.sequence % 3 == 0
        return self.target(
            view,
            side,
            mark.time_ns,
            price,
            entry=entry,
            stop=None if trails else price * (1 - side * RISKED),
            trailing=price * RISKED if trails else None,
            take_profit=price * (1 + side * RISKED),
        )
