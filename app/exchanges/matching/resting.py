"""An order at the simulated venue, and how a range of prices meets it. Pure.

A bar is seen as its open, its high, its low and its close, and what lies between in the order that is worse for us:

- A stop is met before a take-profit of the same bar.
- A stop is filled at its trigger, or at the open when the bar begins beyond it.
- A resting limit is filled only when the price went *through* it, at the limit, or at a better open: whoever only
  touches it may have filled somebody who stood in the queue before us.
- A trailing stop is met by the low with the best price of the bars before; it follows the high only afterwards, and is
  then met when the close is beyond it.
"""

from decimal import Decimal

import msgspec

from app.domain.money import ZERO
from app.domain.order import CONDITIONAL, Order, OrderStatus, OrderType, Side, TriggerPrice

STOPS = frozenset({OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
TAKER_TYPES = frozenset(
    {OrderType.MARKET, OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET, OrderType.TRAILING_STOP}
)


class PriceRange(msgspec.Struct, frozen=True):
    """Prices that one event has shown; a single price has all four equal."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    @classmethod
    def at(cls, price: Decimal) -> "PriceRange":
        """Return the range of a single price."""
        return cls(price, price, price, price)


class RestingOrder(msgspec.Struct):
    """An order that the venue holds."""

    order: Order
    venue_order_id: str
    filled: Decimal = ZERO
    triggered: bool = False
    best: Decimal | None = None
    """Best price that a trailing stop has seen since it was accepted."""
    fresh: bool = True
    """No price has been seen since it was accepted (or, for a stop-limit, triggered)."""
    reason: str = ""

    @property
    def remaining(self) -> Decimal:
        """Contracts that have not been filled."""
        return self.order.contracts - self.filled

    @property
    def waits_for_trigger(self) -> bool:
        """Whether it is conditional, and its condition has not come."""
        return self.order.type in CONDITIONAL and not self.triggered

    @property
    def takes(self) -> bool:
        """Whether it executes at the market once it works, rather than at a limit."""
        return self.order.type in TAKER_TYPES

    @property
    def status(self) -> OrderStatus:
        """Its status while the venue holds it."""
        return OrderStatus.PARTIALLY_FILLED if self.filled else OrderStatus.OPEN

    @property
    def urgency(self) -> int:
        """Order in which a bar meets orders: stops first, the rest as they were accepted."""
        return 0 if self.order.type in STOPS else 1

    def watches(self, price: TriggerPrice) -> bool:
        """Whether its trigger goes by ``price``."""
        return self.order.trigger_by is price


def met_at(resting: RestingOrder, prices: PriceRange) -> Decimal | None:
    """Return the price at which a conditional order's trigger is met within ``prices``; None when it is not.

    A trailing stop's best price is brought up to date.
    """
    order = resting.order
    if order.type is OrderType.TRAILING_STOP:
        return _trailing_met_at(resting, prices)
    trigger = order.trigger_price
    if trigger is None:
        return None
    # A stop buys above and sells below the market; a take-profit the other way round.
    rises = (order.side is Side.BUY) == (order.type in STOPS)
    if rises:
        return max(trigger, prices.open) if prices.high >= trigger else None
    return min(trigger, prices.open) if prices.low <= trigger else None


def _trailing_met_at(resting: RestingOrder, prices: PriceRange) -> Decimal | None:
    offset = resting.order.trailing_offset or ZERO
    best = prices.open if resting.best is None else resting.best
    if resting.order.side is Side.SELL:
        trigger = best - offset
        if prices.low <= trigger:
            return min(trigger, prices.open)
        resting.best = max(best, prices.high)
        trigger = resting.best - offset
        return trigger if prices.close <= trigger else None
    trigger = best + offset
    if prices.high >= trigger:
        return max(trigger, prices.open)
    resting.best = min(best, prices.low)
    trigger = resting.best + offset
    return trigger if prices.close >= trigger else None


def limit_fills_at(resting: RestingOrder, prices: PriceRange) -> Decimal | None:
    """Return the price at which a resting limit order is filled within ``prices``; None when it is not."""
    limit = resting.order.price
    if limit is None:
        return None
    if resting.order.side is Side.BUY:
        return min(limit, prices.open) if prices.low < limit else None
    return max(limit, prices.open) if prices.high > limit else None


def crosses(order: Order, bid: Decimal, ask: Decimal) -> bool:
    """Return whether a limit order would execute against the book at once."""
    if order.price is None:
        return False
    return order.price >= ask if order.side is Side.BUY else order.price <= bid
