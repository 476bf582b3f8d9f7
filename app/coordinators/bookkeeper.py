"""Books fills and funding, each once, and what only a look at the exchange shows. What cannot be true is left out."""

from collections.abc import Callable
from decimal import Decimal

from app.domain.events import Fill, FundingPaid, Severity
from app.domain.money import plain
from app.domain.reasons import EXECUTION
from app.domain.records import EventLeftOut, PositionChanged
from app.execution import (
    AccountBooks,
    FlawedFills,
    Overheard,
    Recent,
    TrackedOrder,
    flaw_of_fill,
    flaw_of_funding,
    flaw_of_repetition,
)
from app.lifecycle import CoordinatorContext
from app.ports.risk import Risk

FOREIGN_FEE = "foreign_fee"
OVERFILL = "overfill"


class Bookkeeper:
    """The one writer of positions and ledger."""

    def __init__(
        self,
        context: CoordinatorContext,
        books: AccountBooks,
        risk: Risk,
        overheard: Overheard,
        flawed: FlawedFills,
        record: Callable[..., None],
        on_left_out: Callable[[EventLeftOut], None],
    ) -> None:
        """Begin with the books as they are.

        Args:
            context: Of the bot.
            books: Of the account; written.
            risk: Counts fees, losses and funding.
            overheard: Told of what is booked, for comparison with what the exchange tells unasked.
            flawed: Remembers what could not be booked.
            record: Puts records into the journal.
            on_left_out: Called with what cannot be booked; once, however often the exchange tells it.
        """
        self._books = books
        self._portfolio = books.portfolio
        self._risk = risk
        self._overheard = overheard
        self._record = record
        self._flawed = flawed
        self._on_left_out = on_left_out
        self._publish = context.facts.publish
        self._trading_state = context.trading_state
        self._booked: Recent[Fill] = Recent()
        """The fills that were booked last, by trade id."""
        self._left_out: Recent[EventLeftOut] = Recent()
        """What was left out last, by its flaw."""

    def fill(self, fill: Fill, tracked: TrackedOrder | None) -> bool:
        """Book a fill; return False where there is nothing to book: it is known already, or it cannot be true.

        Args:
            fill: As it was told.
            tracked: Its order; None for a stranger's, or one that ended long ago.
        """
        books = self._books
        flaw = flaw_of_fill(fill, books.instruments, None if tracked is None else tracked.order, books.clock.now_ns)
        if not flaw and self._flawed.is_explained(fill.trade_id):
            flaw = f"fill {fill.trade_id} of {fill.symbol} is told anew: books and exchange have agreed without it"
        if flaw:
            self._leave_out_fill(flaw, fill)
            return False
        portfolio, symbol = self._portfolio, fill.symbol
        entry = portfolio.apply(fill)
        if entry is None:
            first = self._booked.find(fill.trade_id)
            if first is not None and (flaw := flaw_of_repetition(fill, first)):
                self._leave_out_fill(flaw, fill)
            return False
        self._overheard.book(symbol, fill.time_ns)
        self._booked.add(fill.trade_id, fill)
        self._flawed.book(fill.trade_id)
        if tracked is not None:
            if fill.contracts > tracked.remaining:
                self._hold_for_overfill(fill, tracked)
            self._books.tracker.fill(fill)
        self._record(fill, entry, PositionChanged(portfolio.position(symbol), fill.time_ns))
        if fill.fee_currency != portfolio.currency:
            self._hold_for_fee(fill)
        self._risk.on_fill(fill, entry, self._books)
        self._publish(fill)
        return True

    def funding(self, paid: FundingPaid) -> bool:
        """Book funding; return False where there is nothing to book, as with fills."""
        if flaw := flaw_of_funding(paid, self._books.instruments, self._portfolio.currency, self._books.clock.now_ns):
            self._leave_out(EventLeftOut(self._books.clock.now_ns, flaw))
            return False
        entry = self._portfolio.apply_funding(paid)
        if entry is None:
            return False
        self._overheard.book(paid.symbol, paid.time_ns)
        self._record(paid, entry, PositionChanged(self._portfolio.position(paid.symbol), paid.time_ns))
        self._risk.on_funding(paid, self._books)
        self._publish(paid)
        return True

    def open(self, balance: Decimal) -> None:
        """Begin the ledger with what the exchange says is in the account."""
        self._record(self._portfolio.deposit("opening balance", balance, self._books.clock.now_ns))

    def adopt_balance(self, theirs: Decimal) -> bool:
        """Bring our balance to theirs, by a deposit (or a withdrawal) that nobody told; return whether it differed."""
        difference, now_ns = theirs - self._portfolio.balance, self._books.clock.now_ns
        if difference:
            self._record(self._portfolio.deposit(f"adopted balance {now_ns}", difference, now_ns))
        return bool(difference)

    def recount(self, symbol: str, amount: Decimal) -> None:
        """Move profit from what a position has still to earn to what is realized, as the exchange divides it."""
        portfolio, now_ns = self._portfolio, self._books.clock.now_ns
        entry = portfolio.recount(symbol, amount, f"recount:{symbol}:{now_ns}", now_ns)
        self._record(entry, PositionChanged(portfolio.position(symbol), now_ns))

    def _leave_out_fill(self, flaw: str, fill: Fill) -> None:
        symbol = fill.symbol if fill.symbol in self._books.instruments else None
        self._leave_out(EventLeftOut(self._books.clock.now_ns, flaw, symbol, fill.client_order_id, fill.trade_id))

    def _leave_out(self, left_out: EventLeftOut) -> None:
        if self._left_out.find(left_out.flaw) is None:
            self._left_out.add(left_out.flaw, left_out)
            self._publish(left_out)
            self._on_left_out(left_out)

    def _hold_for_fee(self, fill: Fill) -> None:
        """Grow no further on fees that no limit counts: only the operator knows that they are meant."""
        if fill.fee:
            fee, currency = f"{plain(fill.fee)} {fill.fee_currency}", self._portfolio.currency
            detail = f"a fee of {fee} is counted in no limit: have fees taken in {currency}, and resume"
            self._trading_state.raise_reason(EXECUTION, FOREIGN_FEE, Severity.REDUCE_ONLY, detail, latched=True)

    def _hold_for_overfill(self, fill: Fill, tracked: TrackedOrder) -> None:
        """Grow no further at an exchange that fills more than was ordered. What it says is held is held, and booked."""
        detail = (
            f"fill {fill.trade_id} of {plain(fill.contracts)} is more than the {plain(tracked.remaining)} that order "
            f"{tracked.order.client_order_id} had left: compare with the exchange's own list of fills, and resume"
        )
        self._trading_state.raise_reason(EXECUTION, OVERFILL, Severity.REDUCE_ONLY, detail, latched=True)
