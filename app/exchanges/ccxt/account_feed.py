"""Puts what is seen of orders and fills on the stream, as facts in their order."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.domain.events import AccountEvent, AccountSeen, Fill, OrderRejected, OrderUnknown, StreamReset
from app.domain.market import SECOND_NS
from app.domain.order import Order
from app.domain.records import OrderRecord
from app.exchanges.ccxt.client_ids import ClientIds
from app.exchanges.ccxt.order_facts import OrderFacts
from app.exchanges.ccxt.orders import became, order_seen
from app.exchanges.ccxt.session import Session
from app.exchanges.ccxt.venues import UnreadableAnswer

FILLS_LATE_S = 1.0
"""How long fills may be behind the end of their order, before they are asked for."""


class AccountFeed:
    """Where the answers to requests, the streams and the queries come together."""

    def __init__(self, session: Session, ids: ClientIds, facts: OrderFacts) -> None:
        self._session = session
        self._ids = ids
        self._facts = facts
        self.is_deaf = False
        """Whether a stream of the account is broken, and nobody knows what happens there."""
        self.mute = asyncio.Event()
        """Set when the streams of the account have told nothing where there was something to tell."""
        self._told = 0
        """Messages of the account's streams so far."""
        self._told_ns = session.now_ns
        """When the latest of them came, or there could be a first one."""

    def put(self, events: Sequence[AccountEvent | AccountSeen | StreamReset]) -> None:
        """Put events on the stream as they are."""
        for event in events:
            self._session.queue.put(event)

    def lose(self, why: str) -> None:
        """Note that nobody listens to the account: everything is compared at once."""
        self.is_deaf = True
        self.put([StreamReset(self._session.now_ns, why)])

    def regain(self, why: str) -> None:
        """Note that the account is listened to again: what happened meanwhile is in no stream."""
        self.is_deaf, self._told_ns = False, self._session.now_ns
        self.put([StreamReset(self._session.now_ns, f"back after: {why}")])

    def note_told(self) -> None:
        """Note that a stream of the account has told something."""
        self._told += 1
        self._told_ns = self._session.now_ns
        self.mute.clear()

    def note_read(self, fills: Sequence[Fill]) -> None:
        """Compare fills that were asked for with the streams: one after their last message they never told."""
        latest_ns = max((fill.time_ns for fill in fills), default=0)
        late_ns = int(FILLS_LATE_S * SECOND_NS)
        if latest_ns - self._told_ns > late_ns and self._session.now_ns - latest_ns > late_ns and not self.is_deaf:
            self.mute.set()

    def sent(self, order: Order) -> None:
        """Note that an order is about to leave."""
        self._facts.sent(order)

    def end(self, event: OrderRejected | OrderUnknown) -> None:
        """Take in how sending ended."""
        self.put(self._facts.end(event))

    def fill(self, fill: Fill) -> None:
        """Take in a fill."""
        self.put(self._facts.fill(fill))

    def became(self, client_order_id: str) -> str | None:
        """Return the venue's id of what a conditional order has become; None while it is not known to be triggered."""
        return self._facts.became(client_order_id)

    def hear(self, payload: Mapping[str, Any]) -> None:
        """Take in what a stream says of an order.

        Raises:
            UnreadableAnswer: It does not say enough.
        """
        if number := became(payload, self._session.venue.told_became):
            # A conditional order was triggered: what it has become may go by another client order id.
            self._facts.note_trigger(self._ids.from_venue(str(payload["clientOrderId"])), number)
        self.see(payload)

    def see(self, payload: Mapping[str, Any], order: Order | None = None) -> None:
        """Take in what the venue says of an order; in the answer to ``order``, if that is given.

        Raises:
            UnreadableAnswer: It does not say enough, or speaks of another order.
        """
        seen = order_seen(payload, self._session.venue, self._ids, self._session.now_ns)
        known = self._facts.client_id_of(seen.venue_order_id)
        if known is not None:
            seen = msgspec.structs.replace(seen, client_order_id=known)
        if order is not None and seen.client_order_id != order.client_order_id:
            raise UnreadableAnswer(f"asked for {order.client_order_id}, answered for {seen.client_order_id}")
        self._take(self._facts.see(seen), seen.client_order_id)

    def see_record(self, record: OrderRecord) -> None:
        """Take in how an order is by a query."""
        self._take(self._facts.see_record(record, self._session.now_ns), record.order.client_order_id)

    def _take(self, events: Sequence[AccountEvent], client_order_id: str) -> None:
        self.put(events)
        if self._facts.lacks_fills(client_order_id):
            self._session.spawn(self._await_fills(client_order_id), "fills")

    async def _await_fills(self, client_order_id: str) -> None:
        """Give the fills of an order time to come; then have them asked for. One message may get lost: all may not."""
        told = self._told
        await asyncio.sleep(FILLS_LATE_S)
        if self._facts.lacks_fills(client_order_id):
            if self._told == told and not self.is_deaf:
                self.mute.set()
            self.put([StreamReset(self._session.now_ns, f"fills of {client_order_id} did not come")])
            self.put(self._facts.give_up(client_order_id))
