"""The trading state: one source of truth, changed only through its owner."""

from typing import Protocol

from app.domain.events import Severity
from app.domain.trading_state import TradingState


class TradingStatePort(Protocol):
    """Reasons are raised and cleared by their owners; the runtime coordinator acts on them."""

    @property
    def current(self) -> TradingState:
        """The state now."""

    def raise_reason(self, owner: str, code: str, severity: Severity, detail: str, *, latched: bool = False) -> None:
        """Restrict trading; a no-op when the same reason is held already."""

    def clear_reason(self, owner: str, code: str) -> None:
        """Take a reason back; a no-op when it is not held, or latched."""

    def lift_reason(self, owner: str, code: str) -> None:
        """Take a latched reason back, at the operator's word; a no-op when it is not held, or not latched."""
