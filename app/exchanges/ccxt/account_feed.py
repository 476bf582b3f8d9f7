"""Puts what is seen of orders and fills on the stream, as facts in their order."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.domain.events import AccountEvent, AccountSeen, InstrumentChanged, StreamReset
from app.domain.order import Order
from app.domain.records import OrderRecord
from app.exchanges.ccxt.client_ids import ClientIds
from app.exchanges.ccxt.order_facts import OrderFacts
from app.exchanges.ccxt.orders import order_seen
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

    def put(self, events: Sequence[AccountEvent | AccountSeen | InstrumentChanged | StreamReset]) -> None:
        """Put events on the stream."""
        for event in events:
            self._session.queue.put(event)

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
        events = self._facts.see(seen)
        self.put(events)
        if self._facts.lacks_fills(seen.client_order_id):
            self._session.spawn(self._await_fills(seen.client_order_id), "fills")

    def see_record(self, record: OrderRecord) -> None:
        """Take in how an order is by a query."""
        self.put(self._facts.see_record(record, self._session.now_ns))
        if self._facts.lacks_fills(record.order.client_order_id):
            self._session.spawn(self._await_fills(record.order.client_order_id), "fills")

    async def _await_fills(self, client_order_id: str) -> None:
        """Give the fills of an order time to come; then have them asked for."""
        await asyncio.sleep(FILLS_LATE_S)
        if self._facts.lacks_fills(client_order_id):
            self.put([StreamReset(self._session.now_ns, f"fills of {client_order_id} did not come")])
            self.put(self._facts.give_up(client_order_id))
