"""What the journal keeps beside the facts of the exchange: our own intents, decisions and states."""

from decimal import Decimal

import msgspec

from app.domain.events import (
    CancelRejected,
    Fill,
    FlattenCommand,
    FundingPaid,
    HaltCommand,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
    OrderUnknown,
    ReasonCleared,
    ReasonRaised,
    ResumeCommand,
    StreamReset,
)
from app.domain.ledger import LedgerEntry
from app.domain.order import Order, OrderStatus
from app.domain.position import Position
from app.domain.target import Target


class OrderIntended(msgspec.Struct, frozen=True, tag=True):
    """We are about to send an order. Committed durably before the first byte leaves."""

    order: Order
    time_ns: int


class OrderSent(msgspec.Struct, frozen=True, tag=True):
    """The order was handed to the adapter."""

    client_order_id: str
    time_ns: int


class OrderDenied(msgspec.Struct, frozen=True, tag=True):
    """Risk refused an order before it was sent: the rule, the value and the limit."""

    order: Order
    time_ns: int
    rule: str
    value: str
    limit: str


class CancelIntended(msgspec.Struct, frozen=True, tag=True):
    """We asked the exchange to cancel an order."""

    client_order_id: str
    time_ns: int
    reason: str


class PositionChanged(msgspec.Struct, frozen=True, tag=True):
    """The position after a fill or a funding settlement."""

    position: Position
    time_ns: int


class StateSaved(msgspec.Struct, frozen=True, tag=True):
    """A part's own state, in its own encoding, so that a restart goes on where it was."""

    owner: str
    payload: bytes
    time_ns: int


class Mismatch(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Reconciliation found the exchange and the books apart."""

    kind: str
    """``position``, ``balance``, ``foreign_order``."""
    symbol: str
    ours: str
    theirs: str
    action: str
    time_ns: int


class DayClosed(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The figures of one UTC day."""

    day: str
    """ISO date."""
    equity_start: Decimal
    equity_end: Decimal
    time_ns: int


class SettingsChanged(msgspec.Struct, frozen=True):
    """A settings file changed while the bot runs: whether it would be valid. Nothing was applied."""

    verdict: str


class EventLeftOut(msgspec.Struct, frozen=True):
    """The exchange told something that cannot be true, and nothing of it was booked."""

    time_ns: int
    """When it was told, by the bot's clock."""
    flaw: str
    """In words for people."""
    symbol: str | None = None
    """Of which the exchange alone can say what is held; None where nothing was to be held of it."""
    client_order_id: str | None = None
    """That a fill said it was of."""
    trade_id: str | None = None
    """Of a fill."""


class MemoryLost(msgspec.Struct, frozen=True):
    """What an earlier run remembered could not be taken over: a part goes on without it."""

    time_ns: int
    what: str
    """Whose memory of what, in words for people."""
    error: str


class DustHeld(msgspec.Struct, frozen=True):
    """A position is no multiple of the lot: the rest can neither be sold nor protected."""

    symbol: str
    contracts: Decimal
    """The rest, signed."""
    lot_size: Decimal
    time_ns: int


class StrategySetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy is asked no more for the rest of the run: it has raised, or wanted what cannot be worked towards."""

    time_ns: int
    strategy_id: str
    symbol: str
    error: str
    """What it raised and in which line of its own, in words for people."""
    traceback: str
    """For whoever mends it."""

    @property
    def words(self) -> str:
        """Who failed, and why."""
        return f"{self.strategy_id} {self.symbol}: {self.error}"


class HealthChanged(msgspec.Struct, frozen=True):
    """The set of unhealthy parts changed."""

    unhealthy: tuple[str, ...]


Record = (
    OrderIntended
    | OrderSent
    | OrderDenied
    | CancelIntended
    | OrderAccepted
    | OrderTriggered
    | OrderRejected
    | OrderUnknown
    | OrderCanceled
    | OrderExpired
    | CancelRejected
    | Fill
    | FundingPaid
    | LedgerEntry
    | PositionChanged
    | Target
    | ReasonRaised
    | ReasonCleared
    | HaltCommand
    | ResumeCommand
    | FlattenCommand
    | StateSaved
    | Mismatch
    | DayClosed
    | StreamReset
)


class OrderRecord(msgspec.Struct, frozen=True):
    """An order as far as the journal knows it."""

    order: Order
    status: OrderStatus
    filled: Decimal
    venue_order_id: str | None
    reason: str = ""
