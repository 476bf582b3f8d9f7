"""An order: what is wanted of the exchange, and how far it has come.

``Order`` is the intent and never changes. ``OrderStatus`` and ``TRANSITIONS`` say how its life may go.
"""

from decimal import Decimal
from types import MappingProxyType
from typing import NoReturn

import msgspec

from app.domain.errors import InvalidOrder
from app.domain.instrument import Instrument
from app.domain.money import ZERO
from app.domain.term import Term

SCHEMA_VERSION = 1


class Side(Term):
    """Direction of an order or a fill."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is _BUY else -1


_BUY = Side.BUY


class OrderType(Term):
    """When and at which price an order executes."""

    MARKET = "market"
    LIMIT = "limit"
    STOP_MARKET = "stop_market"
    STOP_LIMIT = "stop_limit"
    TAKE_PROFIT_MARKET = "take_profit_market"
    TAKE_PROFIT_LIMIT = "take_profit_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(Term):
    """How long an order rests."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"


class TriggerPrice(Term):
    """Which price a conditional order watches."""

    MARK = "mark"
    LAST = "last"


class Purpose(Term):
    """Why an order exists; protective orders outlive a halt."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"


PROTECTIVE = frozenset({Purpose.STOP_LOSS, Purpose.TAKE_PROFIT})
CONDITIONAL = frozenset(
    {
        OrderType.STOP_MARKET,
        OrderType.STOP_LIMIT,
        OrderType.TAKE_PROFIT_MARKET,
        OrderType.TAKE_PROFIT_LIMIT,
        OrderType.TRAILING_STOP,
    }
)
PRICED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
TRIGGERED_AT_PRICE = CONDITIONAL - {OrderType.TRAILING_STOP}
_LIMIT, _TRAILING_STOP = OrderType.LIMIT, OrderType.TRAILING_STOP
_SHAPES = {kind: (kind in PRICED, kind in TRIGGERED_AT_PRICE, kind is _TRAILING_STOP) for kind in OrderType}
"""Whether each type has a price, a trigger price and a trailing offset."""
_GTD = TimeInForce.GTD
_RESTS = frozenset({TimeInForce.GTC, TimeInForce.GTD})


class OrderStatus(Term):
    """How far an order has come."""

    INTENDED = "intended"  # journalled, not yet sent
    SENT = "sent"  # handed to the adapter, no answer yet
    UNKNOWN = "unknown"  # sent, and nobody can say what became of it
    OPEN = "open"  # resting at the exchange
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


_S = OrderStatus
TERMINAL = frozenset({_S.FILLED, _S.CANCELED, _S.EXPIRED, _S.REJECTED})
CONFIRMED = frozenset({_S.OPEN, _S.PARTIALLY_FILLED})
"""The exchange has had the order: it cannot have rejected it."""
_ENDS = frozenset({_S.FILLED, _S.CANCELED, _S.EXPIRED})
TRANSITIONS: MappingProxyType[OrderStatus, frozenset[OrderStatus]] = MappingProxyType(
    {
        # Canceled before it was sent: never left this process.
        _S.INTENDED: frozenset({_S.SENT, _S.CANCELED}),
        _S.SENT: frozenset({_S.OPEN, _S.PARTIALLY_FILLED, _S.REJECTED, _S.UNKNOWN}) | _ENDS,
        _S.UNKNOWN: frozenset({_S.OPEN, _S.PARTIALLY_FILLED, _S.REJECTED}) | _ENDS,
        _S.OPEN: frozenset({_S.PARTIALLY_FILLED, _S.UNKNOWN}) | _ENDS,
        _S.PARTIALLY_FILLED: frozenset({_S.PARTIALLY_FILLED, _S.UNKNOWN}) | _ENDS,
        _S.FILLED: frozenset(),
        _S.CANCELED: frozenset(),
        _S.EXPIRED: frozenset(),
        _S.REJECTED: frozenset(),
    }
)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of the exchange. Sizes in contracts, prices in quote currency, times in UTC nanoseconds."""

    client_order_id: str
    account_id: str
    strategy_id: str
    symbol: str
    side: Side
    type: OrderType
    contracts: Decimal
    created_ns: int
    purpose: Purpose = Purpose.ENTRY
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    trigger_by: TriggerPrice = TriggerPrice.MARK
    trailing_offset: Decimal | None = None
    """Distance in quote currency by which a trailing stop follows the best price."""
    time_in_force: TimeInForce = TimeInForce.GTC
    expires_ns: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    oco_group: str | None = None
    """Orders of one group: when one fills in full, the others are canceled."""
    target_sequence: int = 0
    instrument_version: int = 1
    schema_version: int = SCHEMA_VERSION

    @property
    def signed_contracts(self) -> Decimal:
        """Size with its sign: positive buys, negative sells."""
        return self.contracts if self.side is _BUY else -self.contracts

    @property
    def is_protective(self) -> bool:
        """Whether the order guards a position (stop-loss or take-profit)."""
        return self.purpose in PROTECTIVE


def check_order(order: Order, instrument: Instrument) -> None:
    """Refuse an order that its instrument or its own type does not allow.

    A reducing order may be smaller than the instrument's minimum: what is left of a position must be closable.

    Raises:
        InvalidOrder: With the rule that it breaks.
    """
    shape = (order.price is not None, order.trigger_price is not None, order.trailing_offset is not None)
    if shape != _SHAPES[order.type] or (order.time_in_force is _GTD) != (order.expires_ns is not None):
        _refuse_type(order)
    if order.post_only and not (order.type is _LIMIT and order.time_in_force in _RESTS):
        _refuse(order, "post_only", "post-only needs a limit order that may rest (GTC or GTD)")
    if order.price is not None:
        instrument.check_price(order.price)
    if order.trigger_price is not None:
        instrument.check_price(order.trigger_price, "trigger price")
    if order.trailing_offset is not None:
        instrument.check_price(order.trailing_offset, "trailing offset")
    contracts = order.contracts
    bounded = order.reduce_only or instrument.contracts_min <= contracts <= instrument.contracts_max
    if not bounded or contracts <= ZERO or contracts % instrument.lot_size:
        # Says which of its bounds is not kept.
        instrument.check_contracts(contracts)


def _refuse_type(order: Order) -> NoReturn:
    """Say which of the fields that its type does not go with an order has, or lacks."""
    kind = order.type
    if (kind in PRICED) != (order.price is not None):
        _refuse(order, "price", f"a {kind} order needs a price exactly if priced")
    if (kind in TRIGGERED_AT_PRICE) != (order.trigger_price is not None):
        _refuse(order, "trigger_price", f"a {kind} order needs a trigger price exactly if conditional")
    if (kind is _TRAILING_STOP) != (order.trailing_offset is not None):
        _refuse(order, "trailing_offset", "a trailing offset belongs to a trailing stop, and a trailing stop needs one")
    _refuse(order, "expires", "an expiry time belongs to time in force GTD, and GTD needs one")


def _refuse(order: Order, rule: str, message: str) -> NoReturn:
    raise InvalidOrder(rule, f"order {order.client_order_id}: {message}")
