"""From ccxt's dicts to the domain, and from orders to ccxt's arguments. Pure and total.

The client is opened with ``number=str``: what ccxt parses out of a venue's JSON is the venue's own text, exactly.
Candles are the exception (ccxt reads them as floats); ``str`` of a float gives back the digits that it was read from.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from app.domain.events import AccountSeen, Fill, FundingPaid, Liquidity
from app.domain.instrument import Instrument, MarginTier
from app.domain.market import MS_NS, SECOND_NS, Bar, FundingRate, MarkPrice, Quote
from app.domain.money import ONE, ZERO, plain, to_ledger
from app.domain.order import CONDITIONAL, PRICED, Order, OrderStatus, OrderType, Side, TimeInForce
from app.domain.position import Position
from app.domain.records import OrderRecord
from app.exchanges.ccxt.client_ids import ClientIds
from app.exchanges.ccxt.venues import AccountTold, UnreadableAnswer, Venue

NAMELESS = "#"
"""Begins what we call an order that was given no client order id: somebody's in the venue's own application."""
FOREIGN = "foreign"
"""Strategy of an order that this bot did not make, or does not remember."""
CONTRACTS_MAX = Decimal(1_000_000_000)
"""Where a venue names no bound."""
TIERLESS = (MarginTier(None, Decimal(20), Decimal("0.025")),)
"""Where the margin table cannot be read (paper has no keys): stricter than the first tiers of any venue here."""

Payload = Mapping[str, Any]

_STATUSES = {
    "open": OrderStatus.OPEN,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "canceling": OrderStatus.OPEN,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}
_TIMES_IN_FORCE = {item.value.upper(): item for item in TimeInForce} | {"PO": TimeInForce.GTC}


class OrderSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue says of an order, at one moment."""

    client_order_id: str
    venue_order_id: str
    symbol: str
    status: OrderStatus
    filled: Decimal
    contracts: Decimal
    time_ns: int
    reason: str = ""
    triggered: bool = False
    """Whether it says that its condition has come."""


# -- numbers -----------------------------------------------------------------------------------------------------


def number(value: object, what: str) -> Decimal:
    """Return an exact number.

    Raises:
        UnreadableAnswer: It is none.
    """
    try:
        parsed = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise UnreadableAnswer(f"{what} is {value!r}, not a number") from None
    if not parsed.is_finite():
        raise UnreadableAnswer(f"{what} is {value!r}, not a number")
    return parsed


def number_or(value: object, default: Decimal, what: str) -> Decimal:
    """Return an exact number, or ``default`` where there is nothing."""
    return default if value is None else number(value, what)


def time_ns(payload: Payload, *keys: str, default: int | None = None) -> int:
    """Return a time in nanoseconds from the first of the keys that is there, in milliseconds.

    Raises:
        UnreadableAnswer: None is, and there is no default.
    """
    for key in keys or ("timestamp",):
        value = payload.get(key)
        if value is not None:
            return int(number(value, key)) * MS_NS
    if default is None:
        raise UnreadableAnswer(f"no time in the answer, asked for {', '.join(keys or ('timestamp',))}")
    return default


def text(payload: Payload, key: str) -> str:
    """Return a text that must be there.

    Raises:
        UnreadableAnswer: It is not.
    """
    value = payload.get(key)
    if value is None or value == "":
        raise UnreadableAnswer(f"no {key} in the answer")
    return str(value)


# -- instruments -------------------------------------------------------------------------------------------------


