"""Puts what is told of orders in order: accepted before filled, each fill once, ended once. Pure.

The same fact comes from the answer to a request, from two streams and from queries, in any order, late and twice.
"""

from collections import OrderedDict
from decimal import Decimal

import msgspec

from app.domain.events import (
    AccountEvent,
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
from app.domain.order import CONDITIONAL, Order, OrderStatus
from app.domain.records import OrderRecord
from app.exchanges.ccxt.orders import OrderSeen

ORDERS_KEPT_MAX = 5_000
FILLS_KEPT_MAX = 20_000
"""Beyond these the oldest are forgotten; what then comes again, the books know by their journal."""

_ENDS = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED})


class _Told(msgspec.Struct):
    """What was told of an order so far."""

    symbol: str
    conditional: bool = False
    venue_order_id: str = ""
    accepted: bool = False
    triggered: bool = False
    ended: bool = False
    filled: Decimal = ZERO
    """Sum of the fills that were told."""
    seen_filled: Decimal = ZERO
    """Most that the venue has said of it."""
    end: OrderSeen | None = None
    """Its end, kept back until the fills before it have come."""


class OrderFacts:
    """Turns observations into facts."""

    def __init__(self) -> None:
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._client_ids: OrderedDict[str, str] = OrderedDict()
        self._became: OrderedDict[str, str] = OrderedDict()
        self._fills: OrderedDict[str, None] = OrderedDict()

    def sent(self, order: Order) -> None:
        """Note that an order is about to leave."""
        self._of(order.client_order_id, order.symbol).conditional = order.type in CONDITIONAL

    def client_id_of(self, venue_order_id: str) -> str | None:
        """Return our id of an order that the venue names by its own; None when it was never told."""
        return self._client_ids.get(venue_order_id)

    def note_id(self, venue_order_id: str, client_order_id: str) -> None:
        """Remember which order a venue's id stands for."""
        self._client_ids[venue_order_id] = client_order_id
        while len(self._client_ids) > ORDERS_KEPT_MAX:
            self._client_ids.popitem(last=False)

    def note_trigger(self, client_order_id: str, venue_order_id: str) -> None:
        """Remember which order of the venue a conditional order has become: it may have another client order id."""
        self.note_id(venue_order_id, client_order_id)
        self._became[client_order_id] = venue_order_id
        while len(self._became) > ORDERS_KEPT_MAX:
            self._became.popitem(last=False)

    def became(self, client_order_id: str) -> str | None:
        """Return the venue's id of what a conditional order has become; None while it is not known to be triggered."""
        return self._became.get(client_order_id)

    def is_conditional(self, client_order_id: str) -> bool | None:
        """Whether an order is conditional; None when it is not known here."""
        told = self._told.get(client_order_id)
        return None if told is None else told.conditional

    def see(self, seen: OrderSeen) -> list[AccountEvent]:
        """Take in how an order is; return what is new in that."""
        told = self._of(seen.client_order_id, seen.symbol)
        self.note_id(seen.venue_order_id, seen.client_order_id)
        if told.ended:
            return []
        if seen.status is OrderStatus.REJECTED:
            told.ended = True
            ids = (seen.client_order_id, seen.symbol, seen.time_ns)
            reason = seen.reason or "refused by the venue"
            # One that was accepted cannot be rejected any more: a conditional order, when it was triggered.
            if told.accepted:
                return [OrderCanceled(*ids, reason)]
            return [OrderRejected(*ids, reason)]
        told.seen_filled = max(told.seen_filled, seen.filled)
        events = self._accept(told, seen)
        if seen.status in _ENDS:
            told.end = seen
            if told.filled >= seen.filled:
                events += self.release(seen.client_order_id)
        return events

    def see_record(self, record: OrderRecord, time_ns: int) -> list[AccountEvent]:
        """Take in how an order is by a query."""
        order = record.order
        return self.see(
            OrderSeen(
                client_order_id=order.client_order_id,
                venue_order_id=record.venue_order_id or "",
                symbol=order.symbol,
                status=record.status,
                filled=record.filled,
                contracts=order.contracts,
                time_ns=time_ns,
                reason=record.reason,
            )
        )

    def fill(self, fill: Fill) -> list[AccountEvent]:
        """Take in a fill; return it once, behind the acceptance of its order and before its end."""
        if fill.trade_id in self._fills:
            return []
        self._fills[fill.trade_id] = None
        while len(self._fills) > FILLS_KEPT_MAX:
            self._fills.popitem(last=False)
        if fill.client_order_id is None:
            return [fill]
        told = self._of(fill.client_order_id, fill.symbol)
        told.filled += fill.contracts
        events: list[AccountEvent] = []
        if not told.accepted and not told.ended and not fill.liquidation:
            told.accepted = True
            told.venue_order_id = fill.venue_order_id or ""
            events.append(
                OrderAccepted(fill.client_order_id, told.venue_order_id, fill.symbol, fill.time_ns),
            )
        events.append(fill)
        if told.end is not None and told.filled >= told.end.filled:
            events += self.release(fill.client_order_id)
        return events

    def end(self, event: OrderRejected | OrderUnknown) -> list[AccountEvent]:
        """Take in how sending ended; nothing, when the order has been heard of since."""
        told = self._of(event.client_order_id, event.symbol)
        if told.accepted or told.ended:
            return []
        told.ended = isinstance(event, OrderRejected)
        return [event]

    def lacks_fills(self, client_order_id: str) -> bool:
        """Whether the venue has said of an order that more was filled than its fills come to."""
        told = self._told.get(client_order_id)
        return told is not None and told.filled < told.seen_filled

    def give_up(self, client_order_id: str) -> list[AccountEvent]:
        """Wait for fills no longer, for they are read instead; return the order's end, if that was kept back."""
        told = self._told[client_order_id]
        told.filled = max(told.filled, told.seen_filled)
        return self.release(client_order_id)

    def release(self, client_order_id: str) -> list[AccountEvent]:
        """Return the end of an order that was kept back, whether or not its fills have come."""
        told = self._told[client_order_id]
        if told.end is None or told.ended:
            return []
        told.ended = True
        reason = told.end.reason or told.end.status.value
        ids = (client_order_id, told.symbol, told.end.time_ns)
        if told.end.status is OrderStatus.EXPIRED:
            return [OrderExpired(*ids, reason)]
        return [OrderCanceled(*ids, reason)]

    def _accept(self, told: _Told, seen: OrderSeen) -> list[AccountEvent]:
        ids = (seen.client_order_id, seen.symbol, seen.time_ns)
        events: list[OrderEvent] = []
        if not told.accepted:
            events.append(OrderAccepted(seen.client_order_id, seen.venue_order_id, seen.symbol, seen.time_ns))
        # What was triggered works under an id of its own, at some venues.
        is_due = seen.triggered or (told.accepted and seen.venue_order_id != told.venue_order_id)
        if told.conditional and is_due and not told.triggered:
            told.triggered = True
            events.append(OrderTriggered(*ids))
        told.accepted, told.venue_order_id = True, seen.venue_order_id
        return [*events]

    def _of(self, client_order_id: str, symbol: str) -> _Told:
        told = self._told.get(client_order_id)
        if told is None:
            told = self._told[client_order_id] = _Told(symbol)
            while len(self._told) > ORDERS_KEPT_MAX:
                self._told.popitem(last=False)
        return told
