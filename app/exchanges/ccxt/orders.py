"""Orders as ccxt is asked for them, and as it tells them. Pure and total.

The client is opened with ``number=str``: what ccxt parses out of a venue's JSON is the venue's own text, exactly.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from app.domain.money import ZERO, plain
from app.domain.order import CONDITIONAL, PRICED, Order, OrderStatus, OrderType, Side, TimeInForce
from app.domain.records import OrderRecord
from app.exchanges.ccxt.client_ids import ClientIds
from app.exchanges.ccxt.fields import number, number_or, text, time_ns
from app.exchanges.ccxt.venues import Payload, UnreadableAnswer, Venue

NAMELESS = "#"
"""Begins what we call an order that was given no client order id: somebody's in the venue's own application."""
FOREIGN = "foreign"
"""Strategy of an order that this bot did not make, or does not remember."""

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
        reason=str(info.get(venue.reason_key) or ""),
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


def became(payload: Payload, key: str) -> str | None:
    """Return the venue's id of what a conditional order has become, which a raw order has under a key; None if none."""
    found = (payload.get("info") or {}).get(key)
    return str(found) if found else None
