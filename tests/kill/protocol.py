"""What bot and venue say to each other: one JSON object a line, over loopback TCP.

A request is ``{"id": 7, "op": "order", "args": ...}``; its answer has the same id, and either ``ok`` or ``error``.
What happens is told unasked, as ``{"event": ...}``, to everybody who has said ``subscribe``.
"""

from decimal import Decimal

import msgspec

from app.domain.events import Fill, FundingPaid, StreamEvent
from app.domain.instrument import Instrument
from app.domain.ledger import Account
from app.domain.order import Order
from app.domain.position import Position
from app.domain.records import OrderRecord

NOTHING = msgspec.Raw(b"null")
LINE_MAX = 256 * 1024 * 1024
"""Bytes of a line; the report of a long run is the longest."""


class Request(msgspec.Struct):
    id: int
    op: str
    args: msgspec.Raw = NOTHING


class Message(msgspec.Struct, omit_defaults=True):
    """What a venue says: an answer or an event."""

    id: int | None = None
    ok: msgspec.Raw = NOTHING
    error: str | None = None
    event: StreamEvent | None = None


class Submit(msgspec.Struct):
    order: Order
    valid_until_ns: int
    """The venue refuses what arrives later: only from then on does absence prove anything."""


class Cancel(msgspec.Struct):
    order: Order
    reason: str


class Aim(msgspec.Struct):
    """Kill a process at the very moment at which something happens: chance alone would seldom meet it."""

    pid: int
    """0 is nobody: an aim is taken back."""
    at: str
    """``submit`` and ``cancel``: a request has come, and nothing was done yet; ``fill``: it was just told."""


class Report(msgspec.Struct, kw_only=True):
    """The account as the venue has it, and what it was asked since it was opened."""

    requests: dict[str, int]
    """By operation."""
    submits: dict[str, int]
    """How often each client order id was submitted."""
    accepted: dict[str, int]
    """How many orders came of it: this venue takes an id again once its order has ended."""
    orders: list[OrderRecord]
    """All that it took, as they ended or stand now."""
    working: list[str]
    on_the_wire: int
    """Requests that have not arrived yet, and fundings that are not settled yet."""
    late: int
    """Orders refused because they arrived after their time."""
    fills: list[Fill]
    fills_unseen: int
    """Fills that nobody listened to when they happened."""
    settlements: list[FundingPaid]
    positions: list[Position]
    totals: dict[Account, Decimal]


ANSWERS: dict[str, object] = {
    "instruments": tuple[Instrument, ...],
    "balance": Decimal,
    "positions": tuple[Position, ...],
    "open_orders": tuple[OrderRecord, ...],
    "order": OrderRecord | None,
    "fills_since": tuple[Fill, ...],
    "funding_since": tuple[FundingPaid, ...],
    "report": Report,
}
"""The type of each operation's answer; the others answer nothing."""
