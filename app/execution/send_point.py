"""The one send point: no other module may hand an order to an exchange."""

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from app.domain.denial import Denial
from app.domain.errors import DomainError
from app.domain.events import CancelRejected, OrderCanceled, OrderUnknown, Severity
from app.domain.margin import MarginMode
from app.domain.money import ZERO
from app.domain.order import Order, OrderStatus
from app.domain.reasons import EXECUTION
from app.domain.records import CancelIntended, OrderDenied, OrderIntended, OrderSent
from app.domain.trading_state import TradingLevel
from app.execution.books import AccountBooks
from app.execution.tracker import TrackedOrder
from app.ports.ids import Ids
from app.ports.journal import Journal, JournalFailed, LeaseLost
from app.ports.order_entry import OrderEntry
from app.ports.risk import Risk
from app.ports.trading_state import TradingStatePort

STORE_FAILED = "store_failed"
LEASE_LOST = "lease_lost"
_INTENDED = OrderStatus.INTENDED


class NothingToReduce(DomainError):
    """A reduce-only order met a flat position, or one on the same side."""


def clamp_to_position(order: Order, held: Decimal) -> Order:
    """Return a reduce-only order cut to the position, so that it can never flip it; any other order as it is.

    Raises:
        NothingToReduce: There is no position on the other side.
    """
    if not order.reduce_only:
        return order
    if held * order.signed_contracts >= ZERO:
        raise NothingToReduce(f"there is no {order.symbol} position that a {order.side} could reduce")
    if order.contracts <= abs(held):
        return order
    return msgspec.structs.replace(order, contracts=abs(held))


