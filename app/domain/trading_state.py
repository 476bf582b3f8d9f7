"""Whether the bot may trade, and what holds it back."""

import msgspec

from app.domain.events import ReasonCleared, ReasonRaised, Severity
from app.domain.term import Term

OPERATOR = "operator"
"""Who holds trading back by hand."""
HALT = "halt"
"""The code of the operator's own reason."""


class TradingLevel(Term):
    """What orders may do. Reducing a position is allowed in every one of them."""

    ACTIVE = "active"
    REDUCE_ONLY = "reduce_only"
    HALTED = "halted"


class TradingState(msgspec.Struct, frozen=True):
    """The set of reasons that hold trading back. The most severe wins; no reason at all is ACTIVE."""

    reasons: tuple[ReasonRaised, ...] = ()

    @property
    def level(self) -> TradingLevel:
        """The most severe of the reasons."""
        if not self.reasons:
            return TradingLevel.ACTIVE
        if any(reason.severity is Severity.HALTED for reason in self.reasons):
            return TradingLevel.HALTED
        return TradingLevel.REDUCE_ONLY

    @property
    def latched(self) -> tuple[ReasonRaised, ...]:
        """The reasons that only the operator lifts."""
        return tuple(reason for reason in self.reasons if reason.latched)

    def holds(self, owner: str, code: str) -> bool:
        """Whether ``owner`` holds trading back for ``code``."""
        return any(reason.owner == owner and reason.code == code for reason in self.reasons)

    def after(self, change: ReasonRaised | ReasonCleared) -> "TradingState":
        """Return the state after a reason was raised or cleared; the same object when that changes nothing.

        Raising a reason again that is held already keeps the first, which says since when, unless the severity differs.
        What is latched stays latched, and never becomes milder. The operator's own word is the latest one: whoever
        lifts a halt must have seen the halt that holds.
        """
        others = tuple(r for r in self.reasons if (r.owner, r.code) != (change.owner, change.code))
        if isinstance(change, ReasonCleared):
            return self if len(others) == len(self.reasons) else TradingState(others)
        held = next((r for r in self.reasons if (r.owner, r.code) == (change.owner, change.code)), None)
        if held is not None and held.latched:
            # Raised milder or not latched, it would be taken back by somebody else than the operator.
            if held.severity in {change.severity, Severity.HALTED} and change.owner != OPERATOR:
                return self
            change = msgspec.structs.replace(change, latched=True)
        elif held is not None and held.severity is change.severity and not change.latched:
            return self
        return TradingState((*others, change))
