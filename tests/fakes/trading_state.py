"""The trading state, without a journal or listeners."""

from app.domain.events import ReasonCleared, ReasonRaised, Severity
from app.domain.trading_state import TradingState


class FakeTradingState:
    """Applies reasons at once."""

    def __init__(self) -> None:
        self.current = TradingState()

    def raise_reason(self, owner: str, code: str, severity: Severity, detail: str, *, latched: bool = False) -> None:
        raised = ReasonRaised(time_ns=0, owner=owner, code=code, severity=severity, detail=detail, latched=latched)
        self.current = self.current.after(raised)

    def clear_reason(self, owner: str, code: str) -> None:
        self.current = self.current.after(ReasonCleared(time_ns=0, owner=owner, code=code))
