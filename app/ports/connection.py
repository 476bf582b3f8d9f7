"""The connection to an exchange, and the one stream of events that comes from it."""

from typing import Protocol

import msgspec

from app.domain.events import StreamEvent


class Capabilities(msgspec.Struct, frozen=True):
    """What an adapter can do beyond plain orders."""

    name: str
    is_virtual: bool
    """Whether its time is the stream's (simulation) and not the wall's."""
    refuses_late_orders: bool
    """Whether it refuses an order that arrives when its request is not valid any more: only then is absence a proof."""
    holds_trailing_stops: bool
    """Whether stops that follow the price by an offset in quote currency do; where not, the bot moves ordinary ones."""


class ExchangeUnavailable(Exception):
    """The exchange could not be asked: nothing is known, and nothing may be concluded."""


class Connection(Protocol):
    """Connecting changes nothing at the exchange."""

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter can do."""

    @property
    def now_ns(self) -> int:
        """The exchange's time once connected: of its clock, or of where its data begins."""

    async def connect(self) -> None:
        """Open the connection and load what the other calls need."""

    async def close(self) -> None:
        """Release everything. May be called at any time and more than once."""

    def next_event(self) -> StreamEvent | None:
        """Return the next event of the stream, or None when there is none right now."""

    async def wait(self) -> None:
        """Return when ``next_event`` may have something, when the stream has ended, or upon ``wake``."""

    def wake(self) -> None:
        """Have a ``wait`` that is under way return: the bot has an event of its own."""

    @property
    def ended(self) -> bool:
        """Whether no event will come any more (the recorded data is used up)."""
