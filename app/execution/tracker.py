"""Follows every order from its intent to its end."""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from decimal import Decimal

import msgspec

from app.domain.errors import IllegalTransition
from app.domain.events import (
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
    OrderUnknown,
)
from app.domain.money import ZERO
from app.domain.order import TERMINAL, TRANSITIONS, Order, OrderStatus
from app.domain.records import OrderRecord

ENDED_KEPT_MAX = 1000
"""Ended orders that are still known by id, for late facts; the journal knows all."""

NEXT_STATUS: dict[type, OrderStatus] = {
    OrderAccepted: OrderStatus.OPEN,
    OrderTriggered: OrderStatus.OPEN,
    OrderRejected: OrderStatus.REJECTED,
    OrderUnknown: OrderStatus.UNKNOWN,
    OrderCanceled: OrderStatus.CANCELED,
    OrderExpired: OrderStatus.EXPIRED,
}


_INTENDED, _SENT, _UNKNOWN, _OPEN = OrderStatus.INTENDED, OrderStatus.SENT, OrderStatus.UNKNOWN, OrderStatus.OPEN
_PARTIALLY_FILLED, _FILLED, _CANCELED = OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED, OrderStatus.CANCELED
_WITH_REASON = frozenset({OrderRejected, OrderUnknown, OrderCanceled, OrderExpired})


class TrackedOrder(msgspec.Struct, eq=False):
    """An order and how far it has come."""

    order: Order
    status: OrderStatus = _INTENDED
    filled: Decimal = ZERO
    venue_order_id: str | None = None
    cancel_requested: bool = False
    reason: str = ""
    was_refused: bool = False
    """Whether the exchange would not have it."""

    @property
    def remaining(self) -> Decimal:
        """Contracts that may still fill; unsigned."""
        contracts, filled = self.order.contracts, self.filled
        return contracts - filled if filled < contracts else ZERO

    @property
    def is_working(self) -> bool:
        """Whether it may still fill, as far as we know."""
        return self.status not in TERMINAL

    def record(self) -> OrderRecord:
        """Return its state as a value."""
        return OrderRecord(self.order, self.status, self.filled, self.venue_order_id, self.reason)


class OrderTracker:
    """All working orders, and the latest that ended. A status never regresses."""

    def __init__(self) -> None:
        self._orders: dict[str, TrackedOrder] = {}
        self._working: dict[str, dict[str, TrackedOrder]] = {}
        self.open_orders = 0
        """Number of orders that may still fill."""
        self._ended: OrderedDict[str, None] = OrderedDict()
        """In the order of their ends."""

    @property
    def working_symbols(self) -> Collection[str]:
        """The symbols with orders that may still fill."""
        return [symbol for symbol, orders in self._working.items() if orders] if self.open_orders else []

    def working(self, symbol: str) -> Collection[TrackedOrder]:
        """Return the orders of ``symbol`` that may still fill."""
        orders = self._working.get(symbol)
        return tuple(orders.values()) if orders else ()

    def all_working(self) -> tuple[TrackedOrder, ...]:
        """Return all orders that may still fill."""
        return tuple(order for orders in self._working.values() for order in orders.values())

    def find(self, client_order_id: str | None) -> TrackedOrder | None:
        """Return an order by its id; None when it is not ours, or ended long ago."""
        return None if client_order_id is None else self._orders.get(client_order_id)

    def intend(self, order: Order) -> TrackedOrder:
        """Begin to follow an order that is about to be sent."""
        tracked = TrackedOrder(order)
        self._add(tracked)
        return tracked

    def restore(self, records: Iterable[OrderRecord]) -> None:
        """Follow orders that an earlier run left working.

        One that was intended or sent, and never answered, has an unknown outcome: the run may have ended on either
        side of the sending.
        """
        unanswered = {OrderStatus.INTENDED, OrderStatus.SENT}
        for record in records:
            status = OrderStatus.UNKNOWN if record.status in unanswered else record.status
            self._add(TrackedOrder(record.order, status, record.filled, record.venue_order_id, reason=record.reason))

    def sent(self, client_order_id: str) -> None:
        """Note that an order was handed to the adapter."""
        tracked = self._orders[client_order_id]
        if _SENT not in TRANSITIONS[tracked.status]:
            raise IllegalTransition(client_order_id, tracked.status, _SENT)
        tracked.status = _SENT

    def withdraw(self, client_order_id: str, reason: str) -> None:
        """End an order that was intended and never sent."""
        tracked = self._orders[client_order_id]
        tracked.reason = reason
        if _CANCELED not in TRANSITIONS[tracked.status]:
            raise IllegalTransition(client_order_id, tracked.status, _CANCELED)
        self._end(tracked, _CANCELED)

    def refuse_cancel(self, client_order_id: str) -> bool:
        """Take in that a cancel was refused; True when the order still works as far as is known, and may be asked."""
        tracked = self._orders.get(client_order_id)
        if tracked is None or not tracked.is_working:
            return False
        tracked.cancel_requested = False
        return True

    def apply(self, event: OrderEvent) -> TrackedOrder | None:
        """Take in what became of an order; None when it is not ours, or when the event is stale.

        A stale event would bring a status back (accepted after a fill, canceled after filled): it is dropped.
        """
        tracked = self._orders.get(event.client_order_id)
        if tracked is None:
            return None
        kind = type(event)
        if kind is OrderAccepted:
            tracked.venue_order_id = event.venue_order_id  # type: ignore[union-attr] # the line above says so
        wanted, status = NEXT_STATUS[kind], tracked.status
        if status is _UNKNOWN and wanted is _OPEN and tracked.filled:
            wanted = _PARTIALLY_FILLED
        if wanted not in TRANSITIONS[status]:
            return None
        if kind in _WITH_REASON:
            tracked.reason = event.reason  # type: ignore[union-attr] # as above
        if kind is OrderRejected:
            tracked.was_refused = event.was_refused  # type: ignore[union-attr] # as above
        if wanted in TERMINAL:
            self._end(tracked, wanted)
        else:
            tracked.status = wanted
        return tracked

    def fill(self, fill: Fill) -> TrackedOrder | None:
        """Take in a fill that the books have not seen before; None when the order is not ours.

        A fill may come after its order ended: it counts, and the status stays.
        """
        tracked = None if fill.client_order_id is None else self._orders.get(fill.client_order_id)
        if tracked is None:
            return None
        tracked.filled = filled = tracked.filled + fill.contracts
        allowed = TRANSITIONS[tracked.status]
        if filled >= tracked.order.contracts:
            if _FILLED in allowed:
                self._end(tracked, _FILLED)
        elif _PARTIALLY_FILLED in allowed:
            tracked.status = _PARTIALLY_FILLED
        return tracked

    def _add(self, tracked: TrackedOrder) -> None:
        order = tracked.order
        self._orders[order.client_order_id] = tracked
        # One that ended here and is found working at the exchange works, and may end again.
        self._ended.pop(order.client_order_id, None)
        if tracked.status in TERMINAL:
            return
        working = self._working.get(order.symbol)
        if working is None:
            working = self._working[order.symbol] = {}
        working[order.client_order_id] = tracked
        self.open_orders += 1

    def _end(self, tracked: TrackedOrder, status: OrderStatus) -> None:
        """Take on a terminal status, which the table of transitions allows."""
        order = tracked.order
        tracked.status = status
        del self._working[order.symbol][order.client_order_id]
        self.open_orders -= 1
        self._ended[order.client_order_id] = None
        if len(self._ended) > ENDED_KEPT_MAX:
            oldest, _ = self._ended.popitem(last=False)
            del self._orders[oldest]
