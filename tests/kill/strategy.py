"""A strategy without any sense: it changes its mind all the time, and uses every kind of order."""

from decimal import Decimal
from zlib import crc32

from app.domain.market import Trade
from app.domain.order import OrderType
from app.domain.target import Entry, Target
from app.ports.strategy_view import StrategyView
from app.strategies import Strategy
from app.strategies.strategy import Feed, StrategyParams, Subscription

NEAR, FAR = Decimal("0.0005"), Decimal("0.01")
RISKED = Decimal("0.002")


class Restless(Strategy):
    """Wants something else at every ``every``-th trade. What, follows from the number of its target alone."""

    class Params(StrategyParams):
        every: int = 6

    def setup(self) -> None:
        self.seen = 0

    def subscriptions(self) -> tuple[Subscription, ...]:
        return (Subscription(Feed.TRADES),)

    def on_trade(self, trade: Trade, view: StrategyView) -> Target | None:
        self.seen += 1
        if self.seen % self.params.every:
            return None
        self.forget()
        number = crc32(f"{self.symbol}:{self._sequence}".encode())
        side = 1 if number & 1 else -1
        price = trade.price
        rounded = view.instrument(self.symbol).round_price
        limit = Entry(type=OrderType.LIMIT, price=rounded(price * (1 - side * NEAR)))
        entries = (
            Entry(),
            Entry(),
            limit,
            limit,
            Entry(type=OrderType.LIMIT, price=limit.price, valid_s=1),
            Entry(type=OrderType.LIMIT, price=rounded(price * (1 - side * FAR)), post_only=True),
            Entry(type=OrderType.STOP_MARKET, trigger_price=rounded(price * (1 + side * NEAR))),
            None,
        )
        entry = entries[(number >> 1) % len(entries)]
        if entry is None:
            return self.target(view, 0, trade.time_ns, price, reason="enough")
        trails = (number >> 8) % 5 == 0
        return self.target(
            view,
            side,
            trade.time_ns,
            price,
            entry=entry,
            stop=None if trails else price * (1 - side * RISKED),
            trailing=price * RISKED if trails else None,
            take_profit=None if (number >> 12) % 3 == 0 else price * (1 + side * RISKED),
            reason="why not",
        )