def instrument_from(market: Payload, tiers: Sequence[Payload], venue: Venue) -> Instrument:
    """Return the instrument of a market of ccxt; its steps are sizes, not digits (``precisionMode`` TICK_SIZE)."""
    limits = market["limits"]
    amount, cost = limits["amount"], limits.get("cost") or {}
    lot = number(market["precision"]["amount"], "precision.amount")
    most = [CONTRACTS_MAX]
    for bound in (amount.get("max"), (limits.get("market") or {}).get("max")):
        largest = number_or(bound, ZERO, "limits.max")
        most += [largest] if largest else []
    info = market.get("info") or {}
    return Instrument(
        symbol=market["symbol"],
        base=market["base"],
        quote=market["quote"],
        settle=market["settle"],
        tick_size=number(market["precision"]["price"], "precision.price"),
        lot_size=lot,
        contract_size=number_or(market.get("contractSize"), ONE, "contractSize"),
        contracts_min=number_or(amount.get("min"), lot, "limits.amount.min"),
        contracts_max=min(most),
        notional_min=number_or(cost.get("min"), ZERO, "limits.cost.min"),
        maker_fee_rate=number_or(market.get("maker"), ZERO, "maker"),
        taker_fee_rate=number_or(market.get("taker"), ZERO, "taker"),
        margin_tiers=_tiers(tiers),
        liquidation_fee_rate=number_or(info.get("liquidationFee"), Decimal("0.0125"), "liquidationFee"),
        funding_interval_s=venue.funding_interval_s,
    )


def _tiers(tiers: Sequence[Payload]) -> tuple[MarginTier, ...]:
    """Return margin tiers whose deductions keep the maintenance margin continuous over the edges."""
    made: list[MarginTier] = []
    deduction = rate_before = edge = ZERO
    for tier in tiers:
        rate = number(tier["maintenanceMarginRate"], "maintenanceMarginRate")
        deduction += edge * (rate - rate_before) if made else ZERO
        most = tier["maxNotional"]
        edge, rate_before = number_or(most, ZERO, "maxNotional"), rate
        leverage = number(tier["maxLeverage"], "maxLeverage")
        made.append(MarginTier(None if most is None else edge, leverage, rate, to_ledger(deduction)))
    return tuple(made) or TIERLESS


# -- the market --------------------------------------------------------------------------------------------------


def bar_from(symbol: str, interval_s: int, row: Sequence[object]) -> Bar:
    """Return a candle of ccxt: opening time in milliseconds, open, high, low, close, volume in contracts."""
    opened_ns = int(number(row[0], "time")) * MS_NS
    prices = [number(value, "candle") for value in row[1:6]]
    return Bar(symbol, opened_ns + interval_s * SECOND_NS, interval_s, *prices)


def quote_from(ticker: Payload, now_ns: int) -> Quote | None:
    """Return the top of the book; None when a side of it is empty."""
    if ticker.get("bid") is None or ticker.get("ask") is None:
        return None
    return Quote(
        text(ticker, "symbol"),
        time_ns(ticker, default=now_ns),
        number(ticker["bid"], "bid"),
        number_or(ticker.get("bidVolume"), ZERO, "bidVolume"),
        number(ticker["ask"], "ask"),
        number_or(ticker.get("askVolume"), ZERO, "askVolume"),
    )


def top_of(book: Payload) -> Payload:
    """Return the top of an order book in the form of a ticker."""
    bid, ask = (book[side][0] if book[side] else (None, None) for side in ("bids", "asks"))
    return {
        "symbol": book["symbol"],
        "timestamp": book.get("timestamp"),
        "bid": bid[0],
        "bidVolume": bid[1],
        "ask": ask[0],
        "askVolume": ask[1],
    }


def mark_from(payload: Payload, now_ns: int) -> MarkPrice | None:
    """Return the mark price of a ticker or of a funding rate; None when there is none in it."""
    price = payload.get("markPrice")
    if price is None:
        return None
    return MarkPrice(text(payload, "symbol"), time_ns(payload, default=now_ns), number(price, "markPrice"))


def funding_rate_from(payload: Payload, now_ns: int) -> FundingRate | None:
    """Return the coming funding rate; None when the venue names no rate, or no time."""
    settles, rate = payload.get("fundingTimestamp"), payload.get("fundingRate")
    if settles is None or rate is None:
        return None
    return FundingRate(text(payload, "symbol"), now_ns, number(rate, "fundingRate"), int(settles) * MS_NS)


