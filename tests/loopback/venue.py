"""What venues on loopback have in common: the account, its orders, the market, faults. A face of it speaks a protocol.

The matching engine is behind it. It keeps a list of what was asked, and does what goes wrong at real venues when it is
told to: ``fail`` takes what was asked for (submit, cancel, balance, leverage, ...), ``event_faults`` and ``state_faults``
what becomes of what is told next.
"""

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from decimal import Decimal

from aiohttp import WSMsgType, web

from app.domain.events import (
    Fill,
    FundingPaid,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
)
from app.domain.market import FundingRate, MarkPrice, Quote
from app.domain.order import Order, OrderStatus, OrderType, Purpose, Side
from app.exchanges.matching import MatchingEngine, MatchingRules
from tests.builders import instrument

MS_NS = 1_000_000
BY_HAND = "web_"


class Refused(Exception):
    """What the venue will not have; a face says it in its own words."""

    def __init__(self, code, message="", status=400):
        self.code, self.message, self.status = code, message, status


class Asked:
    """A request, as far as it is the same everywhere."""

    def __init__(self, action, params, *, writes, raw=None):
        self.action, self.params, self.writes, self.raw = action, params, writes, raw


class Known:
    """An order as the venue tells it."""

    def __init__(self, order, number):
        self.order = order
        self.id = number
        self.algo_id = number
        """Its id while it waited, where it goes by another one afterwards."""
        self.status = OrderStatus.OPEN
        self.filled = self.value = Decimal(0)
        self.triggered = False
        self.time_ms = 0

    @property
    def average(self):
        return self.value / self.filled if self.filled else Decimal(0)

    @property
    def waits(self):
        """Whether it is conditional, and its condition has not come."""
        return self.order.trigger_price is not None and not self.triggered


