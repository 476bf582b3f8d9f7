"""The stage of the pump that applies events to orders and books, and works towards targets."""

from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal

from app.coordinators.agreement import LOST_ORDERS, Agreement
from app.coordinators.bookkeeper import Bookkeeper
from app.coordinators.growth_canceller import HALTED, GrowthCanceller, words_of
from app.coordinators.reconciler import Reconciler
from app.domain.events import (
    AccountSeen,
    BookStale,
    CancelRejected,
    Fill,
    FlattenCommand,
    FundingPaid,
    HaltCommand,
    InstrumentChanged,
    OrderAccepted,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
    OrderUnknown,
    ReasonCleared,
    ReasonRaised,
    ResumeCommand,
    Severity,
    StreamEvent,
    StreamReset,
    Timer,
)
from app.domain.instrument import Instrument
from app.domain.market import Bar, MarkPrice, Quote
from app.domain.order import TERMINAL, OrderStatus
from app.domain.reasons import EXECUTION, LIFECYCLE, RISK, STOPPING
from app.domain.records import EventLeftOut, OrderRecord, Record, StateSaved
from app.domain.target import Target
from app.domain.trading_state import TradingLevel
from app.execution import AccountBooks, Overheard, Pursuits, SendPoint, TrackedOrder
from app.execution.flawed_fills import OWNER as FLAWED_FILLS
from app.execution.flawed_fills import FlawedFills
from app.lifecycle import CoordinatorContext
from app.ports.journal import JournalFailed
from app.ports.risk import Risk

FLATTENED = "flattened by the operator"
FOREIGN = "it is not the bot's"
UNLISTED = "unlisted:"


