"""Knows which positions are bare, and says so."""

from collections.abc import Callable
from decimal import Decimal

from app.domain.events import Severity
from app.domain.money import ZERO
from app.domain.order import CONFIRMED, Order, OrderStatus, OrderType, Purpose
from app.domain.reasons import EXECUTION
from app.domain.target import Target
from app.execution.books import AccountBooks
from app.execution.retries import Retries, was_dropped
from app.execution.tracker import TrackedOrder
from app.ports.trading_state import TradingStatePort

UNPROTECTED = "unprotected:"
"""With the symbol behind it."""
_STOP_LOSS, _TAKE_PROFIT, _MARKET = Purpose.STOP_LOSS, Purpose.TAKE_PROFIT, OrderType.MARKET
_NONE: frozenset[Purpose] = frozenset()


class Protection:
    """Of every position that a strategy wants a stop for."""

    def __init__(
        self,
        books: AccountBooks,
        trading_state: TradingStatePort,
        wants_stop: Callable[[str], bool],
        retries: Retries,
    ) -> None:
        self._books = books
        self._trading_state = trading_state
        self._wants_stop = wants_stop
        self._retries = retries

    def bare(self) -> list[str]:
        """Return the symbols whose position has no stop-loss of its size that stays, although a strategy wants one."""
        held = [position.symbol for position in self._books.portfolio.positions]
        return [name for name in held if self._wants_stop(name) and not self._is_safe(name)]

    def words_for(self, symbol: str) -> str:
        """Return what protects a position, wanted or not, for people."""
        if not self._books.tradable(symbol):
            return "less than a lot, which no order closes"
        if self._is_safe(symbol, resting=True):
            return "its stop at work"
        if self._is_safe(symbol):
            return "its stop not confirmed yet"
        has_one = any(item.order.purpose is _STOP_LOSS for item in self._books.tracker.working(symbol))
        return "its stop is too small, or does not stay" if has_one else "without a stop"

    def note_end(self, tracked: TrackedOrder) -> bool:
        """Take in how a protective order ended; return whether the next one has to wait for a price at least.

        What was dropped once may be half of a pair whose other half was filled, and what never came to the exchange was
        refused by nobody: the next one is sent at once.
        """
        order, dropped = tracked.order, was_dropped(tracked)
        if not (dropped or tracked.status is OrderStatus.REJECTED) or (order.type is _MARKET and tracked.filled):
            # What a market order could not fill at once, the next one does.
            return False
        why = f"{order.purpose} {tracked.status}: {tracked.reason}"
        failures = self._retries.fail(order, why, dropped=dropped)
        waits = tracked.was_refused or failures.count > 1
        if waits or failures.drops > 1:
            self._tell_if_bare(order, why)
        return waits

    def fail(self, order: Order, why: str) -> None:
        """Take in that a protective order was not even sent."""
        self._tell_if_bare(order, self._retries.fail(order, f"{order.purpose} not sent: {why}").why)

    def late(self, target: Target, held: Decimal) -> frozenset[Purpose]:
        """Return what was not taken at a price that the mark has met by now: no exchange will take it there."""
        mark = None if self._retries.is_calm else self._books.portfolio.mark(target.symbol)
        if mark is None:
            return _NONE
        sign = 1 if held > ZERO else -1
        stop, profit = target.stop, target.take_profit
        met = {
            _STOP_LOSS: stop is not None and (mark - stop) * sign <= 0,
            _TAKE_PROFIT: profit is not None and (mark - profit) * sign >= 0,
        }
        failed = [each for each in met if self._retries.of(target.symbol, each, at_market=False) is not None]
        return frozenset(each for each in failed if met[each])

    def settle(self, symbol: str) -> bool:
        """Take back that a position is bare once its stop rests, or none is wanted; return False while that is open."""
        if not self._wants_stop(symbol) or self._is_safe(symbol, resting=True):
            self._trading_state.clear_reason(EXECUTION, UNPROTECTED + symbol)
            return True
        return not self._may_drop(symbol)

    def _is_safe(self, symbol: str, *, resting: bool = False) -> bool:
        """Whether a stop of the position's size works, as far as is known; after a failure, one that rests, and stays.

        Args:
            symbol: Whose.
            resting: Whether only one that is known to rest counts.
        """
        rows = [self._retries.of(symbol, _STOP_LOSS, at_market=at_market) for at_market in (False, True)]
        resting = resting or any(row is not None and not row.rests_ns for row in rows)
        sizes = (
            item.remaining
            for item in self._books.tracker.working(symbol)
            if item.order.purpose is _STOP_LOSS
            and not item.cancel_requested
            and (item.status in CONFIRMED or not resting)
        )
        return max(sizes, default=ZERO) >= self._books.tradable(symbol) and not self._may_drop(symbol)

    def _may_drop(self, symbol: str) -> bool:
        """Whether stops were dropped again and again, and none has rested for long since."""
        row = self._retries.of(symbol, _STOP_LOSS, at_market=False)
        return row is not None and row.drops > 1 and not self._retries.will_stay(row)

    def _tell_if_bare(self, order: Order, why: str) -> None:
        symbol = order.symbol
        if order.purpose is _STOP_LOSS and self._wants_stop(symbol) and not self._is_safe(symbol):
            self._trading_state.raise_reason(EXECUTION, UNPROTECTED + symbol, Severity.REDUCE_ONLY, why)