class LoopbackVenue(ABC):
    """Start it, give ``url`` to the bot, and stop it."""

    name: str
    symbol: str
    currency: str
    listed: dict
    """What its instrument differs in from that of ``tests.builders``."""
    busy: object = None
    """What it says when it wants to hear nothing."""
    down: object = None

    def __init__(self, price="50000", deposit="10000"):
        self.instrument = instrument(self.symbol, **self.listed)
        rules, leverage = MatchingRules(), Decimal(5)
        self.engine = MatchingEngine(
            "main", self.currency, {self.symbol: self.instrument}, rules, lambda: 0.0, leverage=leverage
        )
        self.price = Decimal(price)
        self.size = Decimal(1000)
        self.skew_ms = 0
        self.requests = []
        """Action and parameters of all that was asked, and whether it would change something."""
        self.arrived = Counter()
        """How often each client order id was submitted, as the venue knows it."""
        self.faults = deque()
        self.event_faults = deque()
        """What becomes of the next events of orders: drop, twice, late."""
        self.state_faults = deque()
        """What becomes of the next times that balance and positions are told: the same."""
        self.frozen = False
        self.quiet = False
        self.leverage = 20
        self.deposit = Decimal(deposit)
        self.settles_at_ms = None
        """When funding settles; None is when it does at the real venue."""
        self.sockets = {}
        """What is subscribed to, by websocket."""
        self.orders = {}
        self.fills = []
        self.settled = []
        """Settlements of our positions, with the time that they are stamped with."""
        self.rate = Decimal("0.0001")
        self._held = asyncio.Event()
        self._tasks = []

    # -- what a face has to say ----------------------------------------------------------------------------------

    @abstractmethod
    def add_routes(self, router):
        """Have requests and websockets served."""

    @abstractmethod
    async def read(self, request):
        """Return what is asked."""

    @abstractmethod
    def answer(self, request, asked):
        """Return the answer to what is asked; raise ``Refused`` for what it will not have."""

    @abstractmethod
    def refusal(self, refused):
        """Return the response that says so."""

    @abstractmethod
    def tell_market(self):
        """Publish what the market trades at."""

    @abstractmethod
    def messages_of(self, known, event):
        """Return how an event of an order is told."""

    @abstractmethod
    def liquidation_messages(self, fill):
        """Return how a fill of nobody's order is told."""

    @abstractmethod
    def state_messages(self):
        """Return how balance and positions are told."""

    @abstractmethod
    def hears(self, socket):
        """Whether a websocket is told of the account."""

    @abstractmethod
    def category(self, socket):
        """Return what kind of websocket it is."""

    @abstractmethod
    def subscribe(self, socket, asked):
        """Return what is answered to a message of a websocket."""

    # -- its life ------------------------------------------------------------------------------------------------

    async def start(self, port=0):
        app = web.Application()
        self.add_routes(app.router)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        if not self.engine.books.balance:
            self.engine.deposit(self.deposit, self.now_ns)
        self.step()
        self._tasks = [asyncio.create_task(self._live())]
        return self

    async def stop(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._held.set()
        await self.drop_sockets()
        await self._runner.cleanup()

    async def _live(self):
        while True:
            await asyncio.sleep(0.1)
            if not self.quiet:
                self.step()

    @property
    def now_ns(self):
        return time.time_ns() + self.skew_ms * MS_NS

    @property
    def now_ms(self):
        return self.now_ns // MS_NS

    @property
    def listens(self):
        """Whether somebody listens to the account."""
        return any(self.hears(socket) for socket in self.sockets)

    # -- the market ----------------------------------------------------------------------------------------------

    @property
    def bid(self):
        return self.price - self.instrument.tick_size

    @property
    def ask(self):
        return self.price + self.instrument.tick_size

    def step(self, price=None):
        """Let everybody see a price."""
        if price is not None:
            self.price = Decimal(price)
        self._meet(MarkPrice(self.symbol, self.now_ns, self.price))
        self._meet(self._quote())
        self.tell_market()

    def fund(self, rate="0.0001"):
        """Let funding settle now."""
        second = self.now_ns // 10**9 * 10**9
        self._meet(FundingRate(self.symbol, self.now_ns, Decimal(rate), second))

    def trade_by_hand(self, side=Side.BUY, contracts="0.01", **changes):
        """Have somebody with the account's password trade."""
        order = Order(
            client_order_id=f"{BY_HAND}{len(self.orders)}",
            account_id="hand",
            strategy_id="hand",
            symbol=self.symbol,
            side=side,
            contracts=Decimal(contracts),
            created_ns=self.now_ns,
            purpose=Purpose.ENTRY,
            **({"type": OrderType.MARKET} | changes),
        )
        self.take(order)
        self.step()

    async def drop_sockets(self, which=None):
        """Close the websockets: all of them, or those of a category; ``private`` ones are told of the account."""
        for socket in list(self.sockets):
            if which in {None, self.category(socket)}:
                await socket.close()

    def settles_ms(self, interval_ms):
        if self.settles_at_ms is not None:
            return self.settles_at_ms
        return (self.now_ms // interval_ms + 1) * interval_ms

    @staticmethod
    def candles(step_ms, first_ms, last_ms):
        """Return opening times of candles."""
        return range(-(-first_ms // step_ms) * step_ms, last_ms + 1, step_ms)

    def _quote(self):
        return Quote(self.symbol, self.now_ns, self.bid, self.size, self.ask, self.size)

    def _meet(self, event):
        self.engine.on_market(event)
        self._tell_outcomes()

    # -- orders --------------------------------------------------------------------------------------------------

    def take(self, order):
        """Take an order; return why it is refused."""
        self.arrived[order.client_order_id] += 1
        is_new = order.client_order_id not in self.orders
        self.engine.submit(order)
        refusal = self._tell_outcomes()
        if refusal is None and is_new:
            self._meet(self._quote())
        return refusal

    def cancel(self, known):
        """Cancel an order; return whether it worked."""
        if known.status not in {OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED}:
            return False
        self.engine.cancel(known.order, "asked")
        self._tell_outcomes()
        return True

    def working(self):
        return [self.orders[record.order.client_order_id] for record in self.engine.open_orders()]

    def _tell_outcomes(self):
        refusal = None
        while self.engine.outcomes:
            event = self.engine.outcomes.popleft()
            if isinstance(event, OrderRejected):
                refusal = event.reason
                continue
            if isinstance(event, FundingPaid):
                self.settled.append((event, event.time_ns // MS_NS + 3))
                self._tell_state()
                continue
            if isinstance(event, Fill):
                self.fills.append(event)
            self._tell(event)
            if isinstance(event, Fill):
                self._tell_state()
        return refusal

    def _tell(self, event):
        record = None if event.client_order_id is None else self.engine.order(event.client_order_id)
        if record is None:
            if isinstance(event, Fill):
                self._send_or_fail(self.liquidation_messages(event), self.event_faults)
            return
        known = self.orders.get(event.client_order_id)
        if known is None:
            known = self.orders[event.client_order_id] = Known(record.order, 0)
        known.time_ms = self.now_ms
        if isinstance(event, OrderAccepted):
            known.id = known.algo_id = int(event.venue_order_id[1:])
        elif isinstance(event, OrderTriggered):
            known.triggered = True
        elif isinstance(event, Fill):
            known.filled += event.contracts
            known.value += event.contracts * event.price
            full = known.filled >= record.order.contracts
            known.status = OrderStatus.FILLED if full else OrderStatus.PARTIALLY_FILLED
        elif isinstance(event, OrderCanceled):
            known.status = OrderStatus.CANCELED
        elif isinstance(event, OrderExpired):
            known.status = OrderStatus.EXPIRED
        else:
            return
        self._send_or_fail(self.messages_of(known, event), self.event_faults)

    def _tell_state(self):
        self._send_or_fail(self.state_messages(), self.state_faults)

    # -- sockets -------------------------------------------------------------------------------------------------

    def _send_or_fail(self, messages, faults):
        fault = faults.popleft() if faults else None
        if fault == "late":
            asyncio.get_running_loop().call_later(0.4, self._send_account, messages)
        elif fault != "drop":
            self._send_account(messages)
        if fault == "twice":
            self._send_account(messages)

    def _send_account(self, messages):
        for socket in self.sockets:
            if self.hears(socket):
                for message in messages:
                    self.send(socket, message)

    def publish(self, topic, message):
        for socket, wanted in self.sockets.items():
            if topic in wanted:
                self.send(socket, message)

    def send(self, socket, message):
        if self.frozen or socket.closed:
            return
        task = asyncio.ensure_future(socket.send_str(json.dumps(message)))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def serve_socket(self, request):
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.opened(socket, request)
        try:
            async for message in socket:
                if self.frozen:
                    continue
                if message.type is WSMsgType.PING:
                    await socket.pong(message.data)
                elif message.type is WSMsgType.TEXT:
                    for said in self.subscribe(socket, json.loads(message.data)):
                        await socket.send_str(json.dumps(said))
        finally:
            del self.sockets[socket]
        return socket

    def opened(self, socket, request):
        """Take note of a new websocket, which has subscribed to nothing yet."""
        self.sockets[socket] = set()

    # -- REST ----------------------------------------------------------------------------------------------------

    def fail(self, action, fault):
        """Have the next request of a kind go wrong."""
        self.faults.append((action, fault))

    def asked(self, action):
        """Return the parameters of the requests of a kind."""
        return [asked.params for asked in self.requests if asked.action == action]

    @property
    def writes(self):
        """Return the requests that would change something."""
        return [asked.action for asked in self.requests if asked.writes]

    async def serve(self, request):
        asked = await self.read(request)
        self.requests.append(asked)
        fault = self._fault(asked.action)
        if isinstance(fault, tuple):
            status, headers = fault
            return web.json_response(self.busy, status=status, headers=headers)
        if fault == "hang":
            await self._held.wait()
        try:
            answer = self.answer(request, asked)
        except Refused as refused:
            return self.refusal(refused)
        if fault == "hang_executed":
            await self._held.wait()
        if fault == "reset_executed":
            request.transport.abort()
        if fault == "garbage":
            return web.Response(text='{"orderId": 12, "clie', content_type="application/json")
        if fault == "empty":
            return web.json_response({})
        if fault == "slow_answer":
            await asyncio.sleep(0.3)
        if fault == "unavailable_executed":
            return web.json_response(self.down, status=503)
        return web.json_response(answer)

    def _fault(self, action):
        for place, (wanted, fault) in enumerate(self.faults):
            if wanted == action:
                del self.faults[place]
                return fault
        return None
