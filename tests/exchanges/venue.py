"""A matching engine on one or two symbols, and short words for what happens to it."""

from decimal import Decimal

from app.domain.events import Fill
from app.domain.margin import MarginMode
from app.domain.order import Side
from app.exchanges.matching import MatchingEngine, MatchingRules
from tests.builders import BTC, bar, instrument, order


class Venue:
    """Deposit 10,000 USDT, leverage 10; BTC's last price is 100."""

    def __init__(self, *, rules=None, mode=MarginMode.CROSS, leverage="10", deposit="10000", listed=None, jitter=0.0):
        listed = listed or (instrument(),)
        self.engine = MatchingEngine(
            "main",
            listed[0].settle,
            {item.symbol: item for item in listed},
            rules or MatchingRules(),
            lambda: jitter,
            mode,
            Decimal(leverage),
        )
        self.engine.deposit(Decimal(deposit), 0)
        self.index = 0
        self.bar("100")

    def bar(self, close, **prices):
        """Let a minute go by; return what happened to our orders."""
        self.engine.on_market(bar(close, self.index, **prices))
        self.index += 1
        return self.told()

    def event(self, event):
        """Take any market event in; return what happened."""
        self.engine.on_market(event)
        return self.told()

    def send(self, an_order=None, **fields):
        """Submit an order; return what happened at once."""
        self.engine.submit(an_order or order(**fields))
        return self.told()

    def cancel(self, an_order):
        self.engine.cancel(an_order, "asked")
        return self.told()

    def told(self):
        """Return what was told since the last time."""
        told = list(self.engine.outcomes)
        self.engine.outcomes.clear()
        return told

    def hold(self, contracts, price="100", symbol=BTC):
        """Hold a position that was entered at ``price``."""
        size = Decimal(contracts)
        self.send(order(f"hold-{self.index}", Side.BUY if size > 0 else Side.SELL, abs(size), symbol=symbol))
        self.bar(price, open_=price, symbol=symbol)
        assert self.position(symbol) == size

    def position(self, symbol=BTC):
        return self.engine.books.position(symbol).contracts

    @property
    def balance(self):
        return self.engine.books.balance


def names(told):
    """Return what kinds of events were told, in order."""
    return [type(event).__name__ for event in told]


def fills(told):
    """Return price and size of each fill."""
    return [(event.price, event.contracts) for event in told if isinstance(event, Fill)]
