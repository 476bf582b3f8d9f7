"""Knows which orders should be at the exchange and are not, and since when: absence alone proves nothing."""

from collections.abc import Collection

from app.domain.market import SECOND_NS
from app.domain.order import CONFIRMED
from app.execution.tracker import OrderTracker, TrackedOrder
from app.ports.clock import Clock

ABSENT_NS = 60 * SECOND_NS
"""Where an exchange takes orders however late they come: how long one must be absent before anything is made of it."""


class AbsentOrders:
    """An order that is not there may be on its way: its request travels on when its sender has died.

    It was sent before its outcome became unknown, so before anybody asked for it: what is still absent a whole validity
    window after the first question never arrives any more. Nor does a venue that answers from a copy which lags behind
    make us forget an order that works.

    Where the venue does not enforce that window, absence proves nothing. One that only reduces is given up after a
    while all the same, for an exit must not wait for anybody, and what comes late can open nothing; any other one holds
    growth back until the operator gives it up.
    """

    def __init__(self, tracker: OrderTracker, clock: Clock, *, valid_ns: int, refuses_late: bool) -> None:
        """Miss nothing yet.

        Args:
            tracker: Of all orders.
            clock: Of the bot.
            valid_ns: How long a request is valid after it was sent.
            refuses_late: Whether the exchange refuses what comes later.
        """
        self._tracker = tracker
        self._clock = clock
        self._valid_ns = valid_ns
        self._absent_ns_max = max(ABSENT_NS, valid_ns)
        self._exchange_refuses_late = refuses_late
        self._since: dict[str, int] = {}
        self._given_up: set[str] = set()

    def ids(self) -> Collection[str]:
        """Return those that were not there when they were asked for, and still work as far as is known."""
        working = {tracked.order.client_order_id for tracked in self._tracker.all_working()}
        self._since = {key: since for key, since in self._since.items() if key in working}
        return self._since.keys()

    def note(self, tracked: TrackedOrder) -> bool:
        """Take in that one is not there; return whether it may still arrive."""
        self._since.setdefault(tracked.order.client_order_id, self._clock.now_ns)
        if self._refuses_late(tracked):
            return self._absent_ns(tracked) < self._valid_ns
        if self._absent_ns(tracked) < self._absent_ns_max:
            return True
        return not tracked.order.reduce_only and tracked.order.client_order_id not in self._given_up

    def forget(self, client_order_id: str) -> None:
        """Take in that the outcome of one is known."""
        self._since.pop(client_order_id, None)
        self._given_up.discard(client_order_id)

    def lost(self) -> Collection[str]:
        """Return those that are absent for long and may still arrive: only the operator can give them up."""
        return [
            tracked.order.client_order_id
            for tracked in self._tracker.all_working()
            if not self._refuses_late(tracked)
            and not tracked.order.reduce_only
            and self._absent_ns(tracked) >= self._absent_ns_max
            and tracked.order.client_order_id not in self._given_up
        ]

    def give_up(self) -> None:
        """Take the operator's word that what is lost never arrives: it is asked for once more, and then ended."""
        self._given_up.update(self.lost())

    def _refuses_late(self, tracked: TrackedOrder) -> bool:
        """Whether one cannot arrive late: the exchange would refuse it, or has had it already."""
        return tracked.status in CONFIRMED or bool(tracked.filled) or self._exchange_refuses_late

    def _absent_ns(self, tracked: TrackedOrder) -> int:
        now_ns = self._clock.now_ns
        return now_ns - self._since.get(tracked.order.client_order_id, now_ns)
