"""An exchange that a test scripts: it says what it is told to say, and remembers what it was asked."""

import asyncio
from collections import deque
from decimal import Decimal

from app.domain.order import Order
from app.ports.connection import Capabilities, ExchangeUnavailable
from tests.builders import START_NS, instrument


class FakeExchange:
    """Implements all four ports."""

    def __init__(self, *instruments, balance="10000") -> None:
        self.listed = instruments or (instrument(),)
        self.held: tuple = ()
        self.money = Decimal(balance)
        self.working: tuple = ()
        self.known: dict = {}
        self.filled: tuple = ()
        self.settled: tuple = ()
        self.bars: tuple = ()
        self.submitted: list[Order] = []
        self.canceled: list[str] = []
        self.configured: list[tuple] = []
        self.connections = 0
        self.down = False
        self.is_virtual = self.refuses_late_orders = True
        self.holds_trailing_stops = True
        self.ended = False
        self.now_ns = START_NS
        self._events: deque = deque()
        self._told = asyncio.Event()

    def tell(self, *events) -> None:
        """Put events on the stream."""
        self._events.extend(events)
        self._told.set()

    def end(self) -> None:
        """Use the data up."""
        self.ended = True
        self._told.set()

    # -- Connection ----------------------------------------------------------------------------------------------

    @property
    def capabilities(self):
        return Capabilities(
            name="fake",
            is_virtual=self.is_virtual,
            refuses_late_orders=self.refuses_late_orders,
            holds_trailing_stops=self.holds_trailing_stops,
        )

    async def connect(self) -> None:
        self.connections += 1

    async def close(self) -> None:
        self.connections -= 1

    def next_event(self):
        return self._events.popleft() if self._events else None

    async def wait(self) -> None:
        self._told.clear()
        if not self._events:
            await self._told.wait()

    def wake(self) -> None:
        self._told.set()

    # -- MarketData and AccountPort ------------------------------------------------------------------------------

    async def instruments(self):
        return self.listed

    async def history(self, symbol, interval_s, count):
        return tuple(bar for bar in self.bars if bar.symbol == symbol)[-count:]

    async def balance(self):
        return self._read(self.money)

    async def positions(self):
        return self._read(self.held)

    async def open_orders(self):
        return self._read(self.working)

    async def order(self, symbol, client_order_id):
        return self._read(self.known.get(client_order_id))

    async def fills_since(self, time_ns):
        return self._read(self.filled)

    async def funding_since(self, time_ns):
        return self._read(self.settled)

    def _read(self, answer):
        if self.down:
            raise ExchangeUnavailable("the fake is down")
        return answer

    # -- OrderEntry ----------------------------------------------------------------------------------------------

    def submit(self, order) -> None:
        self.submitted.append(order)

    def cancel(self, order, reason) -> None:
        self.canceled.append(order.client_order_id)

    async def configure(self, symbol, margin_mode, leverage) -> None:
        self.configured.append((symbol, margin_mode, leverage))
