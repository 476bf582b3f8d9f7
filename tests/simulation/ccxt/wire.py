"""The wire between ccxt and the venue, in virtual time: a session as aiohttp's, on which everything goes wrong.

Nothing of ccxt is replaced but its session: it signs, sends, parses and fails as it does at a real venue. What was sent
arrives whether or not its sender lives on.
"""

import asyncio
import json
from collections import deque
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from app.simulation.faults import FaultKind
from app.simulation.link import ONE_WAY_S, ORDER_FATES, READ_S
from tests.simulation.ccxt.binance import PRIVATE, Refused

ORDER_PATHS = frozenset({"order", "algoOrder"})
LATE_ANSWER_S = 0.5
LATE_S = 5.0


class Answer:
    """A response of aiohttp."""

    def __init__(self, status, text, headers=()):
        self.status, self._text = status, text
        self.reason = "OK"
        self.headers = {"Content-Type": "application/json", **dict(headers)}

    async def text(self, errors="strict"):
        return self._text


class Asked:
    """What aiohttp returns of ``session.get()``: the answer comes when it is entered, if ever it is."""

    def __init__(self, ask, *given):
        self._ask, self._given = ask, given

    async def __aenter__(self):
        return await self._ask(*self._given)

    async def __aexit__(self, *_):
        return None


class Session:
    """A session of aiohttp; one for each client of ccxt."""

    def __init__(self, wire):
        self._wire = wire
        self.headers = {}

    def get(self, url, **given):
        return Asked(self._wire.request, "GET", url, given.get("data"))

    def post(self, url, **given):
        return Asked(self._wire.request, "POST", url, given.get("data"))

    def put(self, url, **given):
        return Asked(self._wire.request, "PUT", url, given.get("data"))

    def delete(self, url, **given):
        return Asked(self._wire.request, "DELETE", url, given.get("data"))

    def ws_connect(self, url, **_):
        return Asked(self._wire.open_socket, url)

    async def close(self):
        """Hold nothing."""


class Socket:
    """A websocket of aiohttp. Its messages keep their order, but for one that is late."""

    _conn = None

    def __init__(self, wire, url):
        self._wire = wire
        self.is_private = "listenKey" in url
        self.wanted = {PRIVATE} if self.is_private else set()
        self.closed = False
        self._inbox = asyncio.Queue()
        self._on_way = deque()
        self._told_s = 0.0

    async def receive(self):
        return await self._inbox.get()

    async def send_str(self, text):
        asked = json.loads(text)
        self.wanted |= set(asked.get("params", ()))
        self.tell({"result": None, "id": asked["id"]})

    async def ping(self):
        if not self._wire.is_silent:
            delay_s = self._wire.one_way_s() + self._wire.one_way_s()
            self._wire.loop.call_later(delay_s, self._put, aiohttp.WSMsgType.PONG, b"")

    async def close(self):
        self.drop()

    def drop(self):
        """Be gone: whoever waits for a message is told."""
        if not self.closed:
            self.closed = True
            self._wire.sockets.remove(self)
            self._inbox.put_nowait(aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None))

    def tell(self, message):
        self._told_s = max(self._told_s, self._wire.loop.time() + self._wire.one_way_s())
        self._on_way.append(json.dumps(message))
        self._wire.loop.call_at(self._told_s, self._arrive)

    def tell_late(self, message, seconds):
        self._wire.loop.call_later(seconds, self._put, aiohttp.WSMsgType.TEXT, json.dumps(message))

    def _arrive(self):
        self._put(aiohttp.WSMsgType.TEXT, self._on_way.popleft())

    def _put(self, kind, data):
        if not self.closed and not self._wire.is_dead:
            self._inbox.put_nowait(aiohttp.WSMessage(kind, data, None))


