"""The stages that the pump hands each event of the stream to, in this order."""

from collections.abc import Collection, Sequence
from typing import Protocol

from app.domain.events import StreamEvent
from app.domain.records import OrderRecord
from app.domain.target import Target


class AccountStage(Protocol):
    """Applies events to the books, and works towards targets."""

    def begin(self) -> None:
        """Take up what an earlier run left, before the first event."""

    def apply(self, event: StreamEvent) -> None:
        """Bring orders and books up to date with an event."""

    def pursue(self, targets: Sequence[Target]) -> None:
        """Work towards new targets."""

    def pursued(self, symbol: str) -> int:
        """Return the sequence of the latest target of ``symbol`` that was taken in; 0 when none was."""

    def orders(self) -> tuple[OrderRecord, ...]:
        """Return the orders that may still fill, as they are known here."""

    def growing(self, symbols: Collection[str] | None = None) -> Sequence[str]:
        """Return the working orders that can grow a position, of some symbols or of all, in words for people."""


class DecisionStage(Protocol):
    """Turns events into targets."""

    def on_event(self, event: StreamEvent) -> Sequence[Target]:
        """Return the targets that an event changed; empty for most."""


class ObservationStage(Protocol):
    """Looks on."""

    def observe(self, event: StreamEvent) -> None:
        """Take notice of an event that everybody else has seen."""
