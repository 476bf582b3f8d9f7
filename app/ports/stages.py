"""The stages that the pump hands each event of the stream to, in this order.

A stage says what takes each kind of event: most kinds concern few stages, and the pump asks no more than that.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from app.domain.events import StreamEvent
from app.domain.order import OrderStatus
from app.domain.records import OrderRecord
from app.domain.target import Target


class AccountStage(Protocol):
    """Applies events to the books, and works towards targets."""

    def begin(self) -> None:
        """Take up what an earlier run left, before the first event."""

    @property
    def takes(self) -> Mapping[type, Callable[[Any], None]]:
        """What brings orders and books up to date with each kind of event."""

    def pursue(self, targets: Sequence[Target]) -> None:
        """Work towards new targets."""

    def pursued(self, symbol: str) -> int:
        """Return the sequence of the latest target of ``symbol`` that was taken in; 0 when none was."""

    def orders(self) -> tuple[OrderRecord, ...]:
        """Return the orders that may still fill, as they are known here."""

    def status_of(self, client_order_id: str) -> OrderStatus | None:
        """Return how far an order has come; None when it ended long ago, or is not ours."""

    def tradable(self, symbol: str) -> Decimal:
        """Return the unsigned contracts of a position that can be traded: its whole lots."""

    def protection_of(self, symbol: str) -> str:
        """Return what protects a position, for people."""

    def growing(self, symbols: Collection[str] | None = None) -> Sequence[str]:
        """Return the working orders that can grow a position, of some symbols or of all, in words for people."""


class DecisionStage(Protocol):
    """Turns events into targets."""

    @property
    def asks(self) -> Mapping[type, Callable[[Any], Sequence[Target]]]:
        """What returns the targets that an event of a kind changed; empty for most events.

        The pump holds on to it: to be asked no more, a stage empties it, and puts no other in its place.
        """

    def settle(self, targets: Sequence[Target]) -> Sequence[Target]:
        """Put on record what is wanted, and return what of it is to be pursued."""


class ObservationStage(Protocol):
    """Looks on."""

    def observe(self, event: StreamEvent) -> None:
        """Take notice of an event that everybody else has seen."""
