"""Works towards targets, and keeps the books. Sole sender of orders, sole writer of the portfolio."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal

from app.coordinators.agreement import LOST_ORDERS, Agreement
from app.coordinators.bookkeeper import Bookkeeper
from app.coordinators.growth_canceller import HALTED, GrowthCanceller, words_of
from app.coordinators.reconciler import Reconciler
from app.coordinators.stop_policy import StopPolicy
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
from app.domain.portfolio import Portfolio
from app.domain.reasons import EXECUTION, LIFECYCLE, RISK, STOPPING
from app.domain.records import OrderRecord, Record, StateSaved
from app.domain.target import Target
from app.domain.trading_state import TradingLevel
from app.execution import (
    AccountBooks,
    OrderTracker,
    Overheard,
    Pursuits,
    SendPoint,
    TrackedOrder,
)
from app.lifecycle import BaseCoordinator, CoordinatorContext, HealthState, HealthStatus, RestartPolicy, Supervisor
from app.ports.connection import ExchangeUnavailable
from app.ports.journal import JournalFailed, LeaseLost
from app.ports.risk import Risk
from app.settings.models import Settings

FLATTENED = "flattened by the operator"
FOREIGN = "it is not the bot's"
UNLISTED = "unlisted:"


class ExecutionCoordinator(BaseCoordinator):
    """Rebuilds the books from the journal, tracks orders, and pursues targets through the one send point."""

    name = EXECUTION
    critical = True

    def __init__(self, make_send_point: Callable[..., SendPoint], risk: Risk) -> None:
        super().__init__()
        self._make_send_point = make_send_point
        self._risk = risk
        self._marked_by_feed: set[str] = set()
        self.stop_policy: StopPolicy | None = None
        """None until the books are up: a start that fails before that is taken down, too."""
        self._progress = asyncio.Event()
        """Set when something has happened to the account, for whoever waits for it to be settled."""
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

    # -- lifecycle -----------------------------------------------------------------------------------------------

    async def initialize(self, context: CoordinatorContext) -> CoordinatorContext:
        """Rebuild the books from the journal, and make them agree with the exchange before anything may grow."""
        settings = context.settings
        self._settings: Settings = settings
        self._journal = context.journal
        self._keep_state = settings.storage.keeps_state
        self._trading_state = context.trading_state
        self._portfolio = Portfolio(
            settings.account.id,
            settings.account.currency,
            context.instruments,
            settings.account.margin_mode,
            settings.account.leverage,
        )
        self._tracker = OrderTracker()
        self.books = AccountBooks(
            self._portfolio, self._tracker, context.instruments, context.trading_state, context.clock
        )
        self._lease_is_lost = asyncio.Event()
        self._send_point = self._make_send_point(
            journal=context.journal,
            risk=self._risk,
            books=self.books,
            ids=context.ids,
            trading_state=context.trading_state,
            publish=context.facts.publish,
            on_lost=lambda _: self._lease_is_lost.set(),
        )
        self._publish = context.facts.publish
        self._growth = GrowthCanceller(
            self._tracker, self._send_point, context.trading_state, settings.execution.cancel_retry_every_s
        )
        self._pursuits = Pursuits(
            self.books,
            self._send_point,
            context.trading_state,
            self._record,
            context.facts.publish,
            keep=self._keep_state,
            trails=not context.capabilities.holds_trailing_stops,
        )
        self._unfinished = self._pursuits.unfinished
        self.stop_policy = StopPolicy(
            settings.execution.stop_policy,
            self.books,
            self._send_point,
            self.flatten,
            self._pursuits.unsafe,
            self._progress,
        )
        overheard = Overheard(context.instruments)
        self._reconciler = Reconciler(context, self.books, self.apply, self._record)
        self.agreement = Agreement(context, self.books, self._reconciler, overheard, self._record, self._close_foreign)
        self._bookkeeper = Bookkeeper(
            context,
            self.books,
            self._risk,
            overheard,
            self._reconciler,
            self._record,
            self.agreement.leave_out,
        )
        self._recover(context)
        for symbol in context.instruments:
            await self._send_point.configure(symbol, settings.account.margin_mode, settings.account.leverage)
        await self._reconciler.open()
        failure = self._journal.failure
        if failure is not None:
            # What was missed is in the books now, and in no journal: a bot that began so would not come back from it.
            raise failure
        self._pursuits.release()
        self.agreement.begin()
        return context.evolve(self.name, portfolio=self._portfolio, risk=self._risk, execution=self)

    async def start_background_tasks(self, context: CoordinatorContext, supervisor: Supervisor) -> None:
        """Compare with the exchange, ask for orders whose outcome is unknown, and press for cancels unconfirmed."""
        del context
        supervisor.spawn(
            "execution.cancel_growth",
            self._growth.run,
            restart=RestartPolicy.permanent(),
            critical=True,
            owner=self.name,
        )
        supervisor.spawn(
            "execution.lease",
            self._end_with_the_lease,
            restart=RestartPolicy.temporary(),
            critical=True,
            owner=self.name,
        )
        supervisor.spawn(
            "execution.reconcile",
            self._reconcile_loop,
            restart=RestartPolicy.permanent(),
            critical=True,
            owner=self.name,
        )
        supervisor.spawn(
            "execution.resolve_unknown",
            self._resolve_loop,
            restart=RestartPolicy.permanent(),
            critical=True,
            owner=self.name,
        )

    async def drain(self) -> None:
        """Work the stop policy off, and put the end on record."""
        policy = self._settings.execution.stop_policy
        self._trading_state.raise_reason(LIFECYCLE, STOPPING, Severity.REDUCE_ONLY, f"stop policy {policy}")
        try:
            if self.stop_policy is None or self._send_point.lost is not None:
                return
            await self.stop_policy.work_off()
        finally:
            self._save_state()
        failure = self._journal.failure
        if failure is not None:
            raise JournalFailed(f"the end of the run is not on record: {failure}")

    async def shutdown(self) -> None:
        """Say what is left, if the drain had to be given up."""
        if self.stop_policy is not None:
            self.stop_policy.check()

    async def health_check(self) -> HealthStatus:
        """Degraded while an order's outcome is unknown, a position is bare or stays; unhealthy when the store fails."""
        unknown = [item for item in self._tracker.all_working() if item.status is OrderStatus.UNKNOWN]
        failure, bare, stuck = self._journal.failure, self._pursuits.protection.bare(), self._pursuits.exits.stuck()
        details = {"working_orders": str(self._tracker.open_orders), "unknown_orders": str(len(unknown))}
        if bare:
            details["without_stop"] = ", ".join(bare)
        if stuck:
            details["stuck"] = "; ".join(f"{symbol}: {why}" for symbol, why in stuck.items())
        degraded = HealthState.DEGRADED if unknown or bare or stuck else HealthState.HEALTHY
        return self.status(
            HealthState.UNHEALTHY if failure else degraded, details=details, error=str(failure) if failure else None
        )

    def orders(self) -> tuple[OrderRecord, ...]:
        """Return the orders that may still fill, as they are known here."""
        return tuple(tracked.record() for tracked in self._tracker.all_working())

    def status_of(self, client_order_id: str) -> OrderStatus | None:
        """Return how far an order has come; None when it ended long ago, or is not ours."""
        tracked = self._tracker.find(client_order_id)
        return None if tracked is None else tracked.status

    def wants_stop(self, symbol: str) -> bool:
        """Whether the position in ``symbol`` is one that a strategy wants protected by a stop."""
        return self._pursuits.wants_stop(symbol)

    def tradable(self, symbol: str) -> Decimal:
        """Return the unsigned contracts of a position that can be traded: its whole lots."""
        return self.books.tradable(symbol)

    def protection_of(self, symbol: str) -> str:
        """Return what protects a position, for people."""
        return self._pursuits.protection.words_for(symbol)

    # -- stages --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take up what an earlier run left, before the first event: then, and at no moment that a clock decides."""
        self.agreement.close_foreign()
        self._pursuits.resume()

    def apply(self, event: StreamEvent) -> None:
        """Bring orders and books up to date with an event."""
        take = self.takes.get(type(event))
        if take is not None:
            take(event)

    def pursue(self, targets: Sequence[Target]) -> None:
        """Work towards new targets."""
        for target in targets:
            if self._pursuits.take(target):
                self._record(target)
                self._publish(target)
                self._pursuits.work(target.symbol)

    def pursued(self, symbol: str) -> int:
        """Return the sequence of the latest target of ``symbol`` that was taken in; 0 when none was."""
        return self._pursuits.sequence_of(symbol)

    def growing(self, symbols: Collection[str] | None = None) -> list[str]:
        """Return the working orders that can grow a position, of some symbols or of all, in words for people."""
        return [words_of(tracked) for tracked in self._growth.growing(symbols)]

    def flatten(self, reason: str, symbols: Collection[str] | None = None) -> None:
        """Close every position, reduce-only, and void every target; of some symbols or of all."""
        self._pursuits.flatten(reason, self.books.instruments if symbols is None else symbols)

    # -- market --------------------------------------------------------------------------------------------------

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
            self._pursuits.finish(symbol)

    def _on_mark(self, mark: MarkPrice) -> None:
        self._marked_by_feed.add(mark.symbol)
        self._mark(mark.symbol, mark.price, mark.time_ns)

    def _mark(self, symbol: str, price: Decimal, time_ns: int) -> None:
        must_look = self._risk.on_mark(symbol, price, time_ns, self.books)
        self.books.set_mark(symbol, price, time_ns)
        if must_look:
            self._look()
        if symbol in self._unfinished:
            self._pursuits.finish(symbol)

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
                self._record(day)
                self._publish(day)
                self._save_risk()

    # -- account -------------------------------------------------------------------------------------------------

    def _on_order(self, event: OrderEvent) -> None:
        tracked = self._tracker.apply(event)
        self._record(event)
        self._publish(event)
        self._progress.set()
        if tracked is None:
            return
        if type(event) is OrderUnknown or self._trading_state.current.reasons:
            # First: what can go on now that this is known must not be denied for it.
            self.agreement.weigh_unknown()
        if tracked.status in TERMINAL:
            self._pursuits.after_end(tracked)
        elif tracked.order.is_protective and type(event) is OrderAccepted:
            self._pursuits.after_rest(tracked.order)

    def _on_cancel_rejected(self, event: CancelRejected) -> None:
        if self._tracker.refuse_cancel(event.client_order_id):
            self._pursuits.defer(event.symbol)
        self._record(event)
        self._publish(event)

    def _on_fill(self, fill: Fill) -> None:
        symbol = fill.symbol
        tracked, held = self._tracker.find(fill.client_order_id), self._portfolio.position(symbol).contracts
        if not self._bookkeeper.fill(fill, tracked):
            return
        self._look()
        self._pursuits.note_fill(fill, held, tracked)
        if self._keep_state:
            self._save_state()
        if self._trading_state.current.reasons:
            self.agreement.weigh_unknown()
        self._pursuits.work(symbol)
        self._progress.set()

    def _on_funding(self, paid: FundingPaid) -> None:
        if self._bookkeeper.funding(paid):
            self._look()

    def _on_restriction(self, change: ReasonRaised | ReasonCleared) -> None:
        self._publish(change)
        if self._trading_state.current.level is TradingLevel.HALTED:
            self._growth.cancel(HALTED)

    def _on_reset(self, reset: StreamReset) -> None:
        self._publish(reset)
        self.agreement.doubt(reset)

    def _on_seen(self, seen: AccountSeen) -> None:
        self.agreement.hear(seen)

    def _on_instrument(self, change: InstrumentChanged) -> None:
        instrument = change.instrument
        self.books.list_anew(instrument)
        self._pursuits.list_anew(instrument)
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

    # -- operator ------------------------------------------------------------------------------------------------

    def _on_halt(self, command: HaltCommand) -> None:
        """Cancel what can grow: again, if trading was halted before. Trading is halted already."""
        self._growth.cancel(HALTED)
        self._record(command)
        self._publish(command)

    def _on_resume(self, command: ResumeCommand) -> None:
        """Lift the reasons, and have the guards look at once: one whose limit is still passed raises its own again."""
        self._record(command)
        if (EXECUTION, LOST_ORDERS) in command.reasons:
            self._reconciler.give_up_lost()
        for owner, code in command.reasons:
            self._trading_state.lift_reason(owner, code)
        self._forget_lifted()
        self._look()
        self._save_risk()
        self._publish(command)

    def _on_flatten(self, command: FlattenCommand) -> None:
        """Close positions, in every trading state; what could open them again is canceled first."""
        self._growth.cancel(FLATTENED, command.symbols)
        self.flatten(FLATTENED, command.symbols)
        self._record(command)
        self._save_state()
        self._publish(command)

    def _forget_lifted(self) -> None:
        reasons = self._trading_state.current.reasons
        self._risk.keep_raised({reason.code for reason in reasons if reason.owner == RISK})

    def _close_foreign(self, orders: Iterable[TrackedOrder], symbols: Iterable[str]) -> None:
        for tracked in orders:
            self._send_point.cancel(tracked, FOREIGN)
        self._pursuits.flatten(FOREIGN, symbols)

    # -- memory --------------------------------------------------------------------------------------------------

    def _recover(self, context: CoordinatorContext) -> None:
        recovered = context.journal.recovered()
        if recovered.last_time_ns is not None:
            context.clock.advance_to(recovered.last_time_ns)
        self._portfolio.restore(
            recovered.positions, recovered.ledger_totals, recovered.trade_ids, recovered.funding_references, {}
        )
        self._tracker.restore(recovered.working_orders)
        risk = context.journal.state_of(RISK)
        if risk is not None:
            self._risk.restore(risk)
            # The operator may have lifted reasons while no bot ran.
            self._forget_lifted()
        pursuits = context.journal.state_of(self.name)
        if pursuits is not None:
            self._pursuits.restore(pursuits)
        self._trading_state.clear_reason(LIFECYCLE, STOPPING)
        for instrument in context.instruments.values():
            self._weigh_listing(instrument)

    def _record(self, *records: Record) -> None:
        try:
            self._journal.append(*records)
        except JournalFailed as error:
            self._send_point.store_failed(error)

    def _save_state(self) -> None:
        self._pursuits.save()
        self._save_risk()

    def _save_risk(self) -> None:
        if self._keep_state:
            self._record(StateSaved(RISK, self._risk.snapshot(), self.books.clock.now_ns))

    # -- background ----------------------------------------------------------------------------------------------

    async def _reconcile_loop(self) -> None:
        every_s = self._settings.execution.reconcile_every_s
        while True:
            await self._reconciler.wait(every_s)
            try:
                await self.agreement.compare()
            except ExchangeUnavailable:
                await asyncio.sleep(self._settings.execution.unknown_query_every_s)
            else:
                self.beat()

    async def _end_with_the_lease(self) -> None:
        """Stop the bot when another one may write for the account: it must not even cancel any more."""
        await self._lease_is_lost.wait()
        raise self._send_point.lost or LeaseLost("another bot writes for this account")

    async def _resolve_loop(self) -> None:
        while True:
            await asyncio.sleep(self._settings.execution.unknown_query_every_s)
            failure = self._journal.failure
            if failure is not None:
                # The store may fail after it has taken an intent: what waits for it would wait for ever.
                self._send_point.store_failed(failure)
            await self.agreement.resolve()
            self.beat()
