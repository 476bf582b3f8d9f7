"""A strategy that a script leads by prices: it decides at two of them, and at no other."""

from decimal import Decimal

from app.domain.market import Trade
from app.domain.order import OrderType
from app.domain.target import Entry, Target
from app.ports.strategy_view import StrategyView
from app.strategies import Strategy
from app.strategies.strategy import Feed, StrategyParams, Subscription

ENTER, LEAVE = Decimal(100), Decimal(105)


class Scripted(Strategy):
    """Wants to be long at ``ENTER``, by a limit below it; flat at ``LEAVE``."""

    class Params(StrategyParams):
        entry: Decimal = Decimal("99.5")
        stop: Decimal = Decimal(90)
        take_profit: Decimal = Decimal(120)

    def subscriptions(self) -> tuple[Subscription, ...]:
        return (Subscription(Feed.TRADES),)

    def on_trade(self, trade: Trade, view: StrategyView) -> Target | None:
        if trade.price == LEAVE:
            return self.target(view, 0, trade.time_ns, trade.price, reason="leave")
        if trade.price != ENTER:
            return None
        return self.target(
            view,
            1,
            trade.time_ns,
            trade.price,
            entry=Entry(type=OrderType.LIMIT, price=self.params.entry),
            stop=self.params.stop,
            take_profit=self.params.take_profit,
        )
