"""Holds growth back for as long as nobody can say that exchange and books agree."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal

from app.coordinators.reconciler import Reconciler
from app.domain.events import AccountSeen, Severity, StreamReset
from app.domain.order import OrderStatus
from app.domain.reasons import EXECUTION, RECONCILING
from app.domain.records import EventLeftOut
from app.execution import AccountBooks, FlawedFills, Overheard, TrackedOrder
from app.execution.overheard import BALANCE
from app.lifecycle import CoordinatorContext
from app.ports.connection import ExchangeUnavailable

DIFFERS = "differs"
"""They were compared, and are not the exchange's."""
UNKNOWN_ORDERS = "unknown_orders"
LOST_ORDERS = "lost_orders"


class Agreement:
    """Raises and clears the reasons; the comparison itself is the reconciler's."""

    def __init__(
        self,
        context: CoordinatorContext,
        books: AccountBooks,
        reconciler: Reconciler,
        overheard: Overheard,
        flawed: FlawedFills,
        record: Callable[..., None],
        close: Callable[[Iterable[TrackedOrder], Iterable[str]], None],
    ) -> None:
        """Trust nothing yet.

        Args:
            context: Of the bot.
            books: Of the account.
            reconciler: Compares, and asks.
            overheard: What the exchange tells of the account unasked.
            flawed: Remembers fills that could not be booked.
            record: Puts records into the journal.
            close: Gets rid of orders, and of the positions in symbols, that were taken over to be closed.
        """
        self._books = books
        self._portfolio = books.portfolio
        self._reconciler = reconciler
        self._overheard = overheard
        self._flawed = flawed
        self._record = record
        self._close = close
        self._trading_state = context.trading_state

    def hold(self, why: str) -> None:
        """Hold growth back until exchange and books were found to agree."""
        self._trading_state.raise_reason(EXECUTION, RECONCILING, Severity.REDUCE_ONLY, why)

    def begin(self) -> None:
        """Let growth go on, after the comparison of the start."""
        self.weigh_unknown()
        self._trading_state.clear_reason(EXECUTION, RECONCILING)

    def doubt(self, reset: StreamReset) -> None:
        """Trust the books for nothing that grows until they were compared with the exchange, which comes at once."""
        self._record(reset)
        for symbol in self._books.instruments:
            self._books.distrust(symbol)
        self.hold(reset.reason)
        self._reconciler.request()

    def leave_out(self, left_out: EventLeftOut) -> None:
        """Doubt the books for what was told and could not be booked: it may be true all the same."""
        if left_out.symbol is not None:
            self._flawed.leave_out(left_out.symbol, left_out.client_order_id, left_out.trade_id)
        self.doubt(StreamReset(left_out.time_ns, left_out.flaw))

    def hear(self, seen: AccountSeen) -> None:
        """Take in what the exchange tells of the account unasked."""
        self._overheard.hear(seen)

    def weigh_overheard(self, now_ns: int) -> None:
        """Have the exchange compared where what it tells unasked has differed from the books for a while."""
        if self._overheard.is_doubtful(self._ours, now_ns):
            self._reconciler.request()

    def weigh_unknown(self) -> None:
        """Grow no further while the outcome of an order is unknown."""
        unknown = [item for item in self._books.tracker.all_working() if item.status is OrderStatus.UNKNOWN]
        if unknown:
            ids = ", ".join(item.order.client_order_id for item in unknown)
            self._trading_state.raise_reason(EXECUTION, UNKNOWN_ORDERS, Severity.REDUCE_ONLY, f"outcome unknown: {ids}")
        else:
            self._trading_state.clear_reason(EXECUTION, UNKNOWN_ORDERS)

    async def compare(self) -> bool:
        """Compare exchange and books, take over what is to be taken over, and say what that means for trading.

        Returns:
            Whether they agree.

        Raises:
            ExchangeUnavailable: It could not be asked; growth is held back, and the next comparison comes at once.
        """
        try:
            difference = await self._reconciler.compare()
        except ExchangeUnavailable as error:
            self.hold(f"cannot compare: {error}")
            self._reconciler.request()
            raise
        self.close_foreign()
        if difference:
            why = f"the exchange differs: {difference}"
            self._trading_state.raise_reason(EXECUTION, DIFFERS, Severity.REDUCE_ONLY, why)
            return False
        self._trading_state.clear_reason(EXECUTION, DIFFERS)
        if not self._reconciler.is_requested:
            # Else the stream broke again while we compared: what was read says nothing of what came after.
            self._trading_state.clear_reason(EXECUTION, RECONCILING)
        return True

    async def resolve(self) -> None:
        """Ask what became of orders of which nobody knows; grow no further on one that may still arrive."""
        # Not being able to ask leaves an unknown order unknown; it is asked for again.
        with suppress(ExchangeUnavailable):
            await self._reconciler.resolve_unknown()
        if lost := self._reconciler.absent.lost():
            detail = f"{', '.join(lost)}: not at the exchange, which takes orders late: see there, and resume"
            self._trading_state.raise_reason(EXECUTION, LOST_ORDERS, Severity.REDUCE_ONLY, detail, latched=True)

    def close_foreign(self) -> None:
        """Have closed what was taken over to be closed."""
        self._close(*self._reconciler.takeover.to_close())

    def _ours(self, what: str) -> Decimal:
        return self._portfolio.balance if what == BALANCE else self._portfolio.position(what).contracts