class Wire:
    """All that is between one life of a bot and the venue."""

    def __init__(self, server, random, take, valid_s, timeout_s):
        self.loop = asyncio.get_running_loop()
        self._server = server
        self._random = random
        self._take = take
        self._valid_s = valid_s
        self._timeout_s = timeout_s
        self._silent_until_s = 0.0
        self.sockets = []
        self.refuses_next = False
        self.is_dead = self.is_buried = False
        self.on_sent = lambda: None
        server.listen = self._hear

    # -- the world -----------------------------------------------------------------------------------------------

    @property
    def is_silent(self):
        return self.loop.time() < self._silent_until_s

    def one_way_s(self):
        return self._random.uniform(*ONE_WAY_S)

    def fall_silent(self, seconds):
        """Lose what is told for a while; then the sockets turn out to be dead."""
        self._silent_until_s = max(self._silent_until_s, self.loop.time() + seconds)
        self.loop.call_later(seconds, self.drop_sockets)

    def cut(self, seconds):
        """Close the sockets now, and let none be opened for a while."""
        self._silent_until_s = max(self._silent_until_s, self.loop.time() + seconds)
        self.drop_sockets()

    def drop_sockets(self, *, private=True):
        for socket in list(self.sockets):
            if private or not socket.is_private:
                socket.drop()

    # -- sockets -------------------------------------------------------------------------------------------------

    async def open_socket(self, url):
        await asyncio.sleep(self.one_way_s() + self.one_way_s())
        await self._unless_dead()
        if self.is_silent:
            raise aiohttp.ClientConnectionError("refused")
        socket = Socket(self, url)
        self.sockets.append(socket)
        return socket

    def _hear(self, stream, message):
        if self.is_dead or self.is_silent:
            return
        listeners = [socket for socket in self.sockets if stream in socket.wanted]
        if stream != PRIVATE:
            for socket in listeners:
                socket.tell(message)
            return
        fault = self._take(FaultKind.EVENT_TWICE, FaultKind.EVENT_LATE, FaultKind.EVENT_MISSING)
        kind = None if fault is None else fault.kind
        for socket in listeners:
            if kind is FaultKind.EVENT_LATE:
                socket.tell_late(message, min(fault.seconds, LATE_S))
            elif kind is not FaultKind.EVENT_MISSING:
                socket.tell(message)
                if kind is FaultKind.EVENT_TWICE:
                    socket.tell(message)

    # -- requests ------------------------------------------------------------------------------------------------

    async def request(self, method, url, data):
        await self._unless_dead()
        parts = urlsplit(str(url))
        name = parts.path.rsplit("/", 1)[-1]
        text = parts.query or (data.decode() if data else "")
        asked = method, name, dict(parse_qsl(text, keep_blank_values=True))
        if name in ORDER_PATHS and method == "POST":
            return await self._send_order(*asked)
        if name in ORDER_PATHS and method == "DELETE":
            return await self._send_cancel(*asked)
        if method == "GET" and "signature" in asked[2]:
            fault = self._take(FaultKind.QUERY_FAILS, FaultKind.QUERY_SLOW)
            if fault is not None and fault.kind is FaultKind.QUERY_FAILS:
                await asyncio.sleep(self.one_way_s())
                return refusal(-1000, "An unknown error occurred.", 503)
            if fault is not None:
                await asyncio.sleep(min(fault.seconds, READ_S))
        return await self._dispatch(self.one_way_s(), *asked)

    async def _send_order(self, method, name, params):
        client_order_id = params.get("newClientOrderId") or params["clientAlgoId"]
        fault = None if self.refuses_next else self._take(*ORDER_FATES)
        fate = FaultKind.ORDER_REJECTED if self.refuses_next else None if fault is None else fault.kind
        self.refuses_next = False
        if fate in {FaultKind.ORDER_REJECTED, FaultKind.ORDER_RATE_LIMITED}:
            self.on_sent()
            await asyncio.sleep(self.one_way_s() + self.one_way_s())
            if fate is FaultKind.ORDER_REJECTED:
                return refusal(-2019, "Margin is insufficient.")
            return refusal(-1003, "Too many requests.", 429, {"Retry-After": "10"})
        if fate is FaultKind.ORDER_NEVER_ARRIVED:
            self.on_sent()
            return await self._time_out()
        late = fate is FaultKind.ORDER_ARRIVES_LATE
        delay_s = self._random.uniform(1.0, self._valid_s) if late else self.one_way_s()
        self._server.venue.travelling.add(client_order_id)
        # From here on it arrives, whatever becomes of whoever sent it.
        answer = self._dispatch(delay_s, method, name, params)
        self.on_sent()
        await self._unless_dead()
        if late:
            await asyncio.sleep(LATE_ANSWER_S)
            raise TimeoutError
        if fate is FaultKind.ORDER_EXECUTED_NO_ANSWER:
            return await self._time_out()
        if fate is FaultKind.ORDER_EXECUTED_THEN_RESET:
            await asyncio.sleep(delay_s)
            self.cut(self.one_way_s())
            raise aiohttp.ServerDisconnectedError
        answered = await answer
        if fate is FaultKind.ORDER_ANSWER_UNREADABLE:
            return Answer(200, '{"orderId": 12, "clie')
        return answered

    async def _send_cancel(self, method, name, params):
        fault = self._take(FaultKind.CANCEL_REFUSED, FaultKind.CANCEL_LOST)
        if fault is None:
            return await self._dispatch(self.one_way_s(), method, name, params)
        if fault.kind is FaultKind.CANCEL_LOST:
            return await self._time_out()
        await asyncio.sleep(self.one_way_s() + self.one_way_s())
        return refusal(-2011, "Unknown order sent.")

    async def _time_out(self):
        await asyncio.sleep(self._timeout_s)
        raise TimeoutError

    def _dispatch(self, delay_s, method, name, params):
        """Have a request arrive, even if nobody waits for its answer any more; return what its answer will be."""
        answer = self.loop.create_future()
        self.loop.call_later(delay_s, self._arrive, answer, self.loop.time(), method, name, params)
        return answer

    def _arrive(self, answer, sent_s, method, name, params):
        client_order_id = params.get("newClientOrderId") or params.get("clientAlgoId")
        is_order = method == "POST" and name in ORDER_PATHS
        if is_order:
            self._server.venue.travelling.discard(client_order_id)
        try:
            # The clock of the venue may jump while a request is on its way; how long it is valid does not.
            is_late = self.loop.time() - sent_s > self._valid_s
            said = Answer(200, json.dumps(self._server.answer(method, name, params, is_late=is_late)))
        except Refused as refused:
            if is_order:
                self._server.venue.refused.add(client_order_id)
            said = refusal(refused.code, str(refused))
        self.loop.call_later(self.one_way_s(), self._deliver, answer, said)

    def _deliver(self, answer, said):
        if not answer.done() and not self.is_dead:
            answer.set_result(said)

    async def _unless_dead(self):
        """Return; to a process that is dead, never: what a timer of ccxt begins after its burial has no task to end."""
        if self.is_buried:
            raise asyncio.CancelledError
        if self.is_dead:
            await self.loop.create_future()


def refusal(code, message, status=400, headers=()):
    return Answer(status, json.dumps({"code": code, "msg": message}), headers)
