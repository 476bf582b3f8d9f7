"""As much of hyperliquid's perpetuals as the bot uses, on loopback.

Who signed is recovered from every action, with its nonce and its expiry. Its protocol is what ccxt 4.5.90 sends and reads,
whose comments quote the venue's messages, 2026-11. What those leave open is answered like this: a conditional order keeps its id when it is triggered; fills that are read name no client order id, fills that are told
do; what a taker could not fill is canceled.
"""

import json
from decimal import Decimal

from aiohttp import web

from app.domain.events import Fill, Liquidity, OrderTriggered
from app.domain.money import plain
from app.domain.order import Order, OrderStatus, OrderType, Side, TimeInForce, TriggerPrice
from tests.loopback.signing import address_of_key, signer_of
from tests.loopback.venue import BY_HAND, MS_NS, Asked, LoopbackVenue, Refused

WALLET = "0x" + "1a" * 20
PRIVATE_KEY = "0x" + "22" * 32
"""Of an agent of the wallet, which may trade for it."""
COIN = "BTC"
STATE = "clearinghouseState"
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
ACTIONS = {
    "order": "submit",
    "cancel": "cancel",
    "cancelByCloid": "cancel",
    "updateLeverage": "leverage",
    "clearinghouseState": "balance",
    "candleSnapshot": "candles",
}
FIELDS = {
    "order": ("type", "orders", "grouping", "builder"),
    "cancel": ("type", "cancels"),
    "cancelByCloid": ("type", "cancels"),
    "updateLeverage": ("type", "asset", "isCross", "leverage"),
}
"""In the order in which the venue packs them again before it looks at the signature."""
ORDER_FIELDS = ("a", "b", "p", "s", "r", "t", "c")
TYPES = {
    (True, "sl"): OrderType.STOP_MARKET,
    (False, "sl"): OrderType.STOP_LIMIT,
    (True, "tp"): OrderType.TAKE_PROFIT_MARKET,
    (False, "tp"): OrderType.TAKE_PROFIT_LIMIT,
}
NAMES = {
    OrderType.MARKET: "Market",
    OrderType.LIMIT: "Limit",
    OrderType.STOP_MARKET: "Stop Market",
    OrderType.STOP_LIMIT: "Stop Limit",
    OrderType.TAKE_PROFIT_MARKET: "Take Profit Market",
    OrderType.TAKE_PROFIT_LIMIT: "Take Profit Limit",
}
REFUSALS = (
    ("insufficient margin", "Insufficient margin to place order. asset=0"),
    ("nothing to reduce", "Reduce only order would increase position. asset=0"),
    ("post-only", "Post only order would have immediately matched, bbo was 49999@50001. asset=0"),
    ("notional", "Order must have minimum value of $10. asset=0"),
)
MISSING = "Order was never placed, already canceled, or filled. asset=0"
STEPS_MS = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": HOUR_MS}
NONCES_KEPT = 100


