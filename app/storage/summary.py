"""What a person wants to know of a journal."""

from decimal import Decimal

import msgspec

from app.domain.events import Fill, ReasonRaised
from app.domain.ledger import Account
from app.domain.position import Position
from app.domain.records import DayClosed, OrderRecord
from app.storage.holder import Holder

RECENT_ROWS = 10
"""How many of the latest orders, fills and days are shown unless told otherwise."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One account's journal at one moment."""

    account_id: str
    epoch: int
    """How often the bot was started."""
    writer: Holder | None = None
    """Who holds the lease, on a server; None when nobody does, and for a file, where the lock of the folder says it."""
    records: int
    """Records in the journal."""
    last_time_ns: int | None
    """Time of the last record; None for an empty journal."""
    positions: tuple[Position, ...]
    """All that are not flat."""
    working_orders: tuple[OrderRecord, ...]
    """All that may still fill, oldest first."""
    ledger_totals: dict[str, dict[Account, Decimal]]
    """By currency."""
    reasons: tuple[ReasonRaised, ...]
    """What holds trading back."""
    recent_orders: tuple[OrderRecord, ...]
    """Latest first."""
    recent_fills: tuple[Fill, ...]
    """Latest first."""
    days: tuple[DayClosed, ...]
    """Latest first."""
