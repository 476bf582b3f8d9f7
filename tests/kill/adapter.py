"""The bot's adapter for the venue of this folder, chosen by its dotted path. It implements the four ports."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

from app.domain.events import CancelRejected, OrderRejected, OrderUnknown, StreamEvent, StreamReset
from app.domain.margin import MarginMode
from app.domain.market import SECOND_NS, Bar, FundingRate, MarkPrice, Quote, Trade
from app.domain.order import Order
from app.ports.connection import Capabilities, ExchangeUnavailable
from app.ports.journal import Journal
from app.settings.models import Settings
from tests.kill.link import Link, NoAnswer, Refused, answered
from tests.kill.protocol import Cancel, Submit

ADDRESS_VARIABLE = "VENUE_ADDRESS"
"""Where the venue listens: ``host:port``."""
QUEUE_MAX = 10_000
"""Events that wait for the pump."""
ANSWER_S = 0.5
READ_S = 15.0
"""For a query, in which it may be repeated: a read does no harm twice."""
RECONNECT_S = 0.05
GONE_S = 10.0
"""Without a venue for as long, the stream has ended, so that no bot outlives its test."""
MARKET = (Bar, Trade, Quote, MarkPrice, FundingRate)


class RemoteExchange:
    """Sends at once and never waits; what became of a request comes back on the stream."""

    def __init__(self, settings: Settings, journal: Journal) -> None:
        del journal
        host, _, port = os.environ[ADDRESS_VARIABLE].rpartition(":")
        self._valid_ns = int(settings.execution.request_valid_s * SECOND_NS)
        self._link = Link(host, int(port), self._take)
        self._queue: deque[StreamEvent] = deque()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._up = asyncio.Event()
        self._tasks: set[asyncio.Task] = set()
        self.market_dropped = 0
        self.ended = False

    # -- Connection ----------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            name="remote",
            is_virtual=False,
            holds_trailing_stops=True,
            refuses_late_orders=True,
        )

    @property
    def now_ns(self) -> int:
        return time.time_ns()

    async def connect(self) -> None:
        self._spawn(self._stay_connected())
        try:
            async with asyncio.timeout(READ_S):
                await self._up.wait()
        except TimeoutError:
            raise ExchangeUnavailable("the venue does not answer") from None

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._link.close()

    def next_event(self) -> StreamEvent | None:
        if not self._queue:
            return None
        self._emptied.set()
        return self._queue.popleft()

    async def wait(self) -> None:
        self._filled.clear()
        if not self._queue and not self.ended:
            await self._filled.wait()

    def wake(self) -> None:
        self._filled.set()

    # -- MarketData and AccountPort ------------------------------------------------------------------------------

    async def instruments(self) -> Any:
        return await self._ask("instruments")

    async def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        return ()

    async def balance(self) -> Any:
        return await self._ask("balance")

    async def positions(self) -> Any:
        return await self._ask("positions")

    async def open_orders(self) -> Any:
        return await self._ask("open_orders")

    async def order(self, symbol: str, client_order_id: str) -> Any:
        return await self._ask("order", client_order_id)

    async def fills_since(self, time_ns: int) -> Any:
        return await self._ask("fills_since", time_ns)

    async def funding_since(self, time_ns: int) -> Any:
        return await self._ask("funding_since", time_ns)

    # -- OrderEntry ----------------------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        if not self._link.is_open:
            # Not a byte has left: that is definite.
            self._put(OrderRejected(order.client_order_id, order.symbol, self.now_ns, "not connected"))
            return
        self._spawn(self._outcome(order, self._link.post("submit", Submit(order, self.now_ns + self._valid_ns))))

    def cancel(self, order: Order, reason: str) -> None:
        self._spawn(self._cancel_outcome(order, self._link.post("cancel", Cancel(order, reason))))

    async def configure(self, symbol: str, margin_mode: MarginMode, leverage: Decimal) -> None:
        await self._ask("configure")

    # -- inside --------------------------------------------------------------------------------------------------

    async def _ask(self, op: str, args: object = None) -> Any:
        """Read something, over the next connection too when this one breaks."""
        why = "not connected"
        try:
            async with asyncio.timeout(READ_S):
                while True:
                    await self._up.wait()
                    try:
                        return await self._link.ask(op, args, ANSWER_S)
                    except NoAnswer as error:
                        why = str(error)
                    await asyncio.sleep(RECONNECT_S)
        except TimeoutError:
            raise ExchangeUnavailable(f"{op}: {why}") from None

    async def _outcome(self, order: Order, answer: asyncio.Future) -> None:
        """Tell how the sending ended, unless the stream tells it: what the venue took, it reports itself."""
        try:
            await answered(answer, ANSWER_S)
        except Refused as error:
            self._put(OrderRejected(order.client_order_id, order.symbol, self.now_ns, str(error)))
        except NoAnswer as error:
            self._put(OrderUnknown(order.client_order_id, order.symbol, self.now_ns, str(error)))

    async def _cancel_outcome(self, order: Order, answer: asyncio.Future) -> None:
        try:
            await answered(answer, ANSWER_S)
        except (Refused, NoAnswer) as error:
            self._put(CancelRejected(order.client_order_id, order.symbol, self.now_ns, str(error)))

    async def _stay_connected(self) -> None:
        connected_before, seen = False, time.monotonic()
        while time.monotonic() - seen < GONE_S:
            try:
                await self._link.open()
                await self._link.ask("subscribe", timeout_s=ANSWER_S)
            except NoAnswer:
                await self._link.close()
                await asyncio.sleep(RECONNECT_S)
                continue
            self._up.set()
            if connected_before:
                self._put(StreamReset(self.now_ns, self._link.why_lost))
            connected_before = True
            await self._link.lost()
            self._up.clear()
            seen = time.monotonic()
        self.ended = True
        self._filled.set()

    async def _take(self, event: StreamEvent) -> None:
        """Queue what the venue tells. Full, the oldest market event goes; a fact makes the socket wait."""
        while len(self._queue) >= QUEUE_MAX:
            if isinstance(event, MARKET):
                self.market_dropped += 1
                oldest = next((queued for queued in self._queue if isinstance(queued, MARKET)), None)
                if oldest is None:
                    return
                self._queue.remove(oldest)
            else:
                self._emptied.clear()
                await self._emptied.wait()
        self._put(event)

    def _put(self, event: StreamEvent) -> None:
        self._queue.append(event)
        self._filled.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
