"""Knows which positions the bot cannot leave, and says so."""

from collections.abc import Callable

from app.domain.events import Severity
from app.domain.order import Order, OrderStatus, Purpose
from app.domain.reasons import EXECUTION
from app.execution.books import AccountBooks
from app.execution.retries import Retries, was_dropped
from app.execution.tracker import TrackedOrder
from app.ports.trading_state import TradingStatePort

STUCK = "stuck:"
"""With the symbol behind it."""
_EXIT = Purpose.EXIT


class Exits:
    """Of positions that must go. The first failure may be a hiccup; from the second in a row on it is told.

    A row of failures is ended by a fill, however many targets want the position gone meanwhile.
    """

    def __init__(
        self,
        books: AccountBooks,
        trading_state: TradingStatePort,
        must_go: Callable[[str], bool],
        retries: Retries,
    ) -> None:
        self._portfolio = books.portfolio
        self._trading_state = trading_state
        self._must_go = must_go
        self._retries = retries

    def stuck(self) -> dict[str, str]:
        """Return why positions cannot be left, by symbol."""
        rows = ((p.symbol, self._retries.of(p.symbol, _EXIT, at_market=True)) for p in self._portfolio.positions)
        return {name: row.why for name, row in rows if row is not None and row.count > 1 and self._must_go(name)}

    def note_end(self, tracked: TrackedOrder) -> None:
        """Take in how an exit ended that was not filled, or not fully: a part is a success, nothing is a failure."""
        order = tracked.order
        if tracked.filled:
            self.begin_anew(order.symbol)
        elif tracked.status is OrderStatus.REJECTED or was_dropped(tracked):
            self.fail(order, f"exit {tracked.status}: {tracked.reason}")

    def fail(self, order: Order, why: str) -> None:
        """Take in that an exit did nothing."""
        if self._retries.fail(order, why).count > 1 and self._must_go(order.symbol):
            self._trading_state.raise_reason(EXECUTION, STUCK + order.symbol, Severity.REDUCE_ONLY, why)

    def begin_anew(self, symbol: str) -> None:
        """Forget what has failed: an exit has filled something, or a person wants it tried at once."""
        self._retries.forget(symbol, _EXIT)
        self.settle(symbol)

    def settle(self, symbol: str) -> None:
        """Take back that a position cannot be left, once it is gone, or is to stay."""
        if self._retries.of(symbol, _EXIT, at_market=True) is None or not self._must_go(symbol):
            self._trading_state.clear_reason(EXECUTION, STUCK + symbol)
