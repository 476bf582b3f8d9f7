"""Works towards targets: what is wanted of each symbol, how far that has come, and what must be tried again."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.denial import Denial
from app.domain.events import Fill, Severity
from app.domain.instrument import Instrument
from app.domain.money import ZERO, plain
from app.domain.order import PROTECTIVE, Order, Purpose, Side
from app.domain.reasons import EXECUTION
from app.domain.records import DustHeld, MemoryLost, StateSaved
from app.domain.target import Target
from app.execution.books import AccountBooks
from app.execution.exits import Exits
from app.execution.planner import Plan, Pursuit, plan
from app.execution.protection import Protection
from app.execution.retries import Retries
from app.execution.send_point import SendPoint
from app.execution.tracker import TrackedOrder
from app.execution.trailing import trail_after
from app.ports.trading_state import TradingStatePort

UNREADABLE = "unreadable_target:"
"""With the symbol behind it."""
_ENTRY = Purpose.ENTRY
_MUST_GET_THROUGH = (Purpose.EXIT, *PROTECTIVE)


class Pursuits:
    """One pursuit a symbol, worked whenever something has changed: outcomes come back as events and lead here again."""

    def __init__(
        self,
        books: AccountBooks,
        send_point: SendPoint,
        trading_state: TradingStatePort,
        record: Callable[..., None],
        publish: Callable[[object], None],
        *,
        keep: bool,
        trails: bool,
    ) -> None:
        """Begin with nothing wanted.

        Args:
            books: Of the account; only read.
            send_point: Where orders leave.
            trading_state: What holds growth back.
            record: Puts records into the journal.
            publish: Tells facts.
            keep: Whether pursuits outlive the run.
            trails: Whether trailing stops are moved here, because the exchange holds none.
        """
        self._books = books
        self._portfolio = books.portfolio
        self._tracker = books.tracker
        self._send_point = send_point
        self._trading_state = trading_state
        self._record = record
        self._publish = publish
        self._keep = keep
        self._trails = trails
        self._pursuits: dict[str, Pursuit] = {}
        self._retries = Retries(books.clock)
        self.exits = Exits(books, trading_state, self.must_go, self._retries)
        self.protection = Protection(books, trading_state, self.wants_stop, self._retries)
        self._saved = True
        self._held_back = True
        self._dust: dict[str, Decimal] = {}
        """What is held beyond whole lots, by symbol, as it was told."""
        self.unfinished: Final[set[str]] = set()
        """Symbols to be worked again at their next price: who brings prices holds on to this very set."""

    def release(self) -> None:
        """Begin to act. Before, facts that were missed come in one by one, and it is not known what is left to do."""
        self._held_back = False

    def defer(self, symbol: str) -> None:
        """Have a symbol worked again at its next price."""
        self.unfinished.add(symbol)

    # -- what is wanted ------------------------------------------------------------------------------------------

    def take(self, target: Target) -> bool:
        """Take a target in, and work towards it; False when it is no newer than what is pursued."""
        current = self._pursuits.get(target.symbol)
        if current is not None and target.sequence <= current.target.sequence:
            return False
        if current is not None and _protection(target) != _protection(current.target):
            self._retries.hasten(target.symbol, *PROTECTIVE)
        self._put(target)
        return True

    def sequence_of(self, symbol: str) -> int:
        """Return the sequence of the latest target of ``symbol``; 0 when there was none."""
        pursuit = self._pursuits.get(symbol)
        return 0 if pursuit is None else pursuit.target.sequence

    def wants_stop(self, symbol: str) -> bool:
        """Whether the position in ``symbol`` is one that a strategy wants protected by a stop."""
        pursuit, held = self._pursuits.get(symbol), self._portfolio.position(symbol).contracts
        if pursuit is None or held * pursuit.target.contracts <= 0:
            return False
        return pursuit.target.stop is not None or pursuit.target.trailing is not None

    def must_go(self, symbol: str) -> bool:
        """Whether the position in ``symbol``, or a part of it that can be traded, is not wanted."""
        pursuit, held = self._pursuits.get(symbol), self._portfolio.position(symbol).contracts
        return pursuit is not None and bool(pursuit.excess(held, self._books.instruments[symbol].lot_size))

    def unsafe(self) -> dict[str, str]:
        """Return the positions without a stop that is wanted, and those that cannot be left: words by symbol."""
        exposed = dict.fromkeys(self.protection.bare(), "without its stop")
        exposed |= {symbol: f"that cannot be left ({why})" for symbol, why in self.exits.stuck().items()}
        held = self._portfolio.position
        return {symbol: f"position {plain(held(symbol).contracts)} {symbol} {how}" for symbol, how in exposed.items()}

    def flatten(self, reason: str, symbols: Iterable[str]) -> None:
        """Close positions, reduce-only, and void their targets."""
        for symbol in symbols:
            pursuit = self._pursuits.get(symbol)
            grows = any(not item.order.reduce_only for item in self._tracker.working(symbol))
            if not self._portfolio.position(symbol).contracts and not grows:
                if pursuit is not None:
                    pursuit.void, self._saved = True, False
                continue
            flat = Target(
                strategy_id="operator" if pursuit is None else pursuit.target.strategy_id,
                symbol=symbol,
                contracts=ZERO,
                sequence=self.sequence_of(symbol),
                time_ns=self._books.clock.now_ns,
                reason=reason,
            )
            self.exits.begin_anew(symbol)
            self._put(flat)
            self.work(symbol)

    def note_fill(self, fill: Fill, held: Decimal, tracked: TrackedOrder | None) -> None:
        """Take in what an exit has done; void the target when it is one that the strategy did not order.

        Of a position that must go anyway such an exit only does its part: what it leaves is still to be closed.

        Args:
            fill: What was filled.
            held: Signed contracts before it.
            tracked: The order that it is of; None for a stranger's, or a liquidation.
        """
        if tracked is not None and tracked.order.purpose is Purpose.EXIT:
            self.exits.begin_anew(fill.symbol)
        pursuit = self._pursuits.get(fill.symbol)
        ordered = tracked is not None and tracked.order.purpose not in PROTECTIVE
        if pursuit is None or ordered or held * fill.signed_contracts >= 0:
            return
        if held * pursuit.target.contracts > 0:
            pursuit.void, self._saved = True, False

    def list_anew(self, instrument: Instrument) -> None:
        """Bring what protects a position onto the tick as it is now: off it, the exchange would take no stop."""
        pursuit = self._pursuits.get(instrument.symbol)
        if pursuit is not None:
            pursuit.target, self._saved = pursuit.target.on_tick(instrument), False

    # -- work ----------------------------------------------------------------------------------------------------

    def work(self, symbol: str, *, may_enter: bool = True) -> None:
        """Cancel and send what the plan says, once."""
        pursuit = self._pursuits.get(symbol)
        if pursuit is None or self._held_back:
            return
        held = self._portfolio.position(symbol).contracts
        if not held:
            self._retries.forget(symbol, *_MUST_GET_THROUGH)
        elif not pursuit.void and held * pursuit.target.contracts <= ZERO:
            # Until it is gone: an exit that is refused, denied or lost is sent again at the next price.
            self.unfinished.add(symbol)
        if self._trails and pursuit.target.trailing is not None:
            self._follow(pursuit)
        todo = self._plan(pursuit, held, may_enter=may_enter)
        if any(order.purpose is _ENTRY for order in todo.send):
            pursuit.entered = True
            self._saved = False
        if self._keep and not self._saved:
            # Before the first intent: whoever finds an order in the journal finds there what it was for.
            self.save()
        self._carry_out(symbol, todo)
        if self._trading_state.current.reasons:
            self.exits.settle(symbol)
            if not self.protection.settle(symbol):
                self.unfinished.add(symbol)

    def _plan(self, pursuit: Pursuit, held: Decimal, *, may_enter: bool) -> Plan:
        """Return what is to be done now, without what must wait."""
        symbol, tracker = pursuit.target.symbol, self._tracker
        todo = plan(
            pursuit,
            held,
            tracker.working(symbol) if tracker.open_orders else (),
            self._books.instruments[symbol],
            self._portfolio.account_id,
            self._books.clock.now_ns,
            late=self.protection.late(pursuit.target, held),
        )
        if todo.dust != self._dust.get(symbol, ZERO):
            self._dust[symbol] = todo.dust
            if todo.dust:
                self._publish(
                    DustHeld(symbol, todo.dust, self._books.instruments[symbol].lot_size, self._books.clock.now_ns)
                )
        if not may_enter:
            todo.send = [order for order in todo.send if order.purpose is not _ENTRY]
        if not self._retries.is_calm and not all(map(self._retries.is_due, todo.send)):
            todo.send = [order for order in todo.send if self._retries.is_due(order)]
            self.unfinished.add(symbol)
        return todo

    def _follow(self, pursuit: Pursuit) -> None:
        """Take in how far the price has gone since the position was entered; again at each price while it is held."""
        symbol = pursuit.target.symbol
        position = self._portfolio.position(symbol)
        if position.contracts * pursuit.target.contracts <= ZERO:
            pursuit.trail, self._saved = None, self._saved and pursuit.trail is None
            return
        self.unfinished.add(symbol)
        mark = self._portfolio.mark(symbol)
        if mark is None and pursuit.trail is None:
            # Found by a start that has heard no price yet: it has been at the price of the entry.
            mark = position.average_price(self._books.instruments[symbol])
        if mark is not None:
            before, side = pursuit.trail, Side.SELL if position.contracts > ZERO else Side.BUY
            pursuit.trail = trail_after(before, mark, side)
            if before is None or before.best != pursuit.trail.best:
                self._saved = False

    def after_rest(self, order: Order) -> None:
        """Go on after a protective order is known to rest: one that it takes the place of has done its part."""
        self._retries.rest(order)
        alike = [item for item in self._tracker.working(order.symbol) if item.order.purpose is order.purpose]
        if len(alike) > 1 or self._trading_state.current.reasons:
            self.work(order.symbol)

    def after_end(self, tracked: TrackedOrder) -> None:
        """Go on after an order has ended: filled, canceled, or refused by the exchange."""
        order = tracked.order
        symbol = order.symbol
        pursuit = self._pursuits.get(symbol)
        if pursuit is None:
            return
        if order.purpose is Purpose.EXIT:
            self.exits.note_end(tracked)
            if self.must_go(symbol):
                # What was refused is tried again at the next price, not at once: the exchange may refuse it again.
                self.unfinished.add(symbol)
                return
        if order.is_protective and self.protection.note_end(tracked):
            self.unfinished.add(symbol)
            return
        self.work(symbol)

    def resume(self) -> None:
        """Take up what an earlier run left: protect what is held at once, and go on at the first price."""
        for symbol in self._books.instruments:
            self.unfinished.add(symbol)
            self.work(symbol, may_enter=False)

    def finish(self, symbol: str) -> None:
        """Work a symbol again whose cancel or exit was refused, or that an earlier run left."""
        reasons = self._trading_state.current.reasons
        # What holds execution itself back will pass, unless only the operator lifts it: until then an entry waits,
        # instead of being denied for good.
        waits = bool(reasons) and any(
            each.owner == EXECUTION and not each.latched and each.severity is not Severity.SYMBOL_REDUCE_ONLY
            for each in reasons
        )
        if not waits:
            self.unfinished.discard(symbol)
        self.work(symbol, may_enter=not waits)

    def _put(self, target: Target) -> None:
        self._pursuits[target.symbol] = Pursuit(target)
        self.exits.settle(target.symbol)
        self._saved = False

    def _carry_out(self, symbol: str, todo: Plan) -> None:
        for order in todo.send:
            sent = self._send_point.send(order)
            if isinstance(sent, Denial) and order.purpose is not _ENTRY:
                self.unfinished.add(symbol)
                if order.is_protective:
                    self.protection.fail(order, str(sent))
                else:
                    self.exits.fail(order, f"exit not sent: {sent}")
        for tracked, reason in todo.cancel:
            self._send_point.cancel(tracked, reason)

    # -- memory --------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Put all pursuits on record, if anything is kept at all."""
        self._saved = True
        if self._keep:
            self._record(StateSaved(EXECUTION, msgspec.json.encode(self._pursuits), self._books.clock.now_ns))

    def restore(self, payload: bytes) -> None:
        """Take over what an earlier run saved; the positions must be known by now.

        What cannot be read of a symbol is dropped, and told: an exit is possible without it. Where something is held,
        nobody knows what was wanted of it, and growth waits for the operator.
        """
        try:
            saved = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
        except msgspec.MsgspecError as error:
            saved = {}
            for symbol in self._books.instruments:
                self._drop(symbol, str(error))
        for symbol, raw in saved.items():
            try:
                self._pursuits[symbol] = msgspec.json.decode(raw, type=Pursuit)
            except msgspec.MsgspecError as error:
                self._drop(symbol, str(error))
        for instrument in self._books.instruments.values():
            # Its tick may have become coarser meanwhile.
            self.list_anew(instrument)
        if not self._trails:
            # The run before was at an exchange that held no trailing stops.
            for pursuit in self._pursuits.values():
                pursuit.trail = None

    def _drop(self, symbol: str, error: str) -> None:
        self._publish(MemoryLost(self._books.clock.now_ns, f"what was wanted of {symbol}", error))
        held = self._portfolio.position(symbol).contracts
        if held:
            self._trading_state.raise_reason(
                EXECUTION,
                UNREADABLE + symbol,
                Severity.REDUCE_ONLY,
                f"{plain(held)} {symbol} are held, and what was wanted of them cannot be read: "
                f"flatten --symbol {symbol}, or look after its stop yourself; then resume",
                latched=True,
            )


def _protection(target: Target) -> tuple[Decimal | None, ...]:
    return target.stop, target.take_profit, target.trailing
