"""A strategy without any sense: it changes its mind all the time, and uses every kind of order."""

from decimal import Decimal
from zlib import crc32

from app.domain.market import Trade
from app.domain.order import OrderType
from app.domain.target import Entry, Target
from app.ports.strategy_view import StrategyView
from app.strategies import Strategy
from app.strategies.strategy import Feed, StrategyParams, Subscription


class RestlessParams(StrategyParams):
    """How restless, and how near everything is."""

    every: int = 6
    """Trades between two changes of mind."""
    near: Decimal = Decimal("0.0005")
    """Distance of a limit that is likely to fill, as a part of the price."""
    far: Decimal = Decimal("0.01")
    risked: Decimal = Decimal("0.002")
    """Distance of stop and take-profit."""
    valid_s: int = 20
    """How long a limit with an end of its own works."""


class Restless(Strategy):
    """Wants something else at every ``every``-th trade. What, follows from the number of its target alone."""

    Params = RestlessParams
    params: RestlessParams

    def setup(self) -> None:
        """Count trades."""
        self.seen = 0

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Trades."""
        return (Subscription(Feed.TRADES),)

    def on_trade(self, trade: Trade, view: StrategyView) -> Target | None:
        """Change the mind, if it is time."""
        self.seen += 1
        if self.seen % self.params.every:
            return None
        self.forget()
        number = crc32(f"{self.symbol}:{self._sequence}".encode())
        side, price, params = (1 if number & 1 else -1), trade.price, self.params
        entry = self._entry(number >> 1, side, price, view)
        if entry is None:
            return self.target(view, 0, trade.time_ns, price, reason="enough")
        trails = (number >> 8) % 5 == 0
        return self.target(
            view,
            side,
            trade.time_ns,
            price,
            entry=entry,
            stop=None if trails else price * (1 - side * params.risked),
            trailing=price * params.risked if trails else None,
            take_profit=None if (number >> 12) % 3 == 0 else price * (1 + side * params.risked),
            reason="why not",
        )

    def _entry(self, number: int, side: int, price: Decimal, view: StrategyView) -> Entry | None:
        """Return how to enter; None for not at all."""
        rounded = view.instrument(self.symbol).round_price
        near = rounded(price * (1 - side * self.params.near))
        entries = (
            Entry(),
            Entry(),
            Entry(type=OrderType.LIMIT, price=near),
            Entry(type=OrderType.LIMIT, price=near),
            Entry(type=OrderType.LIMIT, price=near, valid_s=self.params.valid_s),
            Entry(type=OrderType.LIMIT, price=rounded(price * (1 - side * self.params.far)), post_only=True),
            Entry(type=OrderType.STOP_MARKET, trigger_price=rounded(price * (1 + side * self.params.near))),
            None,
        )
        return entries[number % len(entries)]
