"""An order that is to be judged, and the account as it would be with it: worked out once, for all checks."""

from decimal import Decimal

from app.domain.instrument import Instrument
from app.domain.order import Order
from app.ports.books import Books
from app.risk.exposure import Exposure, exposure_with


class OrderCase:
    """What the checks judge by. Whoever asks for the instrument has had it checked that the symbol is listed."""

    __slots__ = (
        "_equity",
        "_exposure",
        "_notional",
        "books",
        "listed",
        "mark",
        "now_ns",
        "order",
        "portfolio",
        "price",
    )

    def __init__(self, order: Order, books: Books) -> None:
        self.order = order
        self.books = books
        self.portfolio = books.portfolio
        self.now_ns = books.now_ns
        self.listed: Instrument | None = books.instruments.get(order.symbol)
        self.mark: Decimal | None = self.portfolio.mark(order.symbol)
        self.price: Decimal | None = order.price or order.trigger_price or self.mark
        """What it executes at as far as is known: its own price, else its trigger, else the mark."""
        self._notional: Decimal | None = None
        self._exposure: Exposure | None = None
        self._equity: Decimal | None = None

    @property
    def instrument(self) -> Instrument:
        """What is traded."""
        return self.books.instruments[self.order.symbol]

    @property
    def notional(self) -> Decimal | None:
        """Value of the order at ``price``, settlement currency; None when no price is known."""
        if self._notional is None and self.price is not None:
            self._notional = self.instrument.notional(self.order.contracts, self.price)
        return self._notional

    @property
    def exposure(self) -> Exposure:
        """The worst that all positions and orders can come to, with this one."""
        if self._exposure is None:
            self._exposure = exposure_with(self.books, self.order)
        return self._exposure

    @property
    def equity(self) -> Decimal:
        """Balance plus unrealized PnL."""
        if self._equity is None:
            self._equity = self.portfolio.equity
        return self._equity
