"""A venue on loopback that speaks as much of Binance USD-M futures as the bot uses, with the matching engine behind it.

It checks signatures and the receive window, keeps a list of what was asked, and does what goes wrong at real venues when
it is told to. Its protocol was read in Binance's documentation and in what ccxt 4.5.90 sends, 2026-11.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections import Counter, deque
from decimal import Decimal
from urllib.parse import parse_qsl

from aiohttp import WSMsgType, web

from app.domain.events import (
    Fill,
    FundingPaid,
    Liquidity,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
)
from app.domain.market import FundingRate, MarkPrice, Quote
from app.domain.order import Order, OrderStatus, OrderType, Purpose, Side, TimeInForce, TriggerPrice
from app.exchanges.matching import MatchingEngine, MatchingRules
from tests.builders import BTC, instrument

KEY = "key-SENTINEL-5f1c"
SECRET = "secret-SENTINEL-9a7e"  # noqa: S105 - of nothing but this venue
MARKET = "BTCUSDT"
MS_NS = 1_000_000
STATUSES = {
    OrderStatus.OPEN: "NEW",
    OrderStatus.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    OrderStatus.FILLED: "FILLED",
    OrderStatus.CANCELED: "CANCELED",
    OrderStatus.EXPIRED: "EXPIRED",
}
TYPES = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOP_MARKET": OrderType.STOP_MARKET,
    "STOP": OrderType.STOP_LIMIT,
    "TAKE_PROFIT_MARKET": OrderType.TAKE_PROFIT_MARKET,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT_LIMIT,
}
NAMES = {kind: name for name, kind in TYPES.items()}
REFUSALS = (
    ("insufficient margin", -2019, "Margin is insufficient."),
    ("duplicate", -4116, "ClientOrderId is duplicated."),
    ("nothing to reduce", -2022, "ReduceOnly Order is rejected."),
    ("post-only", -5022, "Due to the order could not be executed as maker, the Post Only order will be rejected."),
)
WRITES = {("POST", "order"), ("DELETE", "order"), ("POST", "algoOrder"), ("DELETE", "algoOrder")}


class Refused(Exception):
    def __init__(self, code, message, status=400):
        self.code, self.message, self.status = code, message, status


class LoopbackBinance:
    """Start it, give ``url`` to the bot, and stop it."""

    def __init__(self, price="50000.0", deposit="10000"):
        self.instrument = instrument(
            tick_size="0.1", lot_size="0.001", contracts_min="0.001", notional_min="100", contracts_max="120"
        )
        self.engine = MatchingEngine(
            "main", "USDT", {BTC: self.instrument}, MatchingRules(), lambda: 0.0, leverage=Decimal(5)
        )
        self.price = Decimal(price)
        self.size = Decimal(1000)
        self.skew_ms = 0
        self.hedged = False
        self.key, self.secret = KEY, SECRET
        self.permissions = {"enableFutures": True, "enableWithdrawals": False, "ipRestrict": True}
        self.requests = []
        """Method, path and parameters of all that was asked."""
        self.arrived = Counter()
        """How often each client order id was submitted."""
        self.faults = deque()
        """Method, last part of the path, and what goes wrong, once each."""
        self.event_faults = deque()
        """What becomes of the next events of the account: drop, twice, late."""
        self.frozen = False
        self.quiet = False
        self.banned_until = 0.0
        self.leverage, self.margin_type = 20, "CROSSED"
        self.reads_before_ack = None
        self._answers = {}
        self._orders = {}
        self._fills = []
        self._settled = []
        self._marked_rate = Decimal("0.0001")
        self._sockets = {"public": set(), "market": set(), "private": set()}
        self._wanted = {}
        self._listen_keys = {}
        self._held = asyncio.Event()
        self._tasks = []
        self.deposit = Decimal(deposit)
        self.candle_s = 60
        self.past = None
        """Returns the price of a past minute, in milliseconds, or None where there is a gap; None is the price of now."""
        self.past_rates = ()
        """Milliseconds and rate of past settlements."""
        self.settles_in_ms = None
        """After the start, when funding settles; None is every eight hours."""
        self._began_ms = self.now_ms

    # -- its life ------------------------------------------------------------------------------------------------

    async def start(self, port=0):
        app = web.Application()
        app.router.add_route("GET", "/{category:public|market|private}/ws{rest:.*}", self._socket)
        app.router.add_route("*", "/{path:.*}", self._rest)
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
        return any(self._listen_keys.get(self._wanted.get(socket)) for socket in self._sockets["private"])

    # -- the market ----------------------------------------------------------------------------------------------

    def step(self, price=None):
        """Let everybody see a price."""
        if price is not None:
            self.price = Decimal(price)
        tick = self.instrument.tick_size
        bid, ask = self.price - tick, self.price + tick
        self._meet(MarkPrice(BTC, self.now_ns, self.price))
        self._meet(Quote(BTC, self.now_ns, bid, self.size, ask, self.size))
        now = self.now_ms
        self._publish(
            "public",
            f"{MARKET.lower()}@bookTicker",
            {
                "e": "bookTicker", "u": now, "s": MARKET, "b": str(bid), "B": str(self.size), "a": str(ask),
                "A": str(self.size), "T": now, "E": now,
            },
        )  # fmt: skip
        self._publish(
            "market",
            f"{MARKET.lower()}@markPrice@1s",
            {
                "e": "markPriceUpdate", "E": now, "s": MARKET, "p": str(self.price), "i": str(self.price),
                "P": str(self.price), "r": str(self._marked_rate), "T": self._settles_ms(),
            },
        )  # fmt: skip
        opened = now // (self.candle_s * 1000) * self.candle_s * 1000
        self._publish(
            "market",
            f"{MARKET.lower()}@kline_1m",
            {
                "e": "kline", "E": now, "s": MARKET,
                "k": {
                    "t": opened, "T": opened + 59_999, "s": MARKET, "i": "1m", "o": str(self.price), "c": str(self.price),
                    "h": str(self.price), "l": str(self.price), "v": "1.5", "x": False,
                },
            },
        )  # fmt: skip

    def fund(self, rate="0.0001"):
        """Let funding settle now."""
        second = self.now_ns // 10**9 * 10**9
        self._meet(FundingRate(BTC, self.now_ns, Decimal(rate), second))

    def trade_by_hand(self, side=Side.BUY, contracts="0.01"):
        """Have somebody with the account's password trade."""
        order = Order(
            client_order_id=f"web_{len(self._orders)}",
            account_id="hand",
            strategy_id="hand",
            symbol=BTC,
            side=side,
            type=OrderType.MARKET,
            contracts=Decimal(contracts),
            created_ns=self.now_ns,
            purpose=Purpose.ENTRY,
        )
        self._take(order)
        self.step()

    def expire_keys(self):
        """Let all listen keys expire: nobody is told, and no event comes any more."""
        for key in self._listen_keys:
            self._listen_keys[key] = False

    async def drop_sockets(self, category=None):
        for name, sockets in self._sockets.items():
            if category in {None, name}:
                for socket in list(sockets):
                    await socket.close()

    def _settles_ms(self):
        if self.settles_in_ms is not None:
            return self._began_ms + self.settles_in_ms
        return (self.now_ms // 28_800_000 + 1) * 28_800_000

    def _meet(self, event):
        self.engine.on_market(event)
        self._tell_outcomes()

    # -- orders --------------------------------------------------------------------------------------------------

    def _take(self, order):
        """Take an order; return why it is refused."""
        self.arrived[order.client_order_id] += 1
        known = self._orders.get(order.client_order_id)
        self.engine.submit(order)
        refusal = self._tell_outcomes()
        if refusal is None and known is None:
            self._meet(
                Quote(BTC, self.now_ns, self.price - Decimal("0.1"), self.size, self.price + Decimal("0.1"), self.size)
            )
        return refusal

    def _tell_outcomes(self):
        refusal = None
        while self.engine.outcomes:
            event = self.engine.outcomes.popleft()
            if isinstance(event, OrderRejected):
                refusal = event.reason
                continue
            if isinstance(event, FundingPaid):
                self._settled.append((event, event.time_ns // MS_NS + 3))
                continue
            if isinstance(event, Fill):
                self._fills.append(event)
            self._tell(event)
        return refusal

    def _tell(self, event):
        record = None if event.client_order_id is None else self.engine.order(event.client_order_id)
        if record is None:
            self._tell_liquidation(event)
            return
        cid = event.client_order_id
        known = self._orders.setdefault(cid, {"filled": Decimal(0), "value": Decimal(0), "status": "NEW", "id": None})
        known["order"] = record.order
        known["time"] = self.now_ms
        if isinstance(event, OrderAccepted):
            known["id"] = int(event.venue_order_id[1:])
            execution = "NEW"
        elif isinstance(event, OrderTriggered):
            known["algo_id"], known["id"] = known["id"], known["id"] + 1_000_000
            self._tell_account("ALGO_UPDATE", self._algo_event(cid, "TRIGGERED"))
            execution = "NEW"
            known["triggered"] = True
        elif isinstance(event, Fill):
            execution = "TRADE"
            known["filled"] += event.contracts
            known["value"] += event.contracts * event.price
            full = known["filled"] >= record.order.contracts
            known["status"] = "FILLED" if full else "PARTIALLY_FILLED"
        elif isinstance(event, OrderCanceled):
            execution = known["status"] = "CANCELED"
        elif isinstance(event, OrderExpired):
            execution = known["status"] = "EXPIRED"
        else:
            return
        if self._is_algo(cid) and not known.get("triggered"):
            self._tell_account("ALGO_UPDATE", self._algo_event(cid, known["status"]))
            return
        self._tell_account(
            "ORDER_TRADE_UPDATE", self._order_event(cid, execution, event if execution == "TRADE" else None)
        )

    def _tell_liquidation(self, fill):
        if not isinstance(fill, Fill):
            return
        now = self.now_ms
        self._tell_account("ORDER_TRADE_UPDATE", {
            "s": MARKET, "c": f"autoclose-{now}", "S": fill.side.value.upper(), "o": "LIQUIDATION", "f": "IOC",
            "q": str(fill.contracts), "p": "0", "ap": str(fill.price), "sp": "0", "x": "TRADE", "X": "FILLED",
            "i": 9_000_000 + now % 1_000_000, "l": str(fill.contracts), "z": str(fill.contracts), "L": str(fill.price),
            "n": str(fill.fee), "N": "USDT", "T": now, "t": int(fill.trade_id[1:]), "m": False, "R": False,
        })  # fmt: skip

    def _order_event(self, cid, execution, fill):
        known = self._orders[cid]
        order = known["order"]
        told = {
            "s": MARKET, "c": cid, "S": order.side.value.upper(), "o": NAMES[order.type], "f": self._tif(order),
            "q": str(order.contracts), "p": str(order.price or 0), "ap": str(self._average(known)),
            "sp": str(order.trigger_price or 0), "x": execution, "X": known["status"], "i": known["id"],
            "l": "0", "z": str(known["filled"]), "L": "0", "T": self.now_ms, "t": 0, "m": False,
            "R": order.reduce_only, "wt": "CONTRACT_PRICE", "ot": NAMES[order.type], "ps": "BOTH", "cp": False, "rp": "0",
        }  # fmt: skip
        if fill is not None:
            told |= {
                "l": str(fill.contracts), "L": str(fill.price), "n": str(fill.fee), "N": "USDT",
                "t": int(fill.trade_id[1:]), "m": fill.liquidity is Liquidity.MAKER,
            }  # fmt: skip
        return told

    def _algo_event(self, cid, status):
        known = self._orders[cid]
        order = known["order"]
        return {
            "caid": cid, "aid": known.get("algo_id", known["id"]), "at": "CONDITIONAL", "o": NAMES[order.type], "s": MARKET,
            "S": order.side.value.upper(), "ps": "BOTH", "f": self._tif(order), "q": str(order.contracts), "X": status,
            "ai": str(known["id"]) if known.get("triggered") else "", "ap": "0", "aq": "0", "act": "0",
            "tp": str(order.trigger_price), "p": str(order.price or 0), "R": order.reduce_only, "rm": "",
        }  # fmt: skip

    def _order_json(self, cid):
        known = self._orders[cid]
        order = known["order"]
        return {
            "orderId": known["id"], "symbol": MARKET, "status": known["status"], "clientOrderId": cid,
            "price": str(order.price or 0), "avgPrice": str(self._average(known)), "origQty": str(order.contracts),
            "executedQty": str(known["filled"]), "cumQuote": str(known["value"]), "timeInForce": self._tif(order),
            "type": NAMES[order.type], "reduceOnly": order.reduce_only, "closePosition": False,
            "side": order.side.value.upper(), "positionSide": "BOTH", "stopPrice": str(order.trigger_price or 0),
            "workingType": "CONTRACT_PRICE", "time": known["time"], "updateTime": known["time"],
        }  # fmt: skip

    def _algo_json(self, cid):
        known = self._orders[cid]
        order = known["order"]
        triggered = known.get("triggered", False)
        status = known["status"]
        if triggered:
            status = "FINISHED" if status == "FILLED" else "TRIGGERED" if status == "NEW" else status
        return {
            "algoId": known.get("algo_id", known["id"]), "clientAlgoId": cid, "algoType": "CONDITIONAL",
            "orderType": NAMES[order.type], "symbol": MARKET, "side": order.side.value.upper(), "positionSide": "BOTH",
            "timeInForce": self._tif(order), "quantity": str(order.contracts), "algoStatus": status,
            "actualOrderId": str(known["id"]) if triggered else "", "actualPrice": "0",
            "triggerPrice": str(order.trigger_price), "price": str(order.price or 0), "reduceOnly": order.reduce_only,
            "createTime": known["time"], "updateTime": known["time"], "triggerTime": 0,
        }  # fmt: skip

    @staticmethod
    def _average(known):
        return known["value"] / known["filled"] if known["filled"] else Decimal(0)

    @staticmethod
    def _tif(order):
        return "GTX" if order.post_only else order.time_in_force.value.upper()

    def _is_algo(self, cid):
        return self._orders[cid]["order"].trigger_price is not None

    # -- sockets -------------------------------------------------------------------------------------------------

    def _tell_account(self, kind, told):
        now = self.now_ms
        message = {"e": kind, "E": now, "T": now, "o": told}
        fault = self.event_faults.popleft() if self.event_faults else None
        if fault == "drop":
            return
        if fault == "late":
            asyncio.get_running_loop().call_later(0.4, self._send_account, message)
            return
        self._send_account(message)
        if fault == "twice":
            self._send_account(message)

    def _send_account(self, message):
        for socket in self._sockets["private"]:
            if self._listen_keys.get(self._wanted.get(socket)):
                self._send(socket, message)

    def _publish(self, category, stream, message):
        for socket in self._sockets[category]:
            if stream in self._wanted[socket]:
                self._send(socket, message)

    def _send(self, socket, message):
        if self.frozen or socket.closed:
            return
        task = asyncio.ensure_future(socket.send_str(json.dumps(message)))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _socket(self, request):
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        category = request.match_info["category"]
        self._wanted[socket] = request.query.get("listenKey") if category == "private" else set()
        self._sockets[category].add(socket)
        try:
            async for message in socket:
                if self.frozen:
                    continue
                if message.type is WSMsgType.PING:
                    await socket.pong(message.data)
                elif message.type is WSMsgType.TEXT:
                    asked = json.loads(message.data)
                    self._wanted[socket] |= set(asked["params"])
                    await socket.send_str(json.dumps({"result": None, "id": asked["id"]}))
        finally:
            self._sockets[category].discard(socket)
        return socket

    # -- REST ----------------------------------------------------------------------------------------------------

    def fail(self, method, name, fault):
        """Have the next request of a kind go wrong."""
        self.faults.append((method, name, fault))

    def asked(self, method, name):
        """Return the parameters of the requests of a kind."""
        return [params for used, path, params in self.requests if used == method and path.rsplit("/", 1)[-1] == name]

    @property
    def writes(self):
        """Return the requests that would change something."""
        harmless = {"listenKey"}
        return [
            (method, path)
            for method, path, _ in self.requests
            if method != "GET" and path.rsplit("/", 1)[-1] not in harmless
        ]

    async def _rest(self, request):
        path, method = request.path, request.method
        name = path.rsplit("/", 1)[-1]
        raw = request.url.raw_query_string or (await request.text())
        params = dict(parse_qsl(raw, keep_blank_values=True))
        self.requests.append((method, path, params))
        if time.monotonic() < self.banned_until:
            return web.json_response({"code": -1003, "msg": "banned"}, status=418)
        fault = self._fault(method, name)
        if isinstance(fault, tuple):
            status, headers = fault
            return web.json_response({"code": -1003, "msg": "Too many requests."}, status=status, headers=headers)
        if fault == "hang":
            await self._held.wait()
        try:
            answer = self._answer(request, method, name, params, raw)
        except Refused as refused:
            return web.json_response({"code": refused.code, "msg": refused.message}, status=refused.status)
        if fault == "hang_executed":
            await self._held.wait()
        if fault == "reset_executed":
            request.transport.abort()
        if fault == "garbage":
            return web.Response(text='{"orderId": 12, "clie', content_type="application/json")
        if fault == "slow_answer":
            await asyncio.sleep(0.3)
        if fault == "unavailable_executed":
            return web.json_response({"code": -1000, "msg": "An unknown error occurred."}, status=503)
        return web.json_response(answer)

    def _fault(self, method, name):
        for place, (wanted_method, wanted_name, fault) in enumerate(self.faults):
            if (wanted_method, wanted_name) == (method, name):
                del self.faults[place]
                return fault
        return None

    def _answer(self, request, method, name, params, raw):
        public = {
            "time": lambda: {"serverTime": self.now_ms},
            "exchangeInfo": self._exchange_info,
            "klines": lambda: self._klines(params),
            "markPriceKlines": lambda: self._klines(params),
            "premiumIndex": lambda: [self._premium()] if "symbol" not in params else self._premium(),
            "fundingRate": lambda: self._rates(params),
        }
        if method == "GET" and name in public:
            return public[name]()
        self._check_signature(request, params, raw)
        handler = getattr(self, f"_{method.lower()}_{name}", None)
        if handler is None:
            raise Refused(-1, f"the loopback venue has no {method} {request.path}", 404)
        return handler(params)

    def _check_signature(self, request, params, raw):
        if request.headers.get("X-MBX-APIKEY") != self.key:
            raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        if request.path.endswith("/listenKey"):
            return
        signed, _, signature = raw.rpartition("&signature=")
        wanted = hmac.new(self.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if signature != wanted:
            raise Refused(-1022, "Signature for this request is not valid.")
        window, stamp = int(params.get("recvWindow", 5000)), int(params["timestamp"])
        if stamp > self.now_ms + 1000 or self.now_ms - stamp > window:
            raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")

    # -- public answers ------------------------------------------------------------------------------------------

    def _exchange_info(self):
        return {
            "timezone": "UTC", "serverTime": self.now_ms, "rateLimits": [], "assets": [],
            "symbols": [{
                "symbol": MARKET, "pair": MARKET, "contractType": "PERPETUAL", "deliveryDate": 4_133_404_800_000,
                "onboardDate": 1_569_398_400_000, "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
                "marginAsset": "USDT", "pricePrecision": 2, "quantityPrecision": 3, "baseAssetPrecision": 8,
                "quotePrecision": 8, "underlyingType": "COIN", "triggerProtect": "0.0500", "liquidationFee": "0.012500",
                "marketTakeBound": "0.05", "maxMoveOrderLimit": 10000,
                "filters": [
                    {"filterType": "PRICE_FILTER", "minPrice": "261.10", "maxPrice": "809484", "tickSize": "0.10"},
                    {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
                    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
                    {"filterType": "MIN_NOTIONAL", "notional": "100"},
                ],
                "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET",
                               "TRAILING_STOP_MARKET"],
                "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
            }],
        }  # fmt: skip

    def _klines(self, params):
        steps = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000}
        step = steps[params["interval"]]
        limit = int(params.get("limit", 500))
        last = self.now_ms // step * step
        first = int(params.get("startTime", last - (limit - 1) * step))
        first = -(-first // step) * step
        last = min(last, int(params.get("endTime", last)))
        past = self.past or (lambda opened: str(self.price))
        return [
            [opened, price, price, price, price, "2.5", opened + step - 1, "0", 1, "0", "0", "0"]
            for opened in range(first, last + 1, step)
            if (price := past(opened)) is not None
        ][:limit]

    def _premium(self):
        return {
            "symbol": MARKET, "markPrice": str(self.price), "indexPrice": str(self.price),
            "lastFundingRate": str(self._marked_rate), "interestRate": "0.0001", "nextFundingTime": self._settles_ms(),
            "time": self.now_ms,
        }  # fmt: skip

    def _rates(self, params):
        first, last = int(params.get("startTime", 0)), int(params.get("endTime", self.now_ms))
        return [
            {"symbol": MARKET, "fundingRate": rate, "fundingTime": settled_ms, "markPrice": "50000"}
            for settled_ms, rate in self.past_rates
            if first <= settled_ms <= last
        ] + [
            {
                "symbol": MARKET,
                "fundingRate": str(paid.rate),
                "fundingTime": paid.time_ns // MS_NS,
                "markPrice": str(paid.mark_price),
            }
            for paid, _ in self._settled
        ]

    # -- private answers -----------------------------------------------------------------------------------------

    def _get_dual(self, params):
        return {"dualSidePosition": self.hedged}

    def _get_leverageBracket(self, params):  # noqa: N802 - the path
        return [{
            "symbol": MARKET,
            "brackets": [
                {"bracket": 1, "initialLeverage": 100, "notionalCap": 50_000, "notionalFloor": 0, "maintMarginRatio": 0.004, "cum": 0.0},
                {"bracket": 2, "initialLeverage": 50, "notionalCap": 5_000_000, "notionalFloor": 50_000, "maintMarginRatio": 0.01, "cum": 300.0},
            ],
        }]  # fmt: skip

    def _get_account(self, params):
        books = self.engine.books
        balance = str(books.balance)
        return {
            "totalInitialMargin": "0", "totalWalletBalance": balance, "availableBalance": str(books.margin_available),
            "assets": [{
                "asset": "USDT", "walletBalance": balance, "unrealizedProfit": str(books.unrealized),
                "marginBalance": str(books.equity), "maintMargin": "0", "initialMargin": "0",
                "availableBalance": str(books.margin_available), "maxWithdrawAmount": "0", "updateTime": self.now_ms,
            }],
            "positions": [],
        }  # fmt: skip

    def _get_positionRisk(self, params):  # noqa: N802 - the path
        found = []
        for position in self.engine.books.positions:
            entry = position.average_price(self.instrument)
            found.append({
                "symbol": MARKET, "positionSide": "BOTH", "positionAmt": str(position.contracts), "entryPrice": str(entry),
                "breakEvenPrice": str(entry), "markPrice": str(self.price), "unRealizedProfit": "0",
                "liquidationPrice": "0", "isolatedMargin": "0", "notional": str(position.contracts * self.price),
                "marginAsset": "USDT", "isolatedWallet": "0", "initialMargin": "0", "maintMargin": "0",
                "positionInitialMargin": "0", "openOrderInitialMargin": "0", "adl": 0, "bidNotional": "0",
                "askNotional": "0", "updateTime": self.now_ms,
            })  # fmt: skip
        return found

    def _get_userTrades(self, params):  # noqa: N802 - the path
        since = int(params.get("startTime", 0))
        return [
            {
                "symbol": MARKET, "id": int(fill.trade_id[1:]), "orderId": self._id_of(fill), "side": fill.side.value.upper(),
                "price": str(fill.price), "qty": str(fill.contracts), "realizedPnl": "0", "marginAsset": "USDT",
                "quoteQty": str(fill.price * fill.contracts), "commission": str(fill.fee), "commissionAsset": "USDT",
                "time": fill.time_ns // MS_NS, "positionSide": "BOTH", "buyer": fill.side is Side.BUY,
                "maker": fill.liquidity is Liquidity.MAKER,
            }
            for fill in self._fills
            if fill.time_ns // MS_NS >= since
        ][: int(params.get("limit", 500))]  # fmt: skip

    def _id_of(self, fill):
        return self._orders[fill.client_order_id]["id"] if fill.client_order_id in self._orders else 9_999_999

    def _get_income(self, params):
        since = int(params.get("startTime", 0))
        return [
            {
                "symbol": MARKET, "incomeType": "FUNDING_FEE", "income": str(paid.amount), "asset": "USDT",
                "info": "FUNDING_FEE", "time": stamp, "tranId": str(stamp), "tradeId": "",
            }
            for paid, stamp in self._settled
            if stamp >= since
        ]  # fmt: skip

    def _get_order(self, params):
        return self._order_json(self._find(params, "origClientOrderId", "orderId"))

    def _get_algoOrder(self, params):  # noqa: N802 - the path
        return self._algo_json(self._find(params, "clientAlgoId", "algoId", algo=True))

    def _find(self, params, client_key, id_key, code=-2013, *, algo=False):
        for cid, known in self._orders.items():
            hit = cid == params.get(client_key) or (id_key in params and str(known["id"]) == params[id_key])
            # A conditional order that was triggered is an order like any other, with the id that it had before.
            if hit and (self._is_algo(cid) if algo else not self._is_algo(cid) or known.get("triggered")):
                return cid
        raise Refused(code, "Order does not exist." if code == -2013 else "Unknown order sent.")

    def _get_openOrders(self, params):  # noqa: N802 - the path
        working = [record.order.client_order_id for record in self.engine.open_orders()]
        return [
            self._order_json(cid) for cid in working if not self._is_algo(cid) or self._orders[cid].get("triggered")
        ]

    def _get_openAlgoOrders(self, params):  # noqa: N802 - the path
        working = [record.order.client_order_id for record in self.engine.open_orders()]
        return [
            self._algo_json(cid) for cid in working if self._is_algo(cid) and not self._orders[cid].get("triggered")
        ]

    def _get_apiRestrictions(self, params):  # noqa: N802 - the path
        return self.permissions

    def _post_order(self, params):
        return self._place(params, params["newClientOrderId"], self._order_json)

    def _post_algoOrder(self, params):  # noqa: N802 - the path
        return self._place(params, params["clientAlgoId"], self._algo_json)

    def _place(self, params, cid, answer):
        trigger = params.get("triggerPrice") or params.get("stopPrice")
        tif = params.get("timeInForce", "GTC")
        order = Order(
            client_order_id=cid,
            account_id="main",
            strategy_id="x",
            symbol=BTC,
            side=Side(params["side"].lower()),
            type=TYPES[params["type"]],
            contracts=Decimal(params["quantity"]),
            created_ns=self.now_ns,
            price=Decimal(params["price"]) if "price" in params else None,
            trigger_price=None if trigger is None else Decimal(trigger),
            trigger_by=TriggerPrice.MARK if params.get("workingType") == "MARK_PRICE" else TriggerPrice.LAST,
            time_in_force=TimeInForce.GTC if tif == "GTX" else TimeInForce(tif.lower()),
            post_only=tif == "GTX",
            reduce_only=params.get("reduceOnly", "").lower() == "true",
        )
        refusal = self._take(order)
        if refusal is not None:
            for words, code, message in REFUSALS:
                if words in refusal:
                    raise Refused(code, message)
            raise Refused(-4003, refusal)
        return answer(cid)

    def _delete_order(self, params):
        cid = self._find(params, "origClientOrderId", "orderId", -2011)
        return self._cancel(cid, self._order_json)

    def _delete_algoOrder(self, params):  # noqa: N802 - the path
        cid = self._find(params, "clientAlgoId", "algoId", -2011, algo=True)
        return self._cancel(
            cid, lambda cid: {"algoId": self._orders[cid]["id"], "clientAlgoId": cid, "code": "200", "msg": "success"}
        )

    def _cancel(self, cid, answer):
        if self._orders[cid]["status"] not in {"NEW", "PARTIALLY_FILLED"}:
            raise Refused(-2011, "Unknown order sent.")
        self.engine.cancel(self._orders[cid]["order"], "asked")
        self._tell_outcomes()
        return answer(cid)

    def _post_leverage(self, params):
        self.leverage = int(params["leverage"])
        self.engine.configure(self.engine.books.margin_mode, Decimal(self.leverage))
        return {"symbol": MARKET, "leverage": self.leverage, "maxNotionalValue": "1000000"}

    def _post_marginType(self, params):  # noqa: N802 - the path
        if params["marginType"] == self.margin_type:
            raise Refused(-4046, "No need to change margin type.")
        self.margin_type = params["marginType"]
        return {"code": 200, "msg": "success"}

    def _post_countdownCancelAll(self, params):  # noqa: N802 - the path
        return {"symbol": MARKET, "countdownTime": params["countdownTime"]}

    def _post_listenKey(self, params):  # noqa: N802 - the path
        key = f"listen{len(self._listen_keys)}"
        self._listen_keys[key] = True
        return {"listenKey": key}

    def _put_listenKey(self, params):  # noqa: N802 - the path
        return {}
