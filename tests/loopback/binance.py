"""As much of Binance USD-M futures as the bot uses, on loopback.

It checks signatures and the receive window. Its protocol was read in Binance's documentation and in what ccxt 4.5.90
sends, 2026-11.
"""

import hashlib
import hmac
from decimal import Decimal
from itertools import count
from urllib.parse import parse_qsl

from aiohttp import web

from app.domain.events import Fill, Liquidity, OrderAccepted, OrderTriggered
from app.domain.order import Order, OrderStatus, OrderType, Side, TimeInForce, TriggerPrice
from tests.builders import BTC
from tests.loopback.venue import MS_NS, Asked, LoopbackVenue, Refused

KEY = "key-SENTINEL-5f1c"
SECRET = "secret-SENTINEL-9a7e"  # noqa: S105 - of nothing but this venue
MARKET = "BTCUSDT"
EIGHT_HOURS_MS = 28_800_000
WEEK_MS = 7 * 24 * 3_600_000
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
ACTIONS = {
    ("POST", "order"): "submit",
    ("POST", "algoOrder"): "submit",
    ("DELETE", "order"): "cancel",
    ("DELETE", "algoOrder"): "cancel",
    ("GET", "account"): "balance",
    ("GET", "klines"): "candles",
    ("POST", "countdownCancelAll"): "dead man",
    ("POST", "listenKey"): "listen",
}
"""What is asked for, by method and end of the path; elsewhere the end of the path says it."""


