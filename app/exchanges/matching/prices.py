"""What the venue knows of prices: the last ones, the top of the book, and whether a symbol has marks of its own."""

from decimal import Decimal

from app.domain.instrument import Instrument
from app.domain.order import Order, OrderType, TriggerPrice
from app.domain.portfolio import Portfolio
from app.exchanges.matching.rules import MatchingRules, best_prices
from app.exchanges.matching.state import VenueState


class Prices:
    """Written by the engine at every market event; the marks themselves are in the books."""

    __slots__ = ("estimated", "last", "marked", "quotes")

    def __init__(self) -> None:
        self.last: dict[str, Decimal] = {}
        self.quotes: dict[str, tuple[Decimal, Decimal]] = {}
        """Bid and ask, where the data has them."""
        self.marked: set[str] = set()
        """Symbols whose marks come apart from their last prices."""
        self.estimated: set[str] = set()
        """Symbols whose latest mark nobody recorded: the last price stands in for it."""

    def mark_is_known(self, symbol: str) -> bool:
        """Whether the latest mark of a symbol is the venue's own."""
        return symbol in self.marked and symbol not in self.estimated

    def reference(self, order: Order, books: Portfolio) -> Decimal | None:
        """Return what an order without a price is measured by, and a trailing stop starts from; None without any."""
        last = self.last.get(order.symbol)
        if last is not None and order.type is not OrderType.TRAILING_STOP:
            return last
        mark = books.mark(order.symbol)
        if order.trigger_by is TriggerPrice.MARK and mark is not None and order.type is OrderType.TRAILING_STOP:
            return mark
        return last if last is not None else mark

    def book(self, instrument: Instrument, price: Decimal, rules: MatchingRules) -> tuple[Decimal, Decimal]:
        """Return bid and ask: of the quotes, else around ``price``."""
        quote = self.quotes.get(instrument.symbol)
        return best_prices(instrument, price, rules) if quote is None else quote

    def restore(self, state: VenueState) -> None:
        """Take over what was saved."""
        self.last, self.quotes = state.last, state.quotes
        self.marked, self.estimated = state.marked, state.estimated