class LoopbackHyperliquid(LoopbackVenue):
    """Start it, give ``url`` to the bot, and stop it."""

    name = "hyperliquid"
    symbol = "BTC/USDC:USDC"
    currency = "USDC"
    listed = {  # noqa: RUF012 - read alone
        "tick_size": "1", "lot_size": "0.00001", "contracts_min": "0.00001", "notional_min": "10",
        "maker_fee_rate": "0.00015", "taker_fee_rate": "0.00045",
    }  # fmt: skip

    def __init__(self, **changes):
        self.agent = address_of_key(PRIVATE_KEY)
        self.nonces = []
        self.unified = False
        self.unlisted = None
        """How the venue says that its coin is not listed any more: gone, or flagged."""
        self.size_digits = 5
        super().__init__(**changes)
        self.rate = Decimal("0.0000125")

    def refuse_keys(self):
        """Take the agent's signature for good no longer."""
        self.agent = "0x" + "0" * 40

    # -- the market ----------------------------------------------------------------------------------------------

    def tell_market(self):
        now = self.now_ms
        self.publish(f"l2Book:{COIN}", {"channel": "l2Book", "data": self._book()})
        self.publish(
            f"activeAssetCtx:{COIN}", {"channel": "activeAssetCtx", "data": {"coin": COIN, "ctx": self._context()}}
        )
        opened = now // 60_000 * 60_000
        self.publish(f"candle:{COIN}:1m", {"channel": "candle", "data": self._candle(opened, "1m")})

    def _book(self):
        levels = [
            [
                {"px": plain(self.price + side * depth * self.instrument.tick_size), "sz": plain(self.size), "n": 1}
                for depth in (1, 2, 3)
            ]
            for side in (-1, 1)
        ]
        return {"coin": COIN, "time": self.now_ms, "levels": levels}

    def _context(self):
        price = plain(self.price)
        return {
            "funding": plain(self.rate), "openInterest": "688.11", "prevDayPx": price, "dayNtlVlm": "1169046.29",
            "premium": "0.0003", "oraclePx": price, "markPx": price, "midPx": price,
            "impactPxs": [plain(self.bid), plain(self.ask)], "dayBaseVlm": "20.5",
        }  # fmt: skip

    def _candle(self, opened, interval):
        prices = dict.fromkeys("ohlc", plain(self.price))
        closes = opened + STEPS_MS[interval] - 1
        return {"t": opened, "T": closes, "s": COIN, "i": interval, "v": "1.5", "n": 3} | prices

    def _meta(self):
        listed = {"szDecimals": self.size_digits, "name": COIN, "maxLeverage": 40, "marginTableId": 56}
        universe = [listed, listed | {"name": "ETH"}]
        if self.unlisted == "gone":
            universe = universe[1:]
        elif self.unlisted == "flagged":
            universe[0] = listed | {"isDelisted": True}
        tiers = [{"lowerBound": "0.0", "maxLeverage": 40}, {"lowerBound": "150000000.0", "maxLeverage": 20}]
        tables = [[56, {"description": "tiered 40x", "marginTiers": tiers}]]
        return {"universe": universe, "marginTables": tables, "collateralToken": 0}

    # -- events of the account -----------------------------------------------------------------------------------

    def messages_of(self, known, event):
        status = "triggered" if isinstance(event, OrderTriggered) else _status(known)
        update = {"order": _basic(known), "status": status, "statusTimestamp": self.now_ms}
        messages = [{"channel": "orderUpdates", "data": [update]}]
        if isinstance(event, Fill):
            fill = self._fill(event, known.id) | {"cloid": _cloid(known)}
            messages.append({"channel": "userFills", "data": {"user": WALLET, "fills": [fill]}})
        return messages

    def liquidation_messages(self, fill):
        told = self._fill(fill, 9_999_999) | {
            "liquidation": {"liquidatedUser": WALLET, "markPx": plain(self.price), "method": "market"}
        }
        return [{"channel": "userFills", "data": {"user": WALLET, "fills": [told]}}]

    def state_messages(self):
        state = self._tell_clearinghouseState({})
        return [{"channel": STATE, "data": {"dex": "", "user": WALLET, STATE: state}}]

    def _fill(self, fill, number):
        return {
            "coin": COIN, "px": plain(fill.price), "sz": plain(fill.contracts), "side": _side(fill.side),
            "time": fill.time_ns // MS_NS, "startPosition": "0.0", "dir": "Open Long", "closedPnl": "0.0",
            "hash": "0x" + "0" * 64, "oid": number, "crossed": fill.liquidity is Liquidity.TAKER,
            "fee": plain(fill.fee), "tid": int(fill.trade_id[1:]), "feeToken": "USDC", "twapId": None,
        }  # fmt: skip

    def _order(self, known):
        order = known.order
        kind = "Alo" if order.post_only else order.time_in_force.value.capitalize()
        condition = f"Price {'above' if order.side is Side.BUY else 'below'} {plain(order.trigger_price or 0)}"
        return _basic(known) | {
            "cloid": _cloid(known), "isTrigger": order.trigger_price is not None, "children": [],
            "triggerPx": plain(order.trigger_price or 0), "triggerCondition": condition, "isPositionTpsl": False,
            "reduceOnly": order.reduce_only, "orderType": NAMES[order.type], "tif": None if order.trigger_price else kind,
        }  # fmt: skip

    # -- sockets -------------------------------------------------------------------------------------------------

    def category(self, socket):
        return "private" if self.sockets[socket] & {"orderUpdates", "userFills"} else "public"

    def hears(self, socket):
        return self.sockets[socket] >= {"orderUpdates", "userFills", STATE}

    def subscribe(self, socket, asked):
        if asked["method"] == "ping":
            return [{"channel": "pong"}]
        wanted = asked["subscription"]
        topic = ":".join(str(wanted[key]) for key in ("type", "coin", "interval") if key in wanted)
        if topic in self.sockets[socket]:
            return [{"channel": "error", "data": f"Already subscribed: {json.dumps(wanted)}"}]
        if "user" in wanted and wanted["user"].lower() != WALLET:
            return [{"channel": "error", "data": "Invalid user"}]
        self.sockets[socket].add(topic)
        said = [{"channel": "subscriptionResponse", "data": asked}]
        if topic == "userFills":
            # All that was ever filled comes first, whoever did it and however long ago.
            fills = [self._fill(fill, self._id_of(fill)) for fill in self.fills]
            said.append({"channel": "userFills", "data": {"isSnapshot": True, "user": WALLET, "fills": fills}})
        if topic == STATE:
            said += self.state_messages()
        return said

    def _id_of(self, fill):
        known = self.orders.get(fill.client_order_id)
        return 9_999_999 if known is None else known.id

    # -- REST ----------------------------------------------------------------------------------------------------

    def add_routes(self, router):
        router.add_get("/ws", self.serve_socket)
        router.add_post("/info", self.serve)
        router.add_post("/exchange", self.serve)

    async def read(self, request):
        body = await request.json()
        writes = request.path == "/exchange"
        asked = body["action"] if writes else body
        return Asked(ACTIONS.get(asked["type"], asked["type"]), asked, writes=writes, raw=body)

    def refusal(self, refused):
        if refused.code == "status":
            return web.json_response({"status": "ok", "response": {
                "type": "order", "data": {"statuses": [{"error": refused.message}]},
            }})  # fmt: skip
        return web.json_response({"status": "err", "response": refused.message})

    def answer(self, request, asked):
        if asked.writes:
            self._check(asked.raw)
            said = getattr(self, f"_do_{asked.params['type']}")(asked.params)
            return {"status": "ok", "response": said}
        return getattr(self, f"_tell_{asked.params['type']}")(asked.params)

    def _check(self, body):
        """See that the agent signed it, for now and only once.

        Raises:
            Refused: It did not, or the time is over.
        """
        action, nonce, expires = body["action"], body["nonce"], body.get("expiresAfter")
        packed = {key: action[key] for key in FIELDS[action["type"]] if key in action}
        if "orders" in action:
            packed["orders"] = [{key: item[key] for key in ORDER_FIELDS if key in item} for item in action["orders"]]
        signer = signer_of(packed, nonce, expires, body["signature"])
        if signer != self.agent:
            raise Refused("err", f"User or API Wallet {signer} does not exist.")
        if not self.now_ms - 2 * DAY_MS < nonce < self.now_ms + DAY_MS:
            raise Refused("err", f"Invalid nonce: {nonce} is too far from {self.now_ms}")
        if nonce in self.nonces or (len(self.nonces) == NONCES_KEPT and nonce < min(self.nonces)):
            raise Refused("err", f"Invalid nonce: duplicate nonce {nonce}")
        self.nonces = sorted([*self.nonces, nonce])[-NONCES_KEPT:]
        if expires is not None and self.now_ms > expires:
            raise Refused("err", "Action expired")

    # -- actions -------------------------------------------------------------------------------------------------

    def _do_order(self, action):
        [asked] = action["orders"]
        for figure in (asked["p"], asked["s"]):
            if plain(Decimal(figure)) != figure:
                raise Refused("err", f"{figure} is packed as {plain(Decimal(figure))} before its signature is checked")
        order = self._order_of(asked)
        refusal = self.take(order)
        known = self.orders.get(order.client_order_id)
        if refusal is not None:
            raise Refused("status", next((said for words, said in REFUSALS if words in refusal), refusal))
        ids = {"oid": known.id, "cloid": _cloid(known)}
        if known.status is OrderStatus.EXPIRED and not known.filled:
            raise Refused("status", "Order could not immediately match against any resting orders. asset=0")
        if known.filled:
            status = {"filled": ids | {"totalSz": plain(known.filled), "avgPx": plain(known.average)}}
        else:
            status = {"resting": ids}
        return {"type": "order", "data": {"statuses": [status]}}

    def _order_of(self, asked):
        kind, price = asked["t"], Decimal(asked["p"])
        trigger, tif = kind.get("trigger"), kind.get("limit", {}).get("tif", "Gtc")
        side = Side.BUY if asked["b"] else Side.SELL
        if trigger is not None and trigger["isMarket"] and (price - Decimal(trigger["triggerPx"])) * side.sign < 0:
            raise Refused("status", "Invalid TP/SL price. asset=0")  # it could never fill
        is_market = trigger is not None and trigger["isMarket"]
        return Order(
            client_order_id=asked["c"],
            account_id="main",
            strategy_id="x",
            symbol=self.symbol,
            side=side,
            type=OrderType.LIMIT if trigger is None else TYPES[trigger["isMarket"], trigger["tpsl"]],
            contracts=Decimal(asked["s"]),
            created_ns=self.now_ns,
            price=None if is_market else price,
            trigger_price=None if trigger is None else Decimal(trigger["triggerPx"]),
            trigger_by=TriggerPrice.MARK,
            time_in_force=TimeInForce.IOC if tif == "Ioc" else TimeInForce.GTC,
            post_only=tif == "Alo",
            reduce_only=asked["r"],
        )

    def _do_cancelByCloid(self, action):  # noqa: N802 - the action
        return self._do_cancel(action)

    def _do_cancel(self, action):
        [asked] = action["cancels"]
        known = self._find(asked.get("cloid", asked.get("o")))
        if known is None or not self.cancel(known):
            raise Refused("status", MISSING)
        return {"type": "cancel", "data": {"statuses": ["success"]}}

    def _do_updateLeverage(self, action):  # noqa: N802 - the action
        self.leverage = action["leverage"]
        self.engine.configure(self.engine.books.margin_mode, Decimal(self.leverage))
        return {"type": "default"}

    # -- questions -----------------------------------------------------------------------------------------------

    def _tell_exchangeStatus(self, asked):  # noqa: N802 - the type
        return {"time": self.now_ms, "specialStatuses": None}

    def _tell_l2Book(self, asked):  # noqa: N802 - the type
        return self._book()

    def _tell_meta(self, asked):
        return self._meta()

    def _tell_metaAndAssetCtxs(self, asked):  # noqa: N802 - the type
        meta = self._meta()
        return [meta, [self._context()] * len(meta["universe"])]

    def _tell_candleSnapshot(self, asked):  # noqa: N802 - the type
        wanted = asked["req"]
        step = STEPS_MS[wanted["interval"]]
        last = min(wanted["endTime"], self.now_ms) // step * step
        return [
            self._candle(opened, wanted["interval"]) for opened in self.candles(step, wanted["startTime"], last)[:5000]
        ]

    def _tell_userAbstraction(self, asked):  # noqa: N802 - the type
        return "unifiedAccount" if self.unified else "disabled"

    def _tell_spotClearinghouseState(self, asked):  # noqa: N802 - the type
        return {"balances": [{"coin": "USDC", "hold": "0.0", "total": plain(self.engine.books.balance)}]}

    def _tell_clearinghouseState(self, asked):  # noqa: N802 - the type
        books = self.engine.books
        positions = [
            {"type": "oneWay", "position": {
                "coin": COIN, "szi": plain(position.contracts), "entryPx": plain(position.average_price(self.instrument)),
                "leverage": {"type": "cross", "value": self.leverage}, "unrealizedPnl": plain(books.unrealized),
                "positionValue": plain(abs(position.contracts) * self.price), "marginUsed": "10.0", "maxLeverage": 40,
                "liquidationPx": None, "returnOnEquity": "0.0",
                "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
            }}
            for position in books.positions
        ]  # fmt: skip
        summary = {
            "accountValue": plain(books.equity),
            "totalNtlPos": "0.0",
            "totalRawUsd": "0.0",
            "totalMarginUsed": "0.0",
        }
        return {
            "marginSummary": summary, "crossMarginSummary": summary, "crossMaintenanceMarginUsed": "0.0",
            "withdrawable": plain(books.margin_available), "assetPositions": positions, "time": self.now_ms,
        }  # fmt: skip

    def _tell_frontendOpenOrders(self, asked):  # noqa: N802 - the type
        return [self._order(known) for known in self.working()]

    def _tell_orderStatus(self, asked):  # noqa: N802 - the type
        known = self._find(asked["oid"])
        if known is None:
            return {"status": "unknownOid"}
        told = {"order": self._order(known), "status": _status(known), "statusTimestamp": known.time_ms}
        return {"status": "order", "order": told}

    def _find(self, number):
        return next((known for cid, known in self.orders.items() if number in {cid, known.id}), None)

    def _tell_userFillsByTime(self, asked):  # noqa: N802 - the type
        fills = [fill for fill in self.fills if fill.time_ns // MS_NS >= asked["startTime"]]
        return [self._fill(fill, self._id_of(fill)) for fill in fills]

    def _tell_userRole(self, asked):  # noqa: N802 - the type
        if asked["user"].lower() == self.agent:
            return {"role": "agent", "data": {"user": WALLET}}
        return {"role": "user"} if asked["user"].lower() == WALLET else {"role": "missing"}

    def _tell_userFunding(self, asked):  # noqa: N802 - the type
        return [
            {"time": stamp, "hash": "0x" + "0" * 64, "delta": {
                "type": "funding", "coin": COIN, "usdc": plain(paid.amount), "szi": plain(paid.contracts),
                "fundingRate": plain(paid.rate), "nSamples": None,
            }}
            for paid, stamp in self.settled
            if stamp >= asked.get("startTime", 0)
        ][:500]  # fmt: skip


def _basic(known):
    order = known.order
    return {
        "coin": COIN, "side": _side(order.side), "limitPx": plain(order.price or order.trigger_price or 0),
        "sz": plain(order.contracts - known.filled), "oid": known.id, "timestamp": order.created_ns // MS_NS,
        "origSz": plain(order.contracts),
    } | ({} if _cloid(known) is None else {"cloid": _cloid(known)})  # fmt: skip


def _cloid(known):
    cid = known.order.client_order_id
    return None if cid.startswith(BY_HAND) else cid


def _side(side):
    return "B" if side is Side.BUY else "A"


def _status(known):
    if known.status is OrderStatus.EXPIRED:
        return "canceled" if known.filled else "iocCancelRejected"
    if known.status is OrderStatus.PARTIALLY_FILLED:
        return "open"
    return known.status.value if known.status is not OrderStatus.OPEN or not known.triggered else "triggered"