class LoopbackBinance(LoopbackVenue):
    """Start it, give ``url`` to the bot, and stop it."""

    name = "binanceusdm"
    symbol = BTC
    currency = "USDT"
    listed = {  # noqa: RUF012 - read alone
        "tick_size": "0.1", "lot_size": "0.001", "contracts_min": "0.001", "notional_min": "100", "contracts_max": "120",
    }  # fmt: skip
    busy = {"code": -1003, "msg": "Too many requests."}  # noqa: RUF012 - as above
    down = {"code": -1000, "msg": "An unknown error occurred."}  # noqa: RUF012 - as above

    def __init__(self, **changes):
        self.hedged = False
        self.key, self.secret = KEY, SECRET
        self.permissions = {"enableFutures": True, "enableWithdrawals": False, "ipRestrict": True}
        self.margin_type = "CROSSED"
        self.past = None
        """Returns the price of a past minute, in milliseconds, or None where there is a gap; None is the price of now."""
        self.past_rates = ()
        """Milliseconds and rate of past settlements."""
        self._categories = {}
        self._listen_keys = {}
        self._numbers = count(1)
        super().__init__(**changes)

    def refuse_keys(self):
        """Take the keys for good no longer."""
        self.key = "another"

    def expire_keys(self):
        """Let all listen keys expire: nobody is told, and no event comes any more."""
        for key in self._listen_keys:
            self._listen_keys[key] = False

    # -- the market ----------------------------------------------------------------------------------------------

    def tell_quote(self, now, number):
        self.publish(
            f"{MARKET.lower()}@bookTicker",
            {
                "e": "bookTicker", "u": number, "s": MARKET, "b": str(self.bid), "B": str(self.size),
                "a": str(self.ask), "A": str(self.size), "T": now, "E": now,
            },
        )  # fmt: skip

    def tell_market(self):
        now = self.now_ms
        self.tell_quote(now, next(self._numbers))
        self.publish(
            f"{MARKET.lower()}@markPrice@1s",
            {
                "e": "markPriceUpdate", "E": now, "s": MARKET, "p": str(self.price), "i": str(self.price),
                "P": str(self.price), "r": str(self.rate), "T": self.settles_ms(EIGHT_HOURS_MS),
            },
        )  # fmt: skip
        opened = now // 60_000 * 60_000
        self.publish(
            f"{MARKET.lower()}@kline_1m",
            {
                "e": "kline", "E": now, "s": MARKET,
                "k": {
                    "t": opened, "T": opened + 59_999, "s": MARKET, "i": "1m", "o": str(self.price), "c": str(self.price),
                    "h": str(self.price), "l": str(self.price), "v": "1.5", "x": False,
                },
            },
        )  # fmt: skip

    # -- events of the account -----------------------------------------------------------------------------------

    def messages_of(self, known, event):
        if known.order.trigger_price is not None and not known.triggered:
            return [self._event("ALGO_UPDATE", self._algo_event(known, STATUSES[known.status]))]
        if isinstance(event, OrderTriggered):
            # What is triggered goes on as an order with an id of its own.
            known.id += 1_000_000
            return [
                self._event("ALGO_UPDATE", self._algo_event(known, "TRIGGERED")),
                self._event("ORDER_TRADE_UPDATE", self._order_event(known, "NEW")),
            ]
        if isinstance(event, Fill):
            return [self._event("ORDER_TRADE_UPDATE", self._order_event(known, "TRADE", event))]
        execution = "NEW" if isinstance(event, OrderAccepted) else STATUSES[known.status]
        return [self._event("ORDER_TRADE_UPDATE", self._order_event(known, execution))]

    def liquidation_messages(self, fill):
        now = self.now_ms
        return [self._event("ORDER_TRADE_UPDATE", {
            "s": MARKET, "c": f"autoclose-{now}", "S": fill.side.value.upper(), "o": "LIQUIDATION", "f": "IOC",
            "q": str(fill.contracts), "p": "0", "ap": str(fill.price), "sp": "0", "x": "TRADE", "X": "FILLED",
            "i": 9_000_000 + now % 1_000_000, "l": str(fill.contracts), "z": str(fill.contracts), "L": str(fill.price),
            "n": str(fill.fee), "N": "USDT", "T": now, "t": int(fill.trade_id[1:]), "m": False, "R": False,
        })]  # fmt: skip

    def state_messages(self):
        held = self.engine.books.position(BTC)
        entry = held.average_price(self.instrument) or 0
        position = {
            "s": MARKET, "pa": str(held.contracts), "ep": str(entry), "cr": "0", "up": "0", "mt": "cross", "iw": "0",
            "ps": "BOTH", "bep": str(entry),
        }  # fmt: skip
        balance = str(self.engine.books.balance)
        balances = [{"a": "USDT", "wb": balance, "cw": balance, "bc": "0"}]
        now = self.now_ms
        return [{"e": "ACCOUNT_UPDATE", "E": now, "T": now, "a": {"m": "ORDER", "B": balances, "P": [position]}}]

    def _event(self, kind, told):
        now = self.now_ms
        return {"e": kind, "E": now, "T": now, "o": told}

    def _order_event(self, known, execution, fill=None):
        order = known.order
        told = {
            "s": MARKET, "c": order.client_order_id, "S": order.side.value.upper(), "o": NAMES[order.type],
            "f": _tif(order), "q": str(order.contracts), "p": str(order.price or 0), "ap": str(known.average),
            "sp": str(order.trigger_price or 0), "x": execution, "X": STATUSES[known.status], "i": known.id,
            "l": "0", "z": str(known.filled), "L": "0", "T": self.now_ms, "t": 0, "m": False,
            "R": order.reduce_only, "wt": "CONTRACT_PRICE", "ot": NAMES[order.type], "ps": "BOTH", "cp": False, "rp": "0",
        }  # fmt: skip
        if fill is not None:
            told |= {
                "l": str(fill.contracts), "L": str(fill.price), "n": str(fill.fee), "N": "USDT",
                "t": int(fill.trade_id[1:]), "m": fill.liquidity is Liquidity.MAKER,
            }  # fmt: skip
        return told

    def _algo_event(self, known, status):
        order = known.order
        return {
            "caid": order.client_order_id, "aid": known.algo_id, "at": "CONDITIONAL",
            "o": NAMES[order.type], "s": MARKET, "S": order.side.value.upper(), "ps": "BOTH", "f": _tif(order),
            "q": str(order.contracts), "X": status, "ai": str(known.id) if known.triggered else "", "ap": "0", "aq": "0",
            "act": "0", "tp": str(order.trigger_price), "p": str(order.price or 0), "R": order.reduce_only, "rm": "",
        }  # fmt: skip

    def _order_json(self, known):
        order = known.order
        return {
            "orderId": known.id, "symbol": MARKET, "status": STATUSES[known.status],
            "clientOrderId": order.client_order_id, "price": str(order.price or 0), "avgPrice": str(known.average),
            "origQty": str(order.contracts), "executedQty": str(known.filled), "cumQuote": str(known.value),
            "timeInForce": _tif(order), "type": NAMES[order.type], "reduceOnly": order.reduce_only,
            "closePosition": False, "side": order.side.value.upper(), "positionSide": "BOTH",
            "stopPrice": str(order.trigger_price or 0), "workingType": "CONTRACT_PRICE", "time": known.time_ms,
            "updateTime": known.time_ms,
        }  # fmt: skip

    def _algo_json(self, known):
        order, status = known.order, STATUSES[known.status]
        if known.triggered:
            status = "FINISHED" if status == "FILLED" else "TRIGGERED" if status == "NEW" else status
        return {
            "algoId": known.algo_id, "clientAlgoId": order.client_order_id,
            "algoType": "CONDITIONAL", "orderType": NAMES[order.type], "symbol": MARKET,
            "side": order.side.value.upper(), "positionSide": "BOTH", "timeInForce": _tif(order),
            "quantity": str(order.contracts), "algoStatus": status,
            "actualOrderId": str(known.id) if known.triggered else "", "actualPrice": "0",
            "triggerPrice": str(order.trigger_price), "price": str(order.price or 0), "reduceOnly": order.reduce_only,
            "createTime": known.time_ms, "updateTime": known.time_ms, "triggerTime": 0,
        }  # fmt: skip

    # -- sockets -------------------------------------------------------------------------------------------------

    def opened(self, socket, request):
        super().opened(socket, request)
        self._categories[socket] = (request.match_info["category"], request.query.get("listenKey"))

    def category(self, socket):
        return self._categories[socket][0]

    def hears(self, socket):
        category, key = self._categories[socket]
        return category == "private" and bool(self._listen_keys.get(key))

    def subscribe(self, socket, asked):
        self.sockets[socket] |= set(asked["params"])
        return [{"result": None, "id": asked["id"]}]

    # -- REST ----------------------------------------------------------------------------------------------------

    def add_routes(self, router):
        router.add_route("GET", "/{category:public|market|private}/ws{rest:.*}", self.serve_socket)
        router.add_route("*", "/{path:.*}", self.serve)

    async def read(self, request):
        name, method = request.path.rsplit("/", 1)[-1], request.method
        raw = request.url.raw_query_string or (await request.text())
        action = ACTIONS.get((method, name), name)
        writes = method != "GET" and name != "listenKey"
        return Asked(action, dict(parse_qsl(raw, keep_blank_values=True)), writes=writes, raw=raw)

    def refusal(self, refused):
        return web.json_response({"code": refused.code, "msg": refused.message}, status=refused.status)

    def answer(self, request, asked):
        method, params, name = request.method, asked.params, request.path.rsplit("/", 1)[-1]
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
        self._check_signature(request, params, asked.raw)
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
        limit, last = int(params.get("limit", 500)), self.now_ms // step * step
        first = int(params.get("startTime", last - (limit - 1) * step))
        last = min(last, int(params.get("endTime", last)))
        past = self.past or (lambda opened: str(self.price))
        return [
            [opened, price, price, price, price, "2.5", opened + step - 1, "0", 1, "0", "0", "0"]
            for opened in self.candles(step, first, last)
            if (price := past(opened)) is not None
        ][:limit]

    def _premium(self):
        return {
            "symbol": MARKET, "markPrice": str(self.price), "indexPrice": str(self.price),
            "lastFundingRate": str(self.rate), "interestRate": "0.0001", "nextFundingTime": self.settles_ms(EIGHT_HOURS_MS),
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
            for paid, _ in self.settled
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
        if "fromId" in params and {"startTime", "endTime"} & set(params):
            raise Refused(-1128, "Combination of optional parameters invalid.")
        since, until = (0, self.now_ms) if "fromId" in params else self._within_a_week(params)
        first = int(params.get("fromId", 0))
        return [
            {
                "symbol": MARKET, "id": int(fill.trade_id[1:]), "orderId": self._id_of(fill), "side": fill.side.value.upper(),
                "price": str(fill.price), "qty": str(fill.contracts), "realizedPnl": "0", "marginAsset": "USDT",
                "quoteQty": str(fill.price * fill.contracts), "commission": str(fill.fee), "commissionAsset": "USDT",
                "time": fill.time_ns // MS_NS, "positionSide": "BOTH", "buyer": fill.side is Side.BUY,
                "maker": fill.liquidity is Liquidity.MAKER,
            }
            for fill in self.fills
            if since <= fill.time_ns // MS_NS <= until and int(fill.trade_id[1:]) >= first
        ][: int(params.get("limit", 500))]  # fmt: skip

    def _within_a_week(self, params):
        since = int(params.get("startTime", self.now_ms - WEEK_MS))
        until = int(params.get("endTime", since + WEEK_MS))
        if until - since > WEEK_MS:
            raise Refused(-4165, "Invalid time interval.")
        return since, until

    def _id_of(self, fill):
        known = self.orders.get(fill.client_order_id)
        return 9_999_999 if known is None else known.id

    def _get_income(self, params):
        since = int(params.get("startTime", 0))
        return [
            {
                "symbol": MARKET, "incomeType": "FUNDING_FEE", "income": str(paid.amount), "asset": "USDT",
                "info": "FUNDING_FEE", "time": stamp, "tranId": str(stamp), "tradeId": "",
            }
            for paid, stamp in self.settled
            if stamp >= since
        ][: int(params.get("limit", 100))]  # fmt: skip

    def _get_order(self, params):
        return self._order_json(self._find(params, "origClientOrderId", "orderId"))

    def _get_algoOrder(self, params):  # noqa: N802 - the path
        return self._algo_json(self._find(params, "clientAlgoId", "algoId", algo=True))

    def _find(self, params, client_key, id_key, code=-2013, *, algo=False):
        for cid, known in self.orders.items():
            hit = cid == params.get(client_key) or (id_key in params and str(known.id) == params[id_key])
            # A conditional order that was triggered is an order like any other, with the id that it had before.
            if hit and (known.order.trigger_price is not None if algo else not known.waits):
                return known
        raise Refused(code, "Order does not exist." if code == -2013 else "Unknown order sent.")

    def _get_openOrders(self, params):  # noqa: N802 - the path
        return [self._order_json(known) for known in self.working() if not known.waits]

    def _get_openAlgoOrders(self, params):  # noqa: N802 - the path
        return [self._algo_json(known) for known in self.working() if known.waits]

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
        refusal = self.take(order)
        if refusal is not None:
            for words, code, message in REFUSALS:
                if words in refusal:
                    raise Refused(code, message)
            raise Refused(-4003, refusal)
        return answer(self.orders[cid])

    def _delete_order(self, params):
        return self._cancel(self._find(params, "origClientOrderId", "orderId", -2011), self._order_json)

    def _delete_algoOrder(self, params):  # noqa: N802 - the path
        known = self._find(params, "clientAlgoId", "algoId", -2011, algo=True)
        return self._cancel(
            known,
            lambda known: {
                "algoId": known.id,
                "clientAlgoId": known.order.client_order_id,
                "code": "200",
                "msg": "success",
            },
        )

    def _cancel(self, known, answer):
        if not self.cancel(known):
            raise Refused(-2011, "Unknown order sent.")
        return answer(known)

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


def _tif(order):
    return "GTX" if order.post_only else order.time_in_force.value.upper()
