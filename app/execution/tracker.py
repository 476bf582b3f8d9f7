"""Follows every order from its intent to its end."""

from collections import deque
from collections.abc import Collection, Iterable
from decimal import Decimal

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


class TrackedOrder:
    """An order and how far it has come."""

    __slots__ = ("cancel_requested", "filled", "order", "reason", "status", "venue_order_id")

    def __init__(self, order: Order, status: OrderStatus = OrderStatus.INTENDED, filled: Decimal = ZERO) -> None:
        self.order = order
        self.status = status
        self.filled = filled
        self.venue_order_id: str | None = None
        self.cancel_requested = False
        self.reason = ""

    @property
    def remaining(self) -> Decimal:
        """Contracts that may still fill; unsigned."""
        return max(ZERO, self.order.contracts - self.filled)

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
        self._open = 0
        self._ended: deque[str] = deque()

    @property
    def open_orders(self) -> int:
        """Number of orders that may still fill."""
        return self._open

    @property
    def working_symbols(self) -> Collection[str]:
        """The symbols with orders that may still fill."""
        return [symbol for symbol, orders in self._working.items() if orders]

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
            tracked = TrackedOrder(record.order, status, record.filled)
            tracked.venue_order_id = record.venue_order_id
            tracked.reason = record.reason
            self._add(tracked)

    def sent(self, client_order_id: str) -> None:
        """Note that an order was handed to the adapter."""
        self._move(self._orders[client_order_id], OrderStatus.SENT)

    def withdraw(self, client_order_id: str, reason: str) -> None:
        """End an order that was intended and never sent."""
        tracked = self._orders[client_order_id]
        tracked.reason = reason
        self._move(tracked, OrderStatus.CANCELED)

    def apply(self, event: OrderEvent) -> TrackedOrder | None:
        """Take in what became of an order; None when it is not ours, or when the event is stale.

        A stale event would bring a status back (accepted after a fill, canceled after filled): it is dropped.
        """
        tracked = self._orders.get(event.client_order_id)
        if tracked is None:
            return None
        if isinstance(event, OrderAccepted):
            tracked.venue_order_id = event.venue_order_id
        wanted = NEXT_STATUS[type(event)]
        if tracked.status is OrderStatus.UNKNOWN and wanted is OrderStatus.OPEN and tracked.filled:
            wanted = OrderStatus.PARTIALLY_FILLED
        if wanted not in TRANSITIONS[tracked.status]:
            return None
        if isinstance(event, OrderRejected | OrderUnknown | OrderCanceled | OrderExpired):
            tracked.reason = event.reason
        self._move(tracked, wanted)
        return tracked

    def fill(self, fill: Fill) -> TrackedOrder | None:
        """Take in a fill that the books have not seen before; None when the order is not ours.

        A fill may come after its order ended: it counts, and the status stays.
        """
        tracked = self.find(fill.client_order_id)
        if tracked is None:
            return None
        tracked.filled += fill.contracts
        wanted = OrderStatus.FILLED if not tracked.remaining else OrderStatus.PARTIALLY_FILLED
        if wanted in TRANSITIONS[tracked.status]:
            self._move(tracked, wanted)
        return tracked

    def _add(self, tracked: TrackedOrder) -> None:
        order = tracked.order
        self._orders[order.client_order_id] = tracked
        if tracked.is_working:
            self._working.setdefault(order.symbol, {})[order.client_order_id] = tracked
            self._open += 1

    def _move(self, tracked: TrackedOrder, status: OrderStatus) -> None:
        order = tracked.order
        if status not in TRANSITIONS[tracked.status]:
            raise IllegalTransition(order.client_order_id, tracked.status, status)
        tracked.status = status
        if status not in TERMINAL:
            return
        del self._working[order.symbol][order.client_order_id]
        self._open -= 1
        self._ended.append(order.client_order_id)
        if len(self._ended) > ENDED_KEPT_MAX:
            del self._orders[self._ended.popleft()]
