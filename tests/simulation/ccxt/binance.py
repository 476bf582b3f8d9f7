"""The simulated venue in the words of Binance USD-M futures: what it answers, and what its streams tell.

Its words are those that ccxt 4.5.90 reads, by Binance's documentation, 2026-11. It outlives the bot's process, as the
venue does.
"""

from decimal import Decimal
from itertools import count

import msgspec

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
from app.domain.market import MS_NS, SECOND_NS, FundingRate, MarkPrice, Quote
from app.domain.order import Order, Side, TimeInForce, TriggerPrice
from app.simulation.venue import FUNDING_AHEAD_NS, FUNDING_EVERY_STEPS, START_NS, STEP_S
from tests.loopback.binance import NAMES, REFUSALS, TYPES

OTHER_REFUSAL = -4003
EXECUTIONS = {
    OrderAccepted: "NEW",
    OrderTriggered: "NEW",
    Fill: "TRADE",
    OrderCanceled: "CANCELED",
    OrderExpired: "EXPIRED",
}
WORKING = {"NEW", "PARTIALLY_FILLED"}
TRIGGERED_IDS = 1_000_000
"""What a conditional order has become has another id of the venue: its own plus this."""
NOBODYS_ID = 9_999_999
CLOCK_AHEAD_MS_MAX = 1000
ANSWERS_MAX = 500
PRIVATE = ""
"""The stream that the account's events are told on."""


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


class Kept(msgspec.Struct):
    """What Binance remembers of an order beyond what the venue does."""

    order: Order
    id: int
    time_ms: int
    updated_ms: int
    algo_id: int | None = None
    status: str = "NEW"
    filled: Decimal = Decimal(0)
    value: Decimal = Decimal(0)

    @property
    def is_algo(self):
        return self.order.trigger_price is not None

    @property
    def is_triggered(self):
        return self.algo_id is not None


