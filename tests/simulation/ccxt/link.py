"""A bot's connection to the simulated venue by the real adapter, over the real ccxt."""

import asyncio

from app.adapters import symbols_of
from app.exchanges.ccxt import CcxtExchange
from tests.simulation.ccxt.wire import Wire


class CcxtLink:
    """Implements ``app.simulation.link.Link``. Whatever it does not say itself, the adapter does."""

    def __init__(self, server, settings, random, take, valid_s):
        self.wire = Wire(server, random, take, valid_s, settings.exchange.ccxt.request_timeout_s)
        self._server = server
        self._exchange = CcxtExchange(settings, symbols_of(settings))
        self._read_fails = self._stream_breaks = False
        self._read_hangs_s = 0.0
        self.is_dead = False
        self.on_submit = lambda _: None
        self.on_taken = lambda _: None
        self.on_positions = lambda _: None

    def __getattr__(self, name):
        return getattr(self._exchange, name)

    @property
    def on_sent(self):
        return self.wire.on_sent

    @on_sent.setter
    def on_sent(self, call):
        self.wire.on_sent = call

    # -- the bot -------------------------------------------------------------------------------------------------

    def next_event(self):
        if self._stream_breaks:
            self._stream_breaks = False
            raise ArithmeticError("a bug in the adapter's stream")
        event = self._exchange.next_event()
        if event is not None:
            self.on_taken(event)
        return event

    async def balance(self):
        return await self._read(self._exchange.balance)

    async def positions(self):
        began_s = asyncio.get_running_loop().time()
        positions = await self._read(self._exchange.positions)
        self.on_positions(began_s)
        return positions

    async def open_orders(self):
        return await self._read(self._exchange.open_orders)

    async def order(self, symbol, client_order_id):
        return await self._read(self._exchange.order, symbol, client_order_id)

    async def fills_since(self, time_ns):
        return await self._read(self._exchange.fills_since, time_ns)

    async def funding_since(self, time_ns):
        return await self._read(self._exchange.funding_since, time_ns)

    def submit(self, order):
        if self.is_dead:
            return
        self.on_submit(order)
        if self.is_dead:
            # The process died before a byte had left.
            return
        self._server.sent[order.client_order_id] = order
        self._exchange.submit(order)

    def cancel(self, order, reason):
        if not self.is_dead:
            self._exchange.cancel(order, reason)

    # -- the world -----------------------------------------------------------------------------------------------

    @property
    def is_silent(self):
        return self.wire.is_silent

    def die(self):
        # Killed at first, and then buried: all its tasks end.
        self.wire.is_buried = self.is_dead
        self.is_dead = self.wire.is_dead = True

    def fail_next_read(self):
        self._read_fails = True

    def hang_next_read(self, seconds):
        self._read_hangs_s = seconds

    def refuse_next(self):
        self.wire.refuses_next = True

    def break_stream(self):
        self._stream_breaks = True
        self._exchange.wake()

    def interrupt(self, seconds, why):
        if why == "no heartbeat":
            self.wire.fall_silent(seconds)
        else:
            self.wire.cut(seconds)

    def distrust(self, symbol):
        """Drop the sockets of the market: their books have gaps."""
        self.wire.drop_sockets(private=False)

    async def _read(self, ask, *given):
        if self._read_fails:
            self._read_fails = False
            raise ArithmeticError("a bug in the adapter")
        hangs_s, self._read_hangs_s = self._read_hangs_s, 0.0
        await asyncio.sleep(hangs_s)
        return await ask(*given)
