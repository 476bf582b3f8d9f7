"""Where the process of the bot meets the world: exchange, clock, journal, and what the bot puts on its own stream."""

from collections.abc import Callable
from typing import Any

import msgspec

from app.domain.events import StreamEvent
from app.ports.clock import Clock
from app.ports.journal import Journal


class Edges(msgspec.Struct, frozen=True):
    """As they are, recorded, or played from a record: the bot in between is the same."""

    exchange: Any
    """All four ports of an exchange."""
    clock: Clock
    journal: Journal
    on_post: Callable[[StreamEvent], None] | None = None
    """Told of each event that the bot puts on its stream, when it does."""
    ticks: bool = True
    """Whether the bot makes timer events of its own; in a replay they come from the record."""
