"""How far an order has come, by what was told of it. Statuses never regress, whatever comes late or twice."""

from types import MappingProxyType

import msgspec

from app.domain.events import (
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
    OrderUnknown,
)
from app.domain.order import TRANSITIONS, OrderStatus
from app.domain.records import OrderRecord, OrderSent

OrderFact = OrderSent | OrderAccepted | OrderTriggered | OrderRejected | OrderUnknown | OrderCanceled | OrderExpired

STATUS_TOLD: MappingProxyType[type[OrderFact], OrderStatus] = MappingProxyType(
    {
        OrderSent: OrderStatus.SENT,
        OrderAccepted: OrderStatus.OPEN,
        OrderTriggered: OrderStatus.OPEN,
        OrderRejected: OrderStatus.REJECTED,
        OrderUnknown: OrderStatus.UNKNOWN,
        OrderCanceled: OrderStatus.CANCELED,
        OrderExpired: OrderStatus.EXPIRED,
    }
)


def after_fact(known: OrderRecord, fact: OrderFact) -> OrderRecord:
    """Return the order after ``fact``; the same object when that says nothing new."""
    told = STATUS_TOLD[type(fact)]
    if told is OrderStatus.OPEN and known.filled:
        told = OrderStatus.PARTIALLY_FILLED
    after = _moved(known, told, getattr(fact, "reason", ""))
    if isinstance(fact, OrderAccepted) and after.venue_order_id is None:
        after = msgspec.structs.replace(after, venue_order_id=fact.venue_order_id)
    return after


def after_fill(known: OrderRecord, fill: Fill) -> OrderRecord:
    """Return the order after a fill that was not applied before.

    What was filled counts even when the order had ended: a fill may be told after the cancel that it raced with.
    """
    filled = known.filled + fill.contracts
    told = OrderStatus.FILLED if filled >= known.order.contracts else OrderStatus.PARTIALLY_FILLED
    venue_order_id = known.venue_order_id or fill.venue_order_id
    return _moved(msgspec.structs.replace(known, filled=filled, venue_order_id=venue_order_id), told, "")


def _moved(known: OrderRecord, told: OrderStatus, reason: str) -> OrderRecord:
    status = known.status
    if status is OrderStatus.INTENDED and told not in TRANSITIONS[status]:
        status = OrderStatus.SENT  # what the exchange knows was sent, although a crash kept us from noting it
    if told is known.status or told not in TRANSITIONS[status]:
        return known
    return msgspec.structs.replace(known, status=told, reason=reason)
