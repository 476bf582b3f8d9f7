"""Everything that is known of the account at this moment, read-only: what risk judges by."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Protocol

from app.domain.instrument import Instrument
from app.domain.order import Order, OrderStatus
from app.domain.trading_state import TradingState
from app.ports.clock import Clock
from app.ports.portfolio import MarginView


class WorkingOrder(Protocol):
    """An order that may still fill: intended, sent, unknown, open or partially filled."""

    @property
    def order(self) -> Order:
        """The intent."""

    @property
    def status(self) -> OrderStatus:
        """How far it has come."""

    @property
    def remaining(self) -> Decimal:
        """Contracts that may still fill; unsigned."""

    @property
    def cancel_requested(self) -> bool:
        """Whether it was asked to be canceled, and nobody has refused."""


class Books(Protocol):
    """The account, its working orders and its marks."""

    @property
    def clock(self) -> Clock:
        """Tells the time of the market."""

    @property
    def trading(self) -> TradingState:
        """The trading state."""

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """By symbol."""

    @property
    def portfolio(self) -> MarginView:
        """Positions, ledger and margin."""

    def mark_ns(self, symbol: str) -> int | None:
        """Return the time of the last mark; None when none has been seen or the book is stale."""

    def spread(self, symbol: str) -> tuple[Decimal, Decimal] | None:
        """Return the last bid and ask; None when no quote has been seen."""

    def working(self, symbol: str) -> Collection[WorkingOrder]:
        """Return the orders of ``symbol`` that may still fill."""

    @property
    def working_symbols(self) -> Collection[str]:
        """The symbols with orders that may still fill."""

    @property
    def open_orders(self) -> int:
        """Number of all orders that may still fill."""

    def orders_since(self, time_ns: int) -> int:
        """Return how many orders were intended at or after ``time_ns`` (looks back at most a minute)."""

    def last_like(self, order: Order) -> int | None:
        """Return when an order equal in symbol, side, type, contracts and prices was last intended; None if never.

        Only orders of the last hour count, and at most the latest thousand.
        """
