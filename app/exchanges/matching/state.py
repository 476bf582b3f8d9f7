"""The venue's memory as a plain value, to be saved and restored."""

from decimal import Decimal

import msgspec

from app.domain.events import AccountEvent, Fill, FundingPaid
from app.domain.ledger import Account
from app.domain.order import Order
from app.domain.position import Position
from app.domain.records import OrderRecord
from app.exchanges.matching.resting import RestingOrder


class PendingRequest(msgspec.Struct):
    """A request on its way to the venue: an order, or the cancel of one."""

    arrives_ns: int
    order: Order
    cancel_reason: str | None = None


class FundingTerms(msgspec.Struct, frozen=True):
    """The next settlement of a symbol."""

    rate: Decimal
    settles_ns: int


class VenueState(msgspec.Struct, kw_only=True):
    """Everything that the venue knows of the account."""

    time_ns: int
    sequence: int
    positions: tuple[Position, ...]
    totals: dict[Account, Decimal]
    marks: dict[str, Decimal]
    marked: set[str]
    estimated: set[str]
    last: dict[str, Decimal]
    quotes: dict[str, tuple[Decimal, Decimal]]
    funding: dict[str, FundingTerms]
    resting: dict[str, RestingOrder]
    pending: list[PendingRequest]
    outcomes: tuple[AccountEvent, ...]
    ended: dict[str, OrderRecord]
    fills: tuple[Fill, ...]
    settlements: tuple[FundingPaid, ...]