def settlement_from(payload: Payload) -> tuple[int, float]:
    """Return when funding was settled, UTC nanoseconds, and at which rate.

    Venues stamp settlements some milliseconds late; they fall on whole seconds.
    """
    settled_ns = round(time_ns(payload) / SECOND_NS) * SECOND_NS
    return settled_ns, float(number(payload.get("fundingRate"), "fundingRate"))


# -- orders ------------------------------------------------------------------------------------------------------


class Request(msgspec.Struct, frozen=True):
    """The arguments of ccxt's ``create_order``. Numbers are text: nothing rounds them on their way."""

    symbol: str
    type: str
    side: str
    amount: str
    price: str | None
    params: Mapping[str, Any]


class NotHeldThere(Exception):
    """An order that the venue has no counterpart of."""


def request_from(order: Order, venue: Venue, ids: ClientIds, valid_ms: int, cap: Decimal | None) -> Request:
    """Return what ccxt is asked for an order.

    Args:
        order: On tick and lot, as ``check_order`` says.
        venue: Where it goes.
        ids: Turns its id into the venue's.
        valid_ms: How long the request shall be valid.
        cap: Price that a market order may not pass, where the venue needs one; quote currency.

    Raises:
        NotHeldThere: It cannot be had there.
    """
    params: dict[str, Any] = {"clientOrderId": ids.to_venue(order.client_order_id), **venue.validity(valid_ms)}
    if order.reduce_only:
        params["reduceOnly"] = True
    why = _not_held(order, venue)
    if why is not None:
        raise NotHeldThere(why)
    if order.type in CONDITIONAL:
        stops = order.type in {OrderType.STOP_MARKET, OrderType.STOP_LIMIT}
        params["stopLossPrice" if stops else "takeProfitPrice"] = plain(order.trigger_price or ZERO)
        key, names = venue.trigger_by
        params |= {key: names[order.trigger_by]} if key else {}
    price = order.price
    if order.type in PRICED:
        if order.post_only:
            params["postOnly"] = True
        else:
            params["timeInForce"] = order.time_in_force.value.upper()
    elif venue.market_needs_price:
        price = cap
        params["slippage"] = "0"  # the library would add its own to it
    kind = "limit" if order.type in PRICED else "market"
    return Request(
        order.symbol, kind, order.side.value, plain(order.contracts), None if price is None else plain(price), params
    )


def _not_held(order: Order, venue: Venue) -> str | None:
    """Return why a venue has no such order, or None."""
    if order.type is OrderType.TRAILING_STOP:
        return "a trailing stop by an offset in quote currency is not held by the venue"
    if order.time_in_force is TimeInForce.GTD:
        return "good-till-date is not offered here: send GTC, and cancel it"
    if order.time_in_force not in venue.times_in_force:
        return f"{venue.name} has no {order.time_in_force.value.upper()} orders"
    if order.type in CONDITIONAL and not venue.holds_conditional:
        return f"conditional orders at {venue.name} are not offered here"
    if order.type in CONDITIONAL and order.trigger_by not in venue.trigger_by[1]:
        return f"conditional orders at {venue.name} do not watch the {order.trigger_by} price"
    return None


def venue_params(client_order_id: str, ids: ClientIds) -> tuple[str | None, dict[str, Any]]:
    """Return the venue's id of an order, if it has no other name, and the parameters that name it otherwise."""
    if client_order_id.startswith(NAMELESS):
        return client_order_id.removeprefix(NAMELESS), {}
    return None, {"clientOrderId": ids.to_venue(client_order_id)}