class SendPoint:
    """Judges, journals and sends. The intent is durable before the first byte leaves."""

    def __init__(
        self,
        order_entry: OrderEntry,
        journal: Journal,
        risk: Risk,
        books: AccountBooks,
        ids: Ids,
        trading_state: TradingStatePort,
        publish: Callable[[object], None],
        tell: Callable[[OrderUnknown | CancelRejected], None],
        on_lost: Callable[[LeaseLost], None] = lambda _: None,
    ) -> None:
        """Send nothing yet.

        Args:
            order_entry: The way to the exchange.
            journal: Where an intent is durable before it leaves.
            risk: Judges orders.
            books: Of the account.
            ids: Name orders.
            trading_state: Says what may leave.
            publish: Called with facts.
            tell: Called with what an adapter that raised could not put on its stream; taken in as if it had.
            on_lost: Called when another bot may write for the account.
        """
        self._on_lost = on_lost
        self.lost: LeaseLost | None = None
        """Set once another bot may write for this account: nothing leaves any more, what reduces included."""
        self._order_entry = order_entry
        self._journal = journal
        self._risk = risk
        self._books = books
        self._ids = ids
        self._trading_state = trading_state
        self._publish = publish
        self._tell = tell

    def send(self, draft: Order) -> TrackedOrder | Denial:
        """Send an order, once risk allows it and its intent is durable.

        Check and reservation happen without a pause: from here on the order counts as working.
        """
        books = self._books
        order = msgspec.structs.replace(draft, client_order_id=self._ids.next_client_order_id())
        if self.lost is not None:
            return self._deny(order, Denial("lease", str(self.lost), "this bot alone writes for the account"))
        if order.reduce_only:
            try:
                order = clamp_to_position(order, books.portfolio.position(order.symbol).contracts)
            except NothingToReduce as error:
                return self._deny(order, Denial("reduce_only", str(error), "a position on the other side"))
        denial = self._risk.check(order, books)
        if denial is not None:
            return self._deny(order, denial)
        tracked = books.tracker.intend(order)
        books.note_intent(order)
        intent = OrderIntended(order, order.created_ns)
        try:
            ticket = self._journal.append(intent)
        except JournalFailed as error:
            self._publish(intent)
            self.store_failed(error)
            return tracked
        self._publish(intent)
        if ticket.durable:
            self._release(tracked)
        else:
            ticket.when_durable(lambda: self._release(tracked))
        return tracked

    def cancel(self, tracked: TrackedOrder, reason: str) -> None:
        """Ask for an order to be canceled, once. A cancel never waits for the store."""
        self.cancel_all((tracked,), reason)

    def cancel_all(self, orders: Iterable[TrackedOrder], reason: str) -> None:
        """Ask for orders to be canceled, each once. All requests leave before the first of them is put on record."""
        asked: list[CancelIntended] = []
        unsent = []
        failure = self._journal.failure
        if isinstance(failure, LeaseLost):
            # The account may be another bot's by now: a machine that slept learns so from its clock alone.
            self._restrict(failure)
        for tracked in orders:
            if tracked.cancel_requested or not tracked.is_working or self.lost is not None:
                continue
            tracked.cancel_requested = True
            if tracked.status is _INTENDED:
                unsent.append(tracked)
                continue
            self._cancel(tracked.order, reason)
            asked.append(CancelIntended(tracked.order.client_order_id, self._books.clock.now_ns, reason))
        if asked:
            self._record(*asked)
        for tracked in unsent:
            self._withdraw(tracked, reason)

    def cancel_again(self, tracked: TrackedOrder, reason: str) -> None:
        """Ask once more for an order that was asked for before: that intent is on record already."""
        if self.lost is None:
            tracked.cancel_requested = True
            self._cancel(tracked.order, reason)

    def store_failed(self, error: JournalFailed) -> None:
        """Restrict trading, and let go of the orders that wait for the store: it will not call back any more.

        What reduces goes out all the same, and reconciliation adopts it; what grows is withdrawn. With a lost lease
        nothing goes out: the orders are another bot's by now.
        """
        self._restrict(error)
        for tracked in self._books.tracker.all_working():
            if tracked.status is not _INTENDED:
                continue
            if tracked.order.reduce_only and self.lost is None:
                self._release(tracked)
            else:
                self._withdraw(tracked, f"its intent could not be recorded: {error}")

    async def configure(self, symbol: str, margin_mode: MarginMode, leverage: Decimal) -> None:
        """Set margin mode and leverage of a symbol at the exchange."""
        await self._order_entry.configure(symbol, margin_mode, leverage)

    def _release(self, tracked: TrackedOrder) -> None:
        """Hand a durable order over, unless trading was restricted while it waited."""
        order, books = tracked.order, self._books
        if tracked.status is not _INTENDED:
            return
        if self.lost is not None:
            self._withdraw(tracked, str(self.lost))
            return
        trading = self._trading_state.current
        if not order.reduce_only and trading.reasons:
            level = trading.level_in(order.symbol)
            if level is not TradingLevel.ACTIVE:
                self._withdraw(tracked, f"trading became {level} before it was sent")
                return
        if order.reduce_only and books.portfolio.position(order.symbol).contracts * order.signed_contracts >= 0:
            # It waited for the store, and meanwhile a stop or a stranger closed the position.
            self._withdraw(tracked, "there is nothing to reduce any more")
            return
        client_order_id = order.client_order_id
        try:
            self._journal.append(OrderSent(client_order_id, books.clock.now_ns))
        except JournalFailed as error:
            self._restrict(error)
            if self.lost is not None:
                self._withdraw(tracked, str(self.lost))
                return
        books.tracker.sent(client_order_id)
        try:
            self._order_entry.submit(order)
        except Exception as error:  # noqa: BLE001 - whatever an adapter raises, the order may have left
            self._tell_unknown(order, f"the adapter failed while it sent: {type(error).__name__}: {error}")

    def _cancel(self, order: Order, reason: str) -> None:
        """Ask for an order to be canceled; where the adapter raises, it is asked what became of it, and asked again."""
        try:
            self._order_entry.cancel(order, reason)
        except Exception as error:  # noqa: BLE001 - as above: the cancel may have left
            why = f"the adapter failed while it canceled: {type(error).__name__}: {error}"
            self._tell_unknown(order, why)
            self._tell(CancelRejected(order.client_order_id, order.symbol, self._books.clock.now_ns, why))

    def _tell_unknown(self, order: Order, why: str) -> None:
        self._tell(OrderUnknown(order.client_order_id, order.symbol, self._books.clock.now_ns, why))

    def _withdraw(self, tracked: TrackedOrder, reason: str) -> None:
        order = tracked.order
        self._books.tracker.withdraw(order.client_order_id, reason)
        event = OrderCanceled(order.client_order_id, order.symbol, self._books.clock.now_ns, reason)
        self._record(event)
        self._publish(event)

    def _deny(self, order: Order, denial: Denial) -> Denial:
        record = OrderDenied(order, order.created_ns, denial.rule, denial.value, denial.limit)
        self._record(record)
        self._publish(record)
        return denial

    def _record(self, *records: CancelIntended | OrderCanceled | OrderDenied) -> None:
        try:
            self._journal.append(*records)
        except JournalFailed as error:
            self._restrict(error)

    def _restrict(self, error: JournalFailed) -> None:
        if isinstance(error, LeaseLost) and self.lost is None:
            self.lost = error
            self._trading_state.raise_reason(EXECUTION, LEASE_LOST, Severity.HALTED, str(error))
            self._on_lost(error)
        self._trading_state.raise_reason(EXECUTION, STORE_FAILED, Severity.REDUCE_ONLY, str(error))