class SimulatedBinance:
    """Takes requests at the moment they arrive; tells ``listen`` what happens, whether or not anybody hears it."""

    def __init__(self, venue):
        self.venue = venue
        self.listen = lambda stream, message: None
        """Called with the name of a stream and a message of it."""
        self.sent = {}
        """The bot's own words for what it has sent, by client order id: why an order is sent, no venue is told."""
        self._kept = {}
        self._refusal = None
        self._listen_keys = 0
        self._numbers = count(1)
        self._markets = {symbol.partition(":")[0].replace("/", ""): symbol for symbol in venue.instruments}
        self._marks = {}
        self._public = {
            "time": lambda params: {"serverTime": self._now_ms},
            "exchangeInfo": lambda params: self._exchange_info(),
            "klines": lambda params: [],
            "premiumIndex": lambda params: [self._premium(market) for market in self._markets],
            "fundingRate": self._past_rates,
        }
        venue.on_event = self._tell

    @property
    def _now_ms(self):
        return self.venue.now_ns // MS_NS

    def market(self, symbol):
        return symbol.partition(":")[0].replace("/", "")

    # -- requests ------------------------------------------------------------------------------------------------

    def answer(self, method, name, params, *, is_late=False):
        """Return the answer to a request, by the last part of its path.

        Raises:
            Refused: With Binance's code.
        """
        if method == "GET" and name in self._public:
            return self._public[name](params)
        if name != "listenKey":
            stamp, window = int(params["timestamp"]), int(params["recvWindow"])
            if is_late or stamp > self._now_ms + CLOCK_AHEAD_MS_MAX or self._now_ms - stamp > window:
                raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")
        return getattr(self, f"_{method.lower()}_{name}")(params)

    def _exchange_info(self):
        return {
            "timezone": "UTC", "serverTime": self._now_ms, "rateLimits": [], "assets": [],
            "symbols": [self._listed(market, self.venue.instruments[symbol]) for market, symbol in self._markets.items()],
        }  # fmt: skip

    @staticmethod
    def _listed(market, instrument):
        lots = {
            "minQty": str(instrument.contracts_min),
            "maxQty": str(instrument.contracts_max),
            "stepSize": str(instrument.lot_size),
        }
        return {
            "symbol": market, "pair": market, "contractType": "PERPETUAL", "deliveryDate": 4_133_404_800_000,
            "onboardDate": 1_569_398_400_000, "status": "TRADING", "baseAsset": instrument.base,
            "quoteAsset": instrument.quote, "marginAsset": instrument.settle, "pricePrecision": 2, "quantityPrecision": 3,
            "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN", "triggerProtect": "0.0500",
            "liquidationFee": str(instrument.liquidation_fee_rate), "marketTakeBound": "0.05",
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": str(instrument.tick_size), "maxPrice": "9999999", "tickSize": str(instrument.tick_size)},
                {"filterType": "LOT_SIZE", **lots},
                {"filterType": "MARKET_LOT_SIZE", **lots},
                {"filterType": "MIN_NOTIONAL", "notional": str(instrument.notional_min)},
            ],
            "orderTypes": [*TYPES, "TRAILING_STOP_MARKET"],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        }  # fmt: skip

    def _premium(self, market):
        mark = str(self._marks.get(self._markets[market], Decimal(1)))
        return {
            "symbol": market, "markPrice": mark, "indexPrice": mark, "lastFundingRate": "0.0001", "interestRate": "0.0001",
            "nextFundingTime": self._settles_ms(), "time": self._now_ms,
        }  # fmt: skip

    def _settles_ms(self):
        """Return when funding settles next, by the venue's clock."""
        ahead_s, every_s = FUNDING_AHEAD_NS / SECOND_NS, FUNDING_EVERY_STEPS * STEP_S
        now_s = (self.venue.now_ns - self.venue.skew_ns - START_NS) / SECOND_NS
        settles_s = max(1, (now_s - ahead_s) // every_s + 1) * every_s + ahead_s
        return (START_NS + int(settles_s) * SECOND_NS + self.venue.skew_ns) // MS_NS

    def _past_rates(self, params):
        since = int(params.get("startTime", 0))
        return [
            {
                "symbol": self.market(paid.symbol), "fundingRate": str(paid.rate), "fundingTime": paid.time_ns // MS_NS,
                "markPrice": str(paid.mark_price),
            }
            for paid in self.venue.settlements
            if self._markets.get(params["symbol"]) == paid.symbol and paid.time_ns // MS_NS >= since
        ]  # fmt: skip

    # -- the account ---------------------------------------------------------------------------------------------

    def _post_listenKey(self, params):  # noqa: N802 - the path
        self._listen_keys += 1
        return {"listenKey": f"listen{self._listen_keys}"}

    def _put_listenKey(self, params):  # noqa: N802 - the path
        return {}

    def _get_dual(self, params):
        return {"dualSidePosition": False}

    def _get_leverageBracket(self, params):  # noqa: N802 - the path
        return [
            {"symbol": market, "brackets": self._brackets(self.venue.instruments[symbol])}
            for market, symbol in self._markets.items()
        ]

    @staticmethod
    def _brackets(instrument):
        floor, brackets = Decimal(0), []
        for place, tier in enumerate(instrument.margin_tiers, 1):
            cap = Decimal(1_000_000_000) if tier.notional_max is None else tier.notional_max
            brackets.append({
                "bracket": place, "initialLeverage": str(tier.leverage_max), "notionalCap": str(cap),
                "notionalFloor": str(floor), "maintMarginRatio": str(tier.maintenance_rate), "cum": "0",
            })  # fmt: skip
            floor = cap
        return brackets

    def _get_account(self, params):
        balance = str(self.venue.balance)
        return {
            "totalInitialMargin": "0", "totalWalletBalance": balance, "availableBalance": balance,
            "assets": [{
                "asset": "USDT", "walletBalance": balance, "unrealizedProfit": "0", "marginBalance": balance,
                "maintMargin": "0", "initialMargin": "0", "availableBalance": balance, "maxWithdrawAmount": "0",
                "updateTime": self._now_ms,
            }],
            "positions": [],
        }  # fmt: skip

    def _get_positionRisk(self, params):  # noqa: N802 - the path
        found = []
        for position in self.venue.positions:
            instrument = self.venue.instruments[position.symbol]
            entry = str(position.average_price(instrument))
            found.append({
                "symbol": self.market(position.symbol), "positionSide": "BOTH", "positionAmt": str(position.contracts),
                "entryPrice": entry, "breakEvenPrice": entry, "markPrice": entry, "unRealizedProfit": "0",
                "liquidationPrice": "0", "isolatedMargin": "0", "notional": str(instrument.value(position.contracts, Decimal(entry))),
                "marginAsset": "USDT", "isolatedWallet": "0", "initialMargin": "0", "maintMargin": "0",
                "positionInitialMargin": "0", "openOrderInitialMargin": "0", "adl": 0, "bidNotional": "0",
                "askNotional": "0", "updateTime": self._now_ms,
            })  # fmt: skip
        return found

    def _get_userTrades(self, params):  # noqa: N802 - the path
        since, symbol = int(params.get("startTime", 0)), self._markets[params["symbol"]]
        return [
            {
                "symbol": params["symbol"], "id": trade_number(fill), "orderId": self._order_id_of(fill),
                "side": fill.side.value.upper(), "price": str(fill.price), "qty": str(fill.contracts), "realizedPnl": "0",
                "marginAsset": "USDT", "quoteQty": str(fill.price * fill.contracts), "commission": str(fill.fee),
                "commissionAsset": "USDT", "time": fill.time_ns // MS_NS, "positionSide": "BOTH",
                "buyer": fill.side is Side.BUY, "maker": fill.liquidity is Liquidity.MAKER,
            }
            for fill in self.venue.fills
            if fill.symbol == symbol and fill.time_ns // MS_NS >= since
        ][: int(params.get("limit", ANSWERS_MAX))]  # fmt: skip

    def _order_id_of(self, fill):
        kept = self._kept.get(fill.client_order_id)
        return NOBODYS_ID if kept is None else kept.id

    def _get_income(self, params):
        since, symbol = int(params.get("startTime", 0)), self._markets[params["symbol"]]
        return [
            {
                "symbol": params["symbol"], "incomeType": "FUNDING_FEE", "income": str(paid.amount), "asset": "USDT",
                "info": "FUNDING_FEE", "time": paid.time_ns // MS_NS, "tranId": str(paid.time_ns), "tradeId": "",
            }
            for paid in self.venue.settlements
            if paid.symbol == symbol and paid.time_ns // MS_NS >= since
        ]  # fmt: skip

    def _post_leverage(self, params):
        return {"symbol": params["symbol"], "leverage": int(params["leverage"]), "maxNotionalValue": "1000000"}

    def _post_marginType(self, params):  # noqa: N802 - the path
        raise Refused(-4046, "No need to change margin type.")

    # -- orders --------------------------------------------------------------------------------------------------

    def _get_order(self, params):
        return self._order_json(self._find(params, "origClientOrderId", "orderId", -2013, algo=False))

    def _get_algoOrder(self, params):  # noqa: N802 - the path
        return self._algo_json(self._find(params, "clientAlgoId", "algoId", -2013, algo=True))

    def _get_openOrders(self, params):  # noqa: N802 - the path
        return [self._order_json(kept) for kept in self._open(params) if not kept.is_algo or kept.is_triggered]

    def _get_openAlgoOrders(self, params):  # noqa: N802 - the path
        return [self._algo_json(kept) for kept in self._open(params) if kept.is_algo and not kept.is_triggered]

    def _open(self, params):
        working = [self._kept[record.order.client_order_id] for record in self.venue.open_orders()]
        return [kept for kept in working if kept.order.symbol == self._markets[params["symbol"]]]

    def _find(self, params, client_key, id_key, code, *, algo):
        kept = self._kept.get(params.get(client_key))
        if kept is None and id_key in params:
            kept = next((kept for kept in self._kept.values() if str(kept.id) == params[id_key]), None)
        # A conditional order that was triggered is an order like any other, with the client id that it had before.
        if kept is None or not (kept.is_algo if algo else not kept.is_algo or kept.is_triggered):
            raise Refused(code, "Order does not exist." if code == -2013 else "Unknown order sent.")
        return kept

    def _post_order(self, params):
        return self._order_json(self._place(params, params["newClientOrderId"]))

    def _post_algoOrder(self, params):  # noqa: N802 - the path
        return self._algo_json(self._place(params, params["clientAlgoId"]))

    def _place(self, params, client_order_id):
        trigger, tif = params.get("triggerPrice") or params.get("stopPrice"), params.get("timeInForce", "GTC")
        sent = self.sent[client_order_id]
        order = Order(
            client_order_id=client_order_id,
            account_id=sent.account_id,
            strategy_id=sent.strategy_id,
            symbol=self._markets[params["symbol"]],
            side=Side(params["side"].lower()),
            type=TYPES[params["type"]],
            contracts=Decimal(params["quantity"]),
            created_ns=sent.created_ns,
            purpose=sent.purpose,
            price=Decimal(params["price"]) if "price" in params else None,
            trigger_price=None if trigger is None else Decimal(trigger),
            trigger_by=TriggerPrice.MARK if params.get("workingType") == "MARK_PRICE" else TriggerPrice.LAST,
            time_in_force=TimeInForce.GTC if tif == "GTX" else TimeInForce(tif.lower()),
            post_only=tif == "GTX",
            reduce_only=params.get("reduceOnly", "").lower() == "true",
        )
        self._refusal = None
        self.venue.submit(order)
        if self._refusal is not None:
            for words, code, message in REFUSALS:
                if words in self._refusal:
                    raise Refused(code, message)
            raise Refused(OTHER_REFUSAL, self._refusal)
        return self._kept[client_order_id]

    def _delete_order(self, params):
        return self._order_json(self._cancel(self._find(params, "origClientOrderId", "orderId", -2011, algo=False)))

    def _delete_algoOrder(self, params):  # noqa: N802 - the path
        kept = self._find(params, "clientAlgoId", "algoId", -2011, algo=True)
        if kept.is_triggered:
            raise Refused(-2011, "Unknown order sent.")
        self._cancel(kept)
        return {"algoId": kept.id, "clientAlgoId": kept.order.client_order_id, "code": "200", "msg": "success"}

    def _cancel(self, kept):
        if kept.status not in WORKING:
            raise Refused(-2011, "Unknown order sent.")
        self.venue.cancel(kept.order, "asked")
        return kept

    # -- what is told --------------------------------------------------------------------------------------------

    def _tell(self, event):
        if isinstance(event, MarkPrice):
            self._tell_mark(event)
        elif isinstance(event, Quote):
            self._tell_quote(event)
        elif isinstance(event, OrderRejected):
            self._refusal = event.reason
        elif not isinstance(event, FundingPaid | FundingRate):
            self._tell_of_order(event)
        if isinstance(event, Fill | FundingPaid):
            self._tell_state(event)

    def _tell_mark(self, mark):
        self._marks[mark.symbol] = mark.price
        market, now, price = self.market(mark.symbol), self._now_ms, str(mark.price)
        self.listen(
            f"{market.lower()}@markPrice@1s",
            {
                "e": "markPriceUpdate",
                "E": now,
                "s": market,
                "p": price,
                "i": price,
                "P": price,
                "r": "0.0001",
                "T": self._settles_ms(),
            },
        )
        opened = now // 60_000 * 60_000
        candle = {
            "t": opened,
            "T": opened + 59_999,
            "s": market,
            "i": "1m",
            "o": price,
            "c": price,
            "h": price,
            "l": price,
            "v": "1.5",
            "x": False,
        }
        self.listen(f"{market.lower()}@kline_1m", {"e": "kline", "E": now, "s": market, "k": candle})

    def _tell_quote(self, quote):
        market, now = self.market(quote.symbol), self._now_ms
        self.listen(
            f"{market.lower()}@bookTicker",
            {
                "e": "bookTicker", "u": next(self._numbers), "s": market, "b": str(quote.bid),
                "B": str(quote.bid_contracts), "a": str(quote.ask), "A": str(quote.ask_contracts), "T": now, "E": now,
            },
        )  # fmt: skip

    def _tell_of_order(self, event):
        client_order_id = getattr(event, "client_order_id", None)
        if client_order_id is None:
            if isinstance(event, Fill):
                self._tell_liquidation(event)
            return
        if isinstance(event, OrderAccepted):
            order, number = self.venue.order(client_order_id).order, int(event.venue_order_id[1:])
            self._kept[client_order_id] = Kept(order, number, self._now_ms, self._now_ms)
        kept = self._kept.get(client_order_id)
        if kept is None or type(event) not in EXECUTIONS:
            return
        self._note(kept, event)
        if isinstance(event, OrderTriggered):
            self._tell_algo(kept, "TRIGGERED")
        if kept.is_algo and not kept.is_triggered:
            self._tell_algo(kept, kept.status)
            return
        self._tell_account("ORDER_TRADE_UPDATE", self._order_told(kept, event))
        if kept.is_algo and kept.status not in WORKING:
            self._tell_algo(kept, "FINISHED")

    def _note(self, kept, event):
        kept.updated_ms = self._now_ms
        if isinstance(event, OrderTriggered):
            kept.algo_id, kept.id = kept.id, kept.id + TRIGGERED_IDS
        elif isinstance(event, Fill):
            kept.filled += event.contracts
            kept.value += event.contracts * event.price
            kept.status = "FILLED" if kept.filled >= kept.order.contracts else "PARTIALLY_FILLED"
        elif isinstance(event, OrderCanceled):
            kept.status = "CANCELED"
        elif isinstance(event, OrderExpired):
            kept.status = "EXPIRED"

    def _tell_state(self, event):
        """Tell what is held after a fill or a settlement."""
        held = next((item for item in self.venue.positions if item.symbol == event.symbol), None)
        size, balance = "0" if held is None else str(held.contracts), str(self.venue.balance)
        position = {
            "s": self.market(event.symbol), "pa": size, "ep": "0", "cr": "0", "up": "0", "mt": "cross", "iw": "0", "ps": "BOTH",
        }  # fmt: skip
        balances, now = [{"a": "USDT", "wb": balance, "cw": balance, "bc": "0"}], self._now_ms
        what = {"m": "FUNDING_FEE" if isinstance(event, FundingPaid) else "ORDER", "B": balances, "P": [position]}
        self.listen(PRIVATE, {"e": "ACCOUNT_UPDATE", "E": now, "T": now, "a": what})

    def _tell_account(self, kind, told):
        self.listen(PRIVATE, {"e": kind, "E": self._now_ms, "T": self._now_ms, "o": told})

    def _tell_liquidation(self, fill):
        now = self._now_ms
        self._tell_account("ORDER_TRADE_UPDATE", {
            "s": self.market(fill.symbol), "c": f"autoclose-{now}", "S": fill.side.value.upper(), "o": "LIQUIDATION",
            "f": "IOC", "q": str(fill.contracts), "p": "0", "ap": str(fill.price), "sp": "0", "x": "TRADE", "X": "FILLED",
            "i": NOBODYS_ID, "l": str(fill.contracts), "z": str(fill.contracts), "L": str(fill.price), "n": str(fill.fee),
            "N": "USDT", "T": now, "t": trade_number(fill), "m": False, "R": False, "ps": "BOTH",
        })  # fmt: skip

    def _tell_algo(self, kept, status):
        order = kept.order
        self._tell_account("ALGO_UPDATE", {
            "caid": order.client_order_id, "aid": kept.algo_id or kept.id, "at": "CONDITIONAL", "o": NAMES[order.type],
            "s": self.market(order.symbol), "S": order.side.value.upper(), "ps": "BOTH", "f": tif_of(order),
            "q": str(order.contracts), "X": status, "ai": str(kept.id) if kept.is_triggered else "", "ap": "0", "aq": "0",
            "act": "0", "tp": str(order.trigger_price), "p": str(order.price or 0), "R": order.reduce_only, "rm": "",
        })  # fmt: skip

    def _order_told(self, kept, event):
        order, execution = kept.order, EXECUTIONS[type(event)]
        told = {
            "s": self.market(order.symbol), "c": order.client_order_id, "S": order.side.value.upper(),
            "o": NAMES[order.type], "f": tif_of(order), "q": str(order.contracts), "p": str(order.price or 0),
            "ap": average(kept), "sp": str(order.trigger_price or 0), "x": execution, "X": kept.status, "i": kept.id,
            "l": "0", "z": str(kept.filled), "L": "0", "T": self._now_ms, "t": 0, "m": False, "R": order.reduce_only,
            "wt": "CONTRACT_PRICE", "ot": NAMES[order.type], "ps": "BOTH", "cp": False, "rp": "0",
        }  # fmt: skip
        if isinstance(event, Fill):
            told |= {
                "l": str(event.contracts), "L": str(event.price), "n": str(event.fee), "N": "USDT",
                "t": trade_number(event), "m": event.liquidity is Liquidity.MAKER,
            }  # fmt: skip
        return told

    def _order_json(self, kept):
        order = kept.order
        return {
            "orderId": kept.id, "symbol": self.market(order.symbol), "status": kept.status,
            "clientOrderId": order.client_order_id, "price": str(order.price or 0), "avgPrice": average(kept),
            "origQty": str(order.contracts), "executedQty": str(kept.filled), "cumQuote": str(kept.value),
            "timeInForce": tif_of(order), "type": NAMES[order.type], "reduceOnly": order.reduce_only,
            "closePosition": False, "side": order.side.value.upper(), "positionSide": "BOTH",
            "stopPrice": str(order.trigger_price or 0), "workingType": "CONTRACT_PRICE", "time": kept.time_ms,
            "updateTime": kept.updated_ms,
        }  # fmt: skip

    def _algo_json(self, kept):
        order, status = kept.order, kept.status
        if kept.is_triggered:
            status = "TRIGGERED" if status in WORKING else "FINISHED"
        return {
            "algoId": kept.algo_id or kept.id, "clientAlgoId": order.client_order_id, "algoType": "CONDITIONAL",
            "orderType": NAMES[order.type], "symbol": self.market(order.symbol), "side": order.side.value.upper(),
            "positionSide": "BOTH", "timeInForce": tif_of(order), "quantity": str(order.contracts), "algoStatus": status,
            "actualOrderId": str(kept.id) if kept.is_triggered else "", "actualPrice": "0",
            "triggerPrice": str(order.trigger_price), "price": str(order.price or 0), "reduceOnly": order.reduce_only,
            "createTime": kept.time_ms, "updateTime": kept.updated_ms, "triggerTime": 0,
        }  # fmt: skip


def trade_number(fill):
    return int(fill.trade_id[1:])


def average(kept):
    return str(kept.value / kept.filled if kept.filled else 0)


def tif_of(order):
    return "GTX" if order.post_only else order.time_in_force.value.upper()