def order_seen(payload: Payload, venue: Venue, ids: ClientIds, now_ns: int) -> OrderSeen:
    """Return what a venue says of an order.

    Raises:
        UnreadableAnswer: It does not say which order, or how far it is.
    """
    status = _STATUSES.get(text(payload, "status"))
    if status is None:
        raise UnreadableAnswer(f"an order is {payload['status']!r}")
    filled = number_or(payload.get("filled"), ZERO, "filled")
    contracts = number_or(payload.get("amount"), ZERO, "amount")
    if status is OrderStatus.OPEN and filled:
        status = OrderStatus.PARTIALLY_FILLED
    if status is OrderStatus.FILLED and ZERO < filled < contracts:
        status = OrderStatus.CANCELED  # over, and not all of it was filled
    info = payload.get("info") or {}
    named, venue_order_id = payload.get("clientOrderId"), text(payload, "id")
    return OrderSeen(
        client_order_id=ids.from_venue(str(named)) if named else NAMELESS + venue_order_id,
        venue_order_id=venue_order_id,
        symbol=text(payload, "symbol"),
        status=status,
        filled=filled,
        contracts=contracts,
        time_ns=time_ns(payload, "lastUpdateTimestamp", "timestamp", default=now_ns),
        reason=str(info.get("rm") or ""),
        triggered=venue.triggered is not None and info.get(venue.triggered[0]) == venue.triggered[1],
    )


def answer_to(order: Order, request: Request, answer: Payload) -> dict[str, Any]:
    """Return the answer to an order, with what some venues leave out because it was asked for (hyperliquid: but ids).

    An id of the venue is what says that the order exists there; that is never made up.
    """
    asked = {"symbol": order.symbol, "clientOrderId": request.params["clientOrderId"], "status": "open"}
    given = {key: value for key, value in answer.items() if value is not None}
    return asked | given | {"amount": request.amount}


def order_record(payload: Payload, venue: Venue, ids: ClientIds, account_id: str, now_ns: int) -> OrderRecord:
    """Return an order as the venue holds it; what it does not say (strategy, purpose) is foreign.

    Raises:
        UnreadableAnswer: It does not say enough to tell the order by.
    """
    seen = order_seen(payload, venue, ids, now_ns)
    trigger = payload.get("triggerPrice") or payload.get("stopLossPrice") or payload.get("takeProfitPrice")
    price = payload.get("price")
    kind = _order_type(payload, trigger=trigger is not None)
    order = Order(
        client_order_id=seen.client_order_id,
        account_id=account_id,
        strategy_id=FOREIGN,
        symbol=seen.symbol,
        side=Side(text(payload, "side")),
        type=kind,
        contracts=seen.contracts,
        created_ns=time_ns(payload, default=now_ns),
        price=number(price, "price") if kind in PRICED else None,
        trigger_price=None if trigger is None else number(trigger, "triggerPrice"),
        time_in_force=_TIMES_IN_FORCE.get(str(payload.get("timeInForce")), TimeInForce.GTC),
        post_only=bool(payload.get("postOnly")),
        reduce_only=bool(payload.get("reduceOnly")),
    )
    return OrderRecord(order, seen.status, seen.filled, seen.venue_order_id, seen.reason)


def _order_type(payload: Payload, *, trigger: bool) -> OrderType:
    limit = "limit" in str(payload.get("type")) or (trigger and payload.get("type") in {"stop", "take_profit"})
    limit = limit and payload.get("price") is not None
    if not trigger:
        return OrderType.LIMIT if limit else OrderType.MARKET
    if payload.get("takeProfitPrice") is not None:
        return OrderType.TAKE_PROFIT_LIMIT if limit else OrderType.TAKE_PROFIT_MARKET
    return OrderType.STOP_LIMIT if limit else OrderType.STOP_MARKET


# -- the account -------------------------------------------------------------------------------------------------


def trade_client_id(trade: Payload, venue: Venue, ids: ClientIds) -> str | None:
    """Return the client order id that a private trade names; None when it names none."""
    info = trade.get("info") or {}
    raw = next((info[key] for key in venue.trade_client_id if info.get(key)), None)
    return None if raw is None else ids.from_venue(str(raw))


