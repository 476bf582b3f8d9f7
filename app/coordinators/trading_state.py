"""The trading state's one owner."""

from collections.abc import Callable

from app.domain.events import ReasonCleared, ReasonRaised, Severity
from app.domain.trading_state import TradingState
from app.ports.clock import Clock
from app.ports.journal import Journal, JournalFailed


class TradingStateOwner:
    """Implements ``TradingStatePort``: changes the state at once, journals it, and puts the change on the stream."""

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        post: Callable[[ReasonRaised | ReasonCleared], None],
        recovered: tuple[ReasonRaised, ...],
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._post = post
        self.current = TradingState(recovered)
        """The state now."""

    def raise_reason(self, owner: str, code: str, severity: Severity, detail: str, *, latched: bool = False) -> None:
        """Restrict trading; a no-op when the same reason is held already."""
        self._change(
            ReasonRaised(
                time_ns=self._clock.now_ns, owner=owner, code=code, severity=severity, detail=detail, latched=latched
            )
        )

    def clear_reason(self, owner: str, code: str) -> None:
        """Take a reason back; a no-op when it is not held, or latched."""
        if not self._latches(owner, code):
            self._change(ReasonCleared(time_ns=self._clock.now_ns, owner=owner, code=code))

    def lift_reason(self, owner: str, code: str) -> None:
        """Take a latched reason back, at the operator's word; a no-op when it is not held, or not latched."""
        if self._latches(owner, code):
            self._change(ReasonCleared(time_ns=self._clock.now_ns, owner=owner, code=code))

    def _latches(self, owner: str, code: str) -> bool:
        return any((reason.owner, reason.code) == (owner, code) for reason in self.current.latched)

    def _change(self, change: ReasonRaised | ReasonCleared) -> None:
        state = self.current.after(change)
        if state is self.current:
            return
        # The state binds from here on, whether or not the store can take the record.
        self.current = state
        self._post(change)
        try:
            self._journal.append(change)
        except JournalFailed:
            # The execution coordinator watches the journal's failure and restricts trading for it.
            return
