"""Cancels what can grow a position, and asks again until the exchange has confirmed that it is gone."""

import asyncio
from collections.abc import Collection, Sequence

from app.domain.money import plain
from app.domain.trading_state import TradingLevel
from app.execution import OrderTracker, SendPoint, TrackedOrder
from app.lifecycle.deadlines import now_s
from app.ports.trading_state import TradingStatePort

HALTED = "trading halted"
AGAIN = "asked for again"


class GrowthCanceller:
    """A cancel may be rejected, lost or never answered: what was asked for and still works is asked for again.

    Reduce-only orders, and so all protective ones, are never its business.
    """

    def __init__(
        self, tracker: OrderTracker, send_point: SendPoint, trading_state: TradingStatePort, retry_every_s: float
    ) -> None:
        self._tracker = tracker
        self._send_point = send_point
        self._trading_state = trading_state
        self._retry_every_s = retry_every_s
        self._asked: dict[str, float] = {}
        """When each order that must go was last asked for, on the loop's clock."""

    def growing(self, symbols: Collection[str] | None = None) -> list[TrackedOrder]:
        """Return the working orders that can grow a position, of some symbols or of all."""
        return [
            tracked
            for tracked in self._tracker.all_working()
            if not tracked.order.reduce_only and (symbols is None or tracked.order.symbol in symbols)
        ]

    def cancel(self, reason: str, symbols: Collection[str] | None = None) -> None:
        """Cancel all that can grow, now; of some symbols or of all."""
        self._ask(self.growing(symbols), reason)

    async def run(self) -> None:
        """Press on for as long as the bot runs."""
        while True:
            self.press()
            await asyncio.sleep(self._retry_every_s)

    def press(self) -> None:
        """Ask again for what was asked for a period ago and still works; while trading is halted, for all that grows.

        After a restart nobody has asked yet for what a halted run left working.
        """
        if self._trading_state.current.level is TradingLevel.HALTED:
            new = [tracked for tracked in self.growing() if tracked.order.client_order_id not in self._asked]
            self._ask(new, HALTED)
        now = now_s()
        for client_order_id, asked_at in tuple(self._asked.items()):
            tracked = self._tracker.find(client_order_id)
            if tracked is None or not tracked.is_working:
                del self._asked[client_order_id]
            elif now - asked_at >= self._retry_every_s:
                self._asked[client_order_id] = now
                self._send_point.cancel_again(tracked, AGAIN)

    def _ask(self, orders: Sequence[TrackedOrder], reason: str) -> None:
        now = now_s()
        for tracked in orders:
            self._asked.setdefault(tracked.order.client_order_id, now)
        self._send_point.cancel_all(orders, reason)


def words_of(tracked: TrackedOrder) -> str:
    """Return an order in words: side, what may still fill, symbol, how far it has come."""
    order = tracked.order
    return f"{order.side} {plain(tracked.remaining)} {order.symbol} {order.type} ({tracked.status})"
