"""Knows which positions are bare, says so, and when a protective order that was not taken is tried again."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from app.domain.events import Severity
from app.domain.market import SECOND_NS
from app.domain.money import ZERO
from app.domain.order import PROTECTIVE, Order, OrderStatus, OrderType, Purpose
from app.domain.target import Target
from app.execution import AccountBooks, TrackedOrder
from app.execution.reconciliation import CONFIRMED, NEVER_RECEIVED
from app.execution.send_point import OWNER
from app.ports.trading_state import TradingStatePort

UNPROTECTED = "unprotected:"
"""With the symbol behind it."""
RETRY_S_MAX = 30
"""Market time between attempts at a protective order that the exchange refuses again and again."""
DOUBT_NS = SECOND_NS
"""How long a stop must rest, after others were dropped, before its position counts as protected."""
_STOP_LOSS, _MARKET = Purpose.STOP_LOSS, OrderType.MARKET
_DROPPED = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED})


class _Failures(msgspec.Struct):
    """How often in a row a protective order was not taken, or not kept. All times are the market's."""

    count: int = 0
    drops: int = 0
    """Those that were taken, and not kept."""
    due_ns: int = 0
    """Before it none is sent again."""
    rests_ns: int = 0
    """Since when one has rested after the last failure; 0 for none."""


class Protection:
    """Of every position that a strategy wants a stop for."""

    def __init__(self, books: AccountBooks, trading_state: TradingStatePort, wants_stop: Callable[[str], bool]) -> None:
        self._books = books
        self._trading_state = trading_state
        self._wants_stop = wants_stop
        self._failures: dict[tuple[str, Purpose], _Failures] = {}

    def bare(self) -> list[str]:
        """Return the symbols whose position has no stop-loss of its size that stays, although a strategy wants one."""
        held = [position.symbol for position in self._books.portfolio.positions]
        return [
            name for name in held if self._wants_stop(name) and (not self._is_covered(name) or self._may_drop(name))
        ]

    def forget(self, symbol: str) -> None:
        """Begin anew: nothing is wanted any more of what failed, or something else is."""
        if self._failures:
            for purpose in PROTECTIVE:
                self._failures.pop((symbol, purpose), None)

    def has_failed(self, tracked: TrackedOrder) -> bool:
        """Take in how a protective order ended; return whether it is to be left until the next price at least.

        What was canceled for once may be half of a pair whose other half was filled: it is sent again at once.
        """
        refused = tracked.status is OrderStatus.REJECTED and tracked.reason != NEVER_RECEIVED
        dropped = tracked.status in _DROPPED and not tracked.cancel_requested
        order = tracked.order
        if not (refused or dropped) or (order.type is _MARKET and tracked.filled):
            # What a market order could not fill at once, the next one does.
            return False
        times = self._count(order, dropped=dropped)
        if not refused and times == 1:
            return False
        self._tell_if_bare(order, f"stop {tracked.status}: {tracked.reason}")
        return True

    def deny(self, order: Order, why: str) -> None:
        """Take in that a protective order was not even sent."""
        self._count(order, dropped=False)
        self._tell_if_bare(order, f"stop not sent: {why}")

    def rest(self, order: Order) -> None:
        """Take in that a protective order is known to rest."""
        failures = self._failures.get((order.symbol, order.purpose))
        if failures is not None and not failures.rests_ns:
            failures.rests_ns = self._books.clock.now_ns

    def is_due(self, order: Order) -> bool:
        """Whether an order may be sent now: one that failed waits longer each time, but for one that leaves at once."""
        if not self._failures or order.type is _MARKET:
            return True
        failures = self._failures.get((order.symbol, order.purpose))
        return failures is None or self._books.clock.now_ns >= failures.due_ns

    def is_late(self, target: Target, held: Decimal) -> bool:
        """Whether the stop was not taken and the mark has met it: the exchange will not take one there."""
        if not self._failures or target.stop is None or (target.symbol, _STOP_LOSS) not in self._failures:
            return False
        mark = self._books.portfolio.mark(target.symbol)
        return mark is not None and (mark <= target.stop if held > ZERO else mark >= target.stop)

    def settle(self, symbol: str) -> bool:
        """Take back that a position is bare once its stop rests, or none is wanted; return False while that is open."""
        if self._may_drop(symbol):
            return False
        if not self._wants_stop(symbol) or self._is_covered(symbol, resting=True):
            self._trading_state.clear_reason(OWNER, UNPROTECTED + symbol)
        return True

    def _is_covered(self, symbol: str, *, resting: bool = False) -> bool:
        """Whether a stop of the position's size works, as far as is known; with ``resting``, whether one rests."""
        sizes = (
            item.remaining
            for item in self._books.tracker.working(symbol)
            if item.order.purpose is _STOP_LOSS
            and not item.cancel_requested
            and (item.status in CONFIRMED or not resting)
        )
        return max(sizes, default=ZERO) >= abs(self._books.portfolio.position(symbol).contracts)

    def _may_drop(self, symbol: str) -> bool:
        """Whether stops were dropped again and again, and none has rested for long since."""
        failures = self._failures.get((symbol, _STOP_LOSS))
        return failures is not None and failures.drops > 1 and not self._has_rested(failures)

    def _has_rested(self, failures: _Failures) -> bool:
        return bool(failures.rests_ns) and self._books.clock.now_ns - failures.rests_ns >= DOUBT_NS

    def _count(self, order: Order, *, dropped: bool) -> int:
        """Have an order wait: until the next price after the first failure, then 1, 3, 7 … seconds."""
        key = (order.symbol, order.purpose)
        failures = self._failures.get(key)
        if failures is None or self._has_rested(failures):
            failures = self._failures[key] = _Failures()
        failures.count += 1
        failures.drops += dropped
        failures.rests_ns = 0
        wait_s = min(2 ** (failures.count - 1) - 1, RETRY_S_MAX)
        failures.due_ns = self._books.clock.now_ns + wait_s * SECOND_NS
        return failures.count

    def _tell_if_bare(self, order: Order, why: str) -> None:
        symbol = order.symbol
        if order.purpose is _STOP_LOSS and self._wants_stop(symbol) and not self._is_covered(symbol):
            self._trading_state.raise_reason(OWNER, UNPROTECTED + symbol, Severity.REDUCE_ONLY, why)