class ExecutionStage:
    """Tracks orders, keeps the books, and pursues targets through the one send point."""

    def __init__(
        self,
        context: CoordinatorContext,
        books: AccountBooks,
        risk: Risk,
        send_point: SendPoint,
        on_progress: Callable[[], None],
    ) -> None:
        """Begin with books that an earlier run may have left, and act on nothing yet.

        Args:
            context: Of the bot.
            books: Of the account; written.
            risk: Judges orders, and looks at what comes in.
            send_point: Where orders leave.
            on_progress: Called when something has happened to the account.
        """
        settings = context.settings
        self.books = books
        self._risk = risk
        self._send_point = send_point
        self._on_progress = on_progress
        self._journal = context.journal
        self._clock = context.clock
        self._publish = context.facts.publish
        self._trading_state = context.trading_state
        self._keep_state = settings.storage.keeps_state
        self._portfolio = books.portfolio
        self._tracker = books.tracker
        self._marked_by_feed: set[str] = set()
        self.growth = GrowthCanceller(
            books.tracker, send_point, context.trading_state, settings.execution.cancel_retry_every_s
        )
        self.pursuits = Pursuits(
            books,
            send_point,
            context.trading_state,
            self.record,
            context.facts.publish,
            keep=self._keep_state,
            trails=not context.capabilities.holds_trailing_stops,
        )
        self._unfinished = self.pursuits.unfinished
        overheard, self._flawed = Overheard(context.instruments), FlawedFills(context.clock, self.record)
        self._bookkeeper = Bookkeeper(context, books, risk, overheard, self._flawed, self.record, self._leave_out)
        self.reconciler = Reconciler(context, books, self._bookkeeper, self._flawed, self.apply, self.record)
        self.agreement = Agreement(
            context, books, self.reconciler, overheard, self._flawed, self.record, self._close_foreign
        )
        self.takes: dict[type, Callable[..., None]] = {
            Bar: self._on_bar,
            MarkPrice: self._on_mark,
            Quote: self._on_quote,
            BookStale: self._on_stale,
            Timer: self._on_timer,
            Fill: self._on_fill,
            FundingPaid: self._on_funding,
            OrderAccepted: self._on_order,
            OrderTriggered: self._on_order,
            OrderRejected: self._on_order,
            OrderUnknown: self._on_order,
            OrderCanceled: self._on_order,
            OrderExpired: self._on_order,
            CancelRejected: self._on_cancel_rejected,
            ReasonRaised: self._on_restriction,
            ReasonCleared: self._on_restriction,
            StreamReset: self._on_reset,
            AccountSeen: self._on_seen,
            InstrumentChanged: self._on_instrument,
            HaltCommand: self._on_halt,
            ResumeCommand: self._on_resume,
            FlattenCommand: self._on_flatten,
        }
        """What brings orders and books up to date with each kind of event."""

    async def open(self) -> None:
        """Take over what earlier runs have left, make it agree with the exchange, and be ready to act.

        Raises:
            ReconciliationFailed: They do not agree after everything that was missed has been taken in.
            JournalFailed: What was missed could not be put on record.
            ExchangeUnavailable: It cannot be asked.
        """
        self.agreement.hold("books not yet compared")
        self.recover()
        for symbol in self.books.instruments:
            await self._send_point.configure(symbol, self._portfolio.margin_mode, self._portfolio.leverage)
        await self.reconciler.open()
        failure = self._journal.failure
        if failure is not None:
            # What was missed is in the books now, and in no journal: a bot that began so would not come back from it.
            raise failure
        self.pursuits.release()
        self.agreement.begin()

    def bare(self) -> list[str]:
        """Return the symbols whose position has no stop-loss that stays, although a strategy wants one."""
        return self.pursuits.protection.bare()

    def stuck(self) -> dict[str, str]:
        """Return why positions cannot be left, by symbol."""
        return self.pursuits.exits.stuck()

    def orders(self) -> tuple[OrderRecord, ...]:
        """Return the orders that may still fill, as they are known here."""
        return tuple(tracked.record() for tracked in self._tracker.all_working())

    def status_of(self, client_order_id: str) -> OrderStatus | None:
        """Return how far an order has come; None when it ended long ago, or is not ours."""
        tracked = self._tracker.find(client_order_id)
        return None if tracked is None else tracked.status

    def tradable(self, symbol: str) -> Decimal:
        """Return the unsigned contracts of a position that can be traded: its whole lots."""
        return self.books.tradable(symbol)

    def protection_of(self, symbol: str) -> str:
        """Return what protects a position, for people."""
        return self.pursuits.protection.words_for(symbol)

    # -- stage -------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take up what an earlier run left, before the first event: then, and at no moment that a clock decides."""
        self.agreement.close_foreign()
        self.pursuits.resume()

    def apply(self, event: StreamEvent) -> None:
        """Bring orders and books up to date with an event."""
        take = self.takes.get(type(event))
        if take is not None:
            take(event)

    def pursue(self, targets: Sequence[Target]) -> None:
        """Work towards new targets."""
        for target in targets:
            if self.pursuits.take(target):
                self.record(target)
                self._publish(target)
                self.pursuits.work(target.symbol)

    def pursued(self, symbol: str) -> int:
        """Return the sequence of the latest target of ``symbol`` that was taken in; 0 when none was."""
        return self.pursuits.sequence_of(symbol)

    def growing(self, symbols: Collection[str] | None = None) -> list[str]:
        """Return the working orders that can grow a position, of some symbols or of all, in words for people."""
        return [words_of(tracked) for tracked in self.growth.growing(symbols)]

    def flatten(self, reason: str, symbols: Collection[str] | None = None) -> None:
        """Close every position, reduce-only, and void every target; of some symbols or of all."""
        self.pursuits.flatten(reason, self.books.instruments if symbols is None else symbols)

    # -- market -------------------------------------------------------------------------------------------------------

    def _on_bar(self, bar: Bar) -> None:
        """Mark a symbol that no feed of marks is known of: what ``_mark`` does, written out where every bar passes."""
        symbol, close, time_ns = bar.symbol, bar.close, bar.time_ns
        if symbol in self._marked_by_feed:
            return
        must_look = self._risk.on_mark(symbol, close, time_ns, self.books)
        self.books.set_mark(symbol, close, time_ns)
        if must_look:
            self._look()
        if symbol in self._unfinished:
            self.pursuits.finish(symbol)

    def _on_mark(self, mark: MarkPrice) -> None:
        self._marked_by_feed.add(mark.symbol)
        self._mark(mark.symbol, mark.price, mark.time_ns)

    def _mark(self, symbol: str, price: Decimal, time_ns: int) -> None:
        must_look = self._risk.on_mark(symbol, price, time_ns, self.books)
        self.books.set_mark(symbol, price, time_ns)
        if must_look:
            self._look()
        if symbol in self._unfinished:
            self.pursuits.finish(symbol)

    def _on_quote(self, quote: Quote) -> None:
        self.books.set_quote(quote.symbol, quote.bid, quote.ask)

    def _on_stale(self, stale: BookStale) -> None:
        self.books.distrust(stale.symbol)
        self._look()

    def _on_timer(self, timer: Timer) -> None:
        self.agreement.weigh_overheard(timer.time_ns)
        if self._risk.on_timer(timer.time_ns, self.books):
            self._look()

    def _look(self) -> None:
        """Have the guards look, and act on what changed. Every reason goes through the trading state's owner."""
        for change in self._risk.look(self.books):
            if isinstance(change, ReasonRaised):
                self._trading_state.raise_reason(
                    change.owner, change.code, change.severity, change.detail, latched=change.latched
                )
            else:
                self._trading_state.clear_reason(change.owner, change.code)
            self._save_risk()
        if self._risk.has_closed_days:
            for day in self._risk.closed_days():
                self.record(day)
                self._publish(day)
                self._save_risk()

    # -- account ------------------------------------------------------------------------------------------------------

    def _on_order(self, event: OrderEvent) -> None:
        tracked = self._tracker.apply(event)
        self.record(event)
        self._publish(event)
        self._on_progress()
        if tracked is None:
            return
        if type(event) is OrderUnknown or self._trading_state.current.reasons:
            # First: what can go on now that this is known must not be denied for it.
            self.agreement.weigh_unknown()
        if tracked.status in TERMINAL:
            self.pursuits.after_end(tracked)
        elif tracked.order.is_protective and type(event) is OrderAccepted:
            self.pursuits.after_rest(tracked.order)

    def _on_cancel_rejected(self, event: CancelRejected) -> None:
        if self._tracker.refuse_cancel(event.client_order_id):
            self.pursuits.defer(event.symbol)
        self.record(event)
        self._publish(event)

    def _on_fill(self, fill: Fill) -> None:
        symbol = fill.symbol
        tracked, held = self._tracker.find(fill.client_order_id), self._portfolio.position(symbol).contracts
        if not self._bookkeeper.fill(fill, tracked):
            return
        self._look()
        self.pursuits.note_fill(fill, held, tracked)
        if self._keep_state:
            self.save_state()
        if self._trading_state.current.reasons:
            self.agreement.weigh_unknown()
        self.pursuits.work(symbol)
        self._on_progress()

    def _on_funding(self, paid: FundingPaid) -> None:
        if self._bookkeeper.funding(paid):
            self._look()

    def _on_restriction(self, change: ReasonRaised | ReasonCleared) -> None:
        self._publish(change)
        if self._trading_state.current.level is TradingLevel.HALTED:
            self.growth.cancel(HALTED)

    def _on_reset(self, reset: StreamReset) -> None:
        self._publish(reset)
        self.agreement.doubt(reset)

    def _on_seen(self, seen: AccountSeen) -> None:
        self.agreement.hear(seen)

    def _on_instrument(self, change: InstrumentChanged) -> None:
        instrument = change.instrument
        self.books.list_anew(instrument)
        self.pursuits.list_anew(instrument)
        self._publish(change)
        self._weigh_listing(instrument)

    def _weigh_listing(self, instrument: Instrument) -> None:
        """Hold growth in a symbol back for as long as the exchange does not list it."""
        code = UNLISTED + instrument.symbol
        if instrument.is_listed:
            self._trading_state.clear_reason(EXECUTION, code)
        else:
            detail = f"the exchange lists {instrument.symbol} no more: it is known as it was, for exits"
            self._trading_state.raise_reason(EXECUTION, code, Severity.SYMBOL_REDUCE_ONLY, detail)

    def _leave_out(self, left_out: EventLeftOut) -> None:
        self.agreement.leave_out(left_out)

    # -- operator -----------------------------------------------------------------------------------------------------

    def _on_halt(self, command: HaltCommand) -> None:
        """Cancel what can grow: again, if trading was halted before. Trading is halted already."""
        self.growth.cancel(HALTED)
        self.record(command)
        self._publish(command)

    def _on_resume(self, command: ResumeCommand) -> None:
        """Lift the reasons, and have the guards look at once: one whose limit is still passed raises its own again."""
        self.record(command)
        if (EXECUTION, LOST_ORDERS) in command.reasons:
            self.reconciler.absent.give_up()
        for owner, code in command.reasons:
            self._trading_state.lift_reason(owner, code)
        self._forget_lifted()
        self._look()
        self._save_risk()
        self._publish(command)

    def _on_flatten(self, command: FlattenCommand) -> None:
        """Close positions, in every trading state; what could open them again is canceled first."""
        self.growth.cancel(FLATTENED, command.symbols)
        self.flatten(FLATTENED, command.symbols)
        self.record(command)
        self.save_state()
        self._publish(command)

    def _forget_lifted(self) -> None:
        reasons = self._trading_state.current.reasons
        self._risk.keep_raised({reason.code for reason in reasons if reason.owner == RISK})

    def _close_foreign(self, orders: Iterable[TrackedOrder], symbols: Iterable[str]) -> None:
        for tracked in orders:
            self._send_point.cancel(tracked, FOREIGN)
        self.pursuits.flatten(FOREIGN, symbols)

    # -- memory -------------------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Take over what earlier runs have put on record."""
        journal, recovered = self._journal, self._journal.recovered()
        if recovered.last_time_ns is not None:
            self._clock.advance_to(recovered.last_time_ns)
        self._portfolio.restore(
            recovered.positions, recovered.ledger_totals, recovered.trade_ids, recovered.funding_references, {}
        )
        self._tracker.restore(recovered.working_orders)
        risk = journal.state_of(RISK)
        if risk is not None:
            self._risk.restore(risk)
            # The operator may have lifted reasons while no bot ran.
            self._forget_lifted()
        pursuits = journal.state_of(EXECUTION)
        if pursuits is not None:
            self.pursuits.restore(pursuits)
        flawed = journal.state_of(FLAWED_FILLS)
        if flawed is not None and (lost := self._flawed.restore(flawed)) is not None:
            self._publish(lost)
        self.reconciler.recall()
        self._trading_state.clear_reason(LIFECYCLE, STOPPING)
        for instrument in self.books.instruments.values():
            self._weigh_listing(instrument)

    def record(self, *records: Record) -> None:
        """Put records into the journal; a store that fails restricts trading."""
        try:
            self._journal.append(*records)
        except JournalFailed as error:
            self._send_point.store_failed(error)

    def save_state(self) -> None:
        """Put on record what a restart goes on with."""
        self.pursuits.save()
        self._save_risk()

    def _save_risk(self) -> None:
        if self._keep_state:
            self.record(StateSaved(RISK, self._risk.snapshot(), self._clock.now_ns))
