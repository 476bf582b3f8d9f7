"""Books that a test fills by hand, and risk settings with every limit off."""

from decimal import Decimal

from app.domain.margin import MarginMode
from app.domain.order import Side
from app.domain.portfolio import Portfolio
from app.execution import AccountBooks, OrderTracker
from app.risk.case import OrderCase
from app.settings.models import RiskSettings
from tests.builders import BTC, ETH, START_NS, fill, funding_paid, instrument
from tests.fakes.clock import FakeClock
from tests.fakes.trading_state import FakeTradingState

OFF = {
    name: None if field.default is None or name.endswith(("_max", "_min")) else field.default
    for name, field in RiskSettings.model_fields.items()
} | {
    "mark_age_s_max": 86_400.0,
    "open_orders_max": 10_000,
    "orders_per_minute_max": 1_000_000,
    "duplicate_window_s": 0.0,
    "mark_stale_s_max": 86_400.0,
}


def limits(**on):
    """Return settings with only the limits that are named."""
    return RiskSettings(**(OFF | on))


def judge(check, order, books, settings):
    """Return what one check says of an order."""
    return check(OrderCase(order, books), settings)


class Account:
    """Books, and short words for what happens to them."""

    def __init__(self, deposit="10000", mode=MarginMode.CROSS, leverage="10", instruments=None) -> None:
        instruments = instruments or {BTC: instrument(), ETH: instrument(ETH)}
        settle = next(iter(instruments.values())).settle
        self.clock = FakeClock(START_NS)
        self.trading = FakeTradingState()
        self.portfolio = Portfolio("main", settle, instruments, mode, Decimal(leverage))
        self.portfolio.deposit("opening", Decimal(deposit), START_NS)
        self.tracker = OrderTracker()
        self.books = AccountBooks(self.portfolio, self.tracker, instruments, self.trading, self.clock)
        self._trades = 0

    def mark(self, price, symbol=BTC):
        """Mark a symbol now."""
        self.books.set_mark(symbol, Decimal(price), self.clock.now_ns)

    def fill(self, contracts, price="100", fee="0", symbol=BTC, order_id=None):
        """Apply a fill of signed contracts, of an order of its own; return it with its ledger entry."""
        self._trades += 1
        size = Decimal(contracts)
        told = fill(
            f"t{self._trades}",
            Side.BUY if size > 0 else Side.SELL,
            abs(size),
            price,
            fee,
            symbol=symbol,
            time_ns=self.clock.now_ns,
            fee_currency=self.portfolio.currency,
            client_order_id=order_id or f"order-of-t{self._trades}",
        )
        return told, self.portfolio.apply(told)

    def fund(self, amount):
        """Settle funding now; return it."""
        paid = funding_paid(amount, self.clock.now_ns)
        self.portfolio.apply_funding(paid)
        return paid

    def works(self, an_order):
        """Have an order work at the exchange."""
        return self.tracker.intend(an_order)
