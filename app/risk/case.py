"""An order that is to be judged, and the account as it would be with it: worked out once, for all checks."""

from collections.abc import Collection
from decimal import Decimal

from app.domain.instrument import Instrument
from app.domain.money import ZERO
from app.domain.order import Order
from app.ports.books import Books, WorkingOrder
from app.risk.exposure import NO_EXPOSURE, Exposure, exposure_with


class OrderCase:
    """What the checks judge by. Whoever asks for the instrument has had it checked that the symbol is listed.

    All of it is worked out beforehand: nearly every order passes nearly every check, and each asks for some of it. Of
    an order that reduces, which no limit holds up, only what its form is judged by.
    """

    __slots__ = (
        "books",
        "equity",
        "exposure",
        "instrument",
        "listed",
        "mark",
        "notional",
        "now_ns",
        "open_orders",
        "order",
        "portfolio",
        "price",
        "working",
        "working_symbols",
    )

    def __init__(self, order: Order, books: Books) -> None:
        self.order = order
        self.books = books
        self.portfolio = portfolio = books.portfolio
        self.now_ns = books.clock.now_ns
        self.listed: Instrument | None = books.instruments.get(order.symbol)
        self.open_orders = 0
        """Number of all orders that may still fill."""
        self.working_symbols: Collection[str] = ()
        """The symbols with orders that may still fill."""
        self.working: Collection[WorkingOrder] = ()
        """Those of the order's symbol."""
        self.mark: Decimal | None = portfolio.mark(order.symbol)
        self.price: Decimal | None = order.price or order.trigger_price or self.mark
        """What it executes at as far as is known: its own price, else its trigger, else the mark."""
        self.notional: Decimal | None = None
        """Value of the order at ``price``, settlement currency; None when no price is known."""
        self.exposure: Exposure = NO_EXPOSURE
        """The worst that all positions and orders can come to, with this one."""
        self.equity: Decimal = ZERO
        """Balance plus unrealized PnL."""
        if self.listed is None or order.reduce_only:
            return
        self.instrument: Instrument = self.listed
        """What is traded."""
        if books.open_orders:
            self.open_orders, self.working_symbols = books.open_orders, books.working_symbols
            self.working = books.working(order.symbol)
        if self.price is not None:
            self.notional = self.listed.notional(order.contracts, self.price)
        self.exposure = exposure_with(books, order, self.working_symbols)
        self.equity = portfolio.equity
