"""Whether the bot may trade, and what holds it back."""

import msgspec

from app.domain.events import ReasonCleared, ReasonRaised, Severity
from app.domain.reasons import OPERATOR
from app.domain.term import Term


class TradingLevel(Term):
    """What orders may do. Reducing a position is allowed in every one of them."""

    ACTIVE = "active"
    REDUCE_ONLY = "reduce_only"
    HALTED = "halted"


class TradingState(msgspec.Struct, frozen=True):
    """The set of reasons that hold trading back. The most severe wins; without one that concerns all, it is ACTIVE."""

    reasons: tuple[ReasonRaised, ...] = ()

    @property
    def level(self) -> TradingLevel:
        """The most severe of the reasons that hold every symbol back."""
        severities = {reason.severity for reason in self.reasons}
        if Severity.HALTED in severities:
            return TradingLevel.HALTED
        return TradingLevel.REDUCE_ONLY if Severity.REDUCE_ONLY in severities else TradingLevel.ACTIVE

    def level_in(self, symbol: str) -> TradingLevel:
        """What orders in one symbol may do."""
        if self.level is TradingLevel.ACTIVE and self.holding(symbol):
            return TradingLevel.REDUCE_ONLY
        return self.level

    def holding(self, symbol: str) -> tuple[ReasonRaised, ...]:
        """Return the reasons for which nothing grows in ``symbol``."""
        return tuple(
            reason
            for reason in self.reasons
            if reason.severity is not Severity.SYMBOL_REDUCE_ONLY or reason.code.partition(":")[2] == symbol
        )

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