def fill_from(trade: Payload, client_order_id: str | None, venue: Venue, currency: str) -> Fill:
    """Return a private trade. Venues number trades by symbol, so the symbol is part of its identity.

    Raises:
        UnreadableAnswer: A field is missing; a fee that was charged, and that the library lost, among them.
    """
    fee = trade.get("fee") or {}
    if fee.get("cost") is None and (trade.get("info") or {}).get(venue.trade_fee) is not None:
        raise UnreadableAnswer("a fee was charged, and cannot be read")
    symbol = text(trade, "symbol")
    return Fill(
        trade_id=f"{symbol}#{text(trade, 'id')}",
        client_order_id=client_order_id,
        venue_order_id=text(trade, "order"),
        symbol=symbol,
        side=Side(text(trade, "side")),
        contracts=number(trade.get("amount"), "amount"),
        price=number(trade.get("price"), "price"),
        fee=number_or(fee.get("cost"), ZERO, "fee"),
        fee_currency=str(fee.get("currency") or currency),
        liquidity=Liquidity.MAKER if trade.get("takerOrMaker") == "maker" else Liquidity.TAKER,
        time_ns=time_ns(trade),
        liquidation=venue.is_liquidation(trade.get("info") or {}, client_order_id or ""),
    )


def position_from(payload: Payload, instrument: Instrument) -> Position | None:
    """Return a position; None when it is flat.

    Raises:
        UnreadableAnswer: It does not say how large it is.
    """
    size = number(payload.get("contracts"), "contracts")
    if not size:
        return None
    contracts = -abs(size) if payload.get("side") == "short" else abs(size)
    entry = number(payload.get("entryPrice"), "entryPrice")
    isolated = payload.get("marginMode") == "isolated"
    margin = number_or(payload.get("collateral"), ZERO, "collateral") if isolated else None
    return Position(instrument.symbol, contracts, to_ledger(instrument.value(contracts, entry)), margin)


def account_seen(told: AccountTold, symbols: Mapping[str, str]) -> AccountSeen:
    """Return what a stream says of the account.

    Args:
        told: In the venue's names.
        symbols: Ours, by the venue's; what is not here is not ours to look at.
    """
    flat = dict.fromkeys(symbols.values(), ZERO) if told.is_whole else {}
    held = {symbols[name]: contracts for name, contracts in told.contracts.items() if name in symbols}
    return AccountSeen(time_ns=told.time_ms * MS_NS, balance=told.balance, contracts=flat | held)


def funding_paid_from(
    payload: Payload, rates: Mapping[int, Payload], instrument: Instrument, venue: Venue
) -> FundingPaid:
    """Return a settlement, with rate and mark of its moment where the venue tells them.

    Settlements are stamped some milliseconds late, and by each endpoint differently: the second is their identity.

    Args:
        payload: Of ccxt's funding history.
        rates: Of ccxt's funding rate history, by their times in whole seconds.
        instrument: What was held.
        venue: Where.
    """
    second = round(time_ns(payload) / SECOND_NS)
    amount = venue.funding_sign * number(payload.get("amount"), "amount")
    known = rates.get(second, {})
    rate = number_or(known.get("fundingRate"), ZERO, "fundingRate")
    mark = number_or((known.get("info") or {}).get("markPrice"), ZERO, "markPrice")
    value = rate * mark * instrument.contract_size
    contracts = (-amount / value / instrument.lot_size).quantize(ONE) * instrument.lot_size if value else ZERO
    if venue.funding_terms is not None:
        rate, contracts = venue.funding_terms(payload.get("info") or {})
    return FundingPaid(
        symbol=instrument.symbol,
        time_ns=second * SECOND_NS,
        amount=amount,
        currency=str(payload.get("code") or instrument.settle),
        rate=rate,
        mark_price=mark,
        contracts=contracts,
        mark_known=bool(value),
    )
