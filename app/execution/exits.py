"""Knows which positions the bot cannot leave, and says so."""

from app.domain.events import Severity
from app.domain.order import Order, Purpose
from app.domain.reasons import EXECUTION
from app.execution.books import AccountBooks
from app.execution.retries import Retries, was_dropped
from app.execution.tracker import TrackedOrder
from app.ports.trading_state import TradingStatePort

STUCK = "stuck:"
"""With the symbol behind it."""
_EXIT = Purpose.EXIT


class Exits:
    """Of positions that must go. The first failure may be a hiccup; from the second in a row on it is told."""

    def __init__(self, books: AccountBooks, trading_state: TradingStatePort, retries: Retries) -> None:
        self._portfolio = books.portfolio
        self._trading_state = trading_state
        self._retries = retries

    def stuck(self) -> dict[str, str]:
        """Return why positions cannot be left, by symbol."""
        rows = ((p.symbol, self._retries.of(p.symbol, _EXIT, at_market=True)) for p in self._portfolio.positions)
        return {symbol: row.why for symbol, row in rows if row is not None and row.count > 1}

    def note_end(self, tracked: TrackedOrder) -> None:
        """Take in how an exit ended: what has filled a part does its work, what filled nothing has failed."""
        order = tracked.order
        if tracked.filled:
            self._retries.forget(order.symbol, _EXIT)
            self.settle(order.symbol)
        elif tracked.was_refused or was_dropped(tracked):
            self.fail(order, f"exit {tracked.status}: {tracked.reason}")

    def fail(self, order: Order, why: str) -> None:
        """Take in that an exit did nothing."""
        if self._retries.fail(order, why).count > 1:
            self._trading_state.raise_reason(EXECUTION, STUCK + order.symbol, Severity.REDUCE_ONLY, why)

    def settle(self, symbol: str) -> None:
        """Take back that a position cannot be left, once it is gone, or is to stay."""
        if self._retries.of(symbol, _EXIT, at_market=True) is None:
            self._trading_state.clear_reason(EXECUTION, STUCK + symbol)
