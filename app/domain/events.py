"""What happens to the account, and what the bot itself puts on the stream.

Account facts come from the exchange; control events from timers, the operator and the trading state. Together with the
market events they form the one sequenced stream.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from app.domain.instrument import Instrument
from app.domain.market import MarketEvent
from app.domain.money import ZERO
from app.domain.order import Side
from app.domain.term import Term

_BUY = Side.BUY


class Liquidity(Term):
    """Which side of the book a fill took."""

    MAKER = "maker"
    TAKER = "taker"


class OrderAccepted(msgspec.Struct, frozen=True, tag=True):
    """The exchange holds the order."""

    client_order_id: str
    venue_order_id: str
    symbol: str
    time_ns: int


class OrderTriggered(msgspec.Struct, frozen=True, tag=True):
    """A conditional order's trigger was reached; it is now working."""

    client_order_id: str
    symbol: str
    time_ns: int


class OrderRejected(msgspec.Struct, frozen=True, tag=True):
    """The order definitely does not exist at the exchange."""

    client_order_id: str
    symbol: str
    time_ns: int
    reason: str
    was_refused: bool = True
    """False when it never came to the exchange: nobody refused it, and it may be sent anew at once."""


class OrderUnknown(msgspec.Struct, frozen=True, tag=True):
    """Sending ended without an answer that says what became of the order."""

    client_order_id: str
    symbol: str
    time_ns: int
    reason: str


class OrderCanceled(msgspec.Struct, frozen=True, tag=True):
    """What had not been filled of the order is gone."""

    client_order_id: str
    symbol: str
    time_ns: int
    reason: str


class OrderExpired(msgspec.Struct, frozen=True, tag=True):
    """The order's time in force ended."""

    client_order_id: str
    symbol: str
    time_ns: int
    reason: str


class CancelRejected(msgspec.Struct, frozen=True, tag=True):
    """The exchange would not cancel; the order's own facts say where it stands."""

    client_order_id: str
    symbol: str
    time_ns: int
    reason: str


class Fill(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """An execution of one of our orders, or of nobody's (liquidation, auto-deleveraging, a hand at the venue)."""

    trade_id: str
    """The venue's id: a fill is applied once, however often it is told."""
    client_order_id: str | None
    venue_order_id: str | None
    symbol: str
    side: Side
    contracts: Decimal
    price: Decimal
    fee: Decimal
    """Positive is paid, negative is a rebate; in ``fee_currency``."""
    fee_currency: str
    liquidity: Liquidity
    time_ns: int
    liquidation: bool = False

    @property
    def signed_contracts(self) -> Decimal:
        """Size with its sign: positive bought, negative sold."""
        return self.contracts if self.side is _BUY else -self.contracts

    def fee_in(self, currency: str) -> Decimal:
        """Return what it took of a balance in ``currency``: nothing, when its fee was taken in another one."""
        return self.fee if self.fee_currency == currency else ZERO


class FundingPaid(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A funding settlement of a position."""

    symbol: str
    time_ns: int
    """When it settled: with the symbol the identity of a settlement."""
    amount: Decimal
    """Positive is received, negative is paid."""
    currency: str
    rate: Decimal
    mark_price: Decimal
    contracts: Decimal
    mark_known: bool = True
    """False when no mark price was there and the last price stood in for it."""

    @property
    def reference(self) -> str:
        """Its identity as text: what the ledger entry refers to."""
        return f"funding:{self.symbol}:{self.time_ns}"


class AccountSeen(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What the exchange says unasked of the account: held against the books, never booked, for books are made of fills.

    It may be told twice, late, in another order, or not at all.
    """

    time_ns: int
    """Of which moment it is, by the exchange's clock."""
    balance: Decimal | None
    """Wallet balance in the settlement currency; None where it is not told."""
    contracts: Mapping[str, Decimal]
    """Signed sizes by symbol, 0 where flat; nothing is said of a symbol that is not here."""


class InstrumentChanged(msgspec.Struct, frozen=True, tag=True):
    """The exchange takes other prices or sizes of a symbol than it did, lists it no more, or lists it again.

    Nothing else of the instrument counts: see ``Instrument.listed_as``.
    """

    instrument: Instrument
    time_ns: int


class StreamReset(msgspec.Struct, frozen=True, tag=True):
    """The connection was lost and is back: what happened meanwhile was not seen, so reconcile."""

    time_ns: int
    reason: str


class BookStale(msgspec.Struct, frozen=True, tag=True):
    """A symbol's prices can no longer be trusted until the next one."""

    symbol: str
    time_ns: int
    reason: str


class Timer(msgspec.Struct, frozen=True, tag=True):
    """A second has gone by without anything else that makes the guards look."""

    time_ns: int


class Severity(Term):
    """What a reason does to trading, from mild to severe."""

    SYMBOL_REDUCE_ONLY = "symbol_reduce_only"
    """In one symbol alone, which the reason's code ends with, behind a colon."""
    REDUCE_ONLY = "reduce_only"
    HALTED = "halted"


class ReasonRaised(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Somebody restricts trading."""

    time_ns: int
    owner: str
    code: str
    severity: Severity
    detail: str
    latched: bool = False
    """A latched reason outlives its cause and a restart; only the operator clears it."""


class ReasonCleared(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The owner of a reason takes it back."""

    time_ns: int
    owner: str
    code: str


class HaltCommand(msgspec.Struct, frozen=True, tag=True):
    """The operator wants nothing to grow any more. The trading state was halted before this came onto the stream."""

    time_ns: int
    reason: str


class ResumeCommand(msgspec.Struct, frozen=True, tag=True):
    """The operator lifts latched reasons, having seen and confirmed them."""

    time_ns: int
    reasons: tuple[tuple[str, str], ...]
    """Owner and code of each."""


class FlattenCommand(msgspec.Struct, frozen=True, tag=True):
    """The operator wants positions closed."""

    time_ns: int
    symbols: tuple[str, ...]


OrderEvent = OrderAccepted | OrderTriggered | OrderRejected | OrderUnknown | OrderCanceled | OrderExpired
AccountEvent = OrderEvent | CancelRejected | Fill | FundingPaid
OperatorCommand = HaltCommand | ResumeCommand | FlattenCommand
ControlEvent = StreamReset | BookStale | Timer | ReasonRaised | ReasonCleared | OperatorCommand
StreamEvent = MarketEvent | AccountEvent | AccountSeen | InstrumentChanged | ControlEvent
