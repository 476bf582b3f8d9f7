"""What must hold whatever goes wrong. Each rule is worked out here anew, from what the world saw.

=========================  ==========================================================================================
one_order_per_intent       no client order id is sent to the venue twice
intent_before_bytes        an order leaves only after its intent is durable (or it reduces, and the store is down)
nothing_grows_restricted   an order that can grow a position leaves only while trading is active
reduce_only_reduces        a reduce-only order is never larger than the position, and on the other side
limits_hold                position and working orders together never pass the limit of a symbol
books_add_up               the ledger sums to zero; positions are the sum of fills; balance follows from its facts
status_never_regresses     an order that has ended stays ended, and what was filled stays filled
unknown_is_resolved        no order stays of unknown outcome while the venue answers
halt_is_kept               what the operator halted stays halted, over restarts too
health_is_true             a bot whose store or pump is gone does not say that it is ready
books_equal_the_venue      at rest: positions, balance, working orders, as the venue has them
positions_are_protected    at rest: every position that shall have a stop has one of its size
exits_get_through          at the end: a flatten leaves nothing
stop_leaves_nothing        a clean stop leaves what its policy wants, or says what else is left
memory_survives            a restart knows every durable fill, and no other
bot_comes_up               a start is refused only for a reason that the plan gave
=========================  ==========================================================================================
"""

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal

from app.domain.events import AccountEvent, Fill, StreamEvent
from app.domain.ledger import Account
from app.domain.money import ZERO, plain
from app.domain.order import Order, OrderStatus, Purpose
from app.domain.records import OrderRecord
from app.domain.trading_state import HALT, OPERATOR, TradingLevel
from app.lifecycle import HealthReport
from app.ports.portfolio import PortfolioView
from app.simulation.life import Life
from app.simulation.store import SimulatedStore, fills_of
from app.simulation.venue import STRANGER, Venue

UNKNOWN_S_MAX = 120.0
"""How long an outcome may stay unknown: the validity of a request, a query, and what the plan slows it down by."""
PUMP = "runtime.pump"
SIZES_KEPT_MAX = 64
RECORDED_S = 10.0
"""In which a sound store has made everything durable that it was given."""


class Violation(Exception):
    """A rule was broken. The run ends here."""

    def __init__(self, rule: str, what: str) -> None:
        self.rule = rule
        super().__init__(f"{rule}: {what}")


class Watch:
    """Looks on, from the first life to the last."""

    def __init__(self, venue: Venue, store: SimulatedStore, now_s: Callable[[], float], limit: Decimal | None) -> None:
        self._venue = venue
        self._store = store
        self._now_s = now_s
        self._position_limit = limit
        self._halted_s: float | None = None
        self._ended: dict[str, OrderStatus] = {}
        self._filled: dict[str, Decimal] = {}
        self._unknown_since: dict[str, float] = {}
        self._sizes: deque[tuple[int, Decimal]] = deque(maxlen=SIZES_KEPT_MAX)
        """Sizes of positions before their latest fills, and when: an order may wait for the store while one shrinks."""

    # -- at every order ------------------------------------------------------------------------------------------

    def on_submit(self, life: Life, order: Order) -> None:
        """Judge an order of which nothing has left yet."""
        context = life.context
        books, trading = life.bot.execution, context.trading_state.current
        portfolio = context.portfolio
        key = order.client_order_id
        if self._venue.arrived[key]:
            raise Violation("one_order_per_intent", f"{key} is sent again")
        if key not in self._store.intended and not (order.reduce_only and life.journal.failure is not None):
            raise Violation("intent_before_bytes", f"{key} leaves, and its intent is not durable")
        held = portfolio.position(order.symbol).contracts
        if order.reduce_only:
            since = [size for at_ns, size in self._sizes if at_ns >= order.created_ns]
            if held * order.signed_contracts >= 0 or order.contracts > max([abs(held), *since]):
                raise Violation("reduce_only_reduces", f"{order.side} {order.contracts} of {held} {order.symbol}")
            return
        if trading.level is not TradingLevel.ACTIVE:
            raise Violation("nothing_grows_restricted", f"{key} leaves while trading is {trading.level}")
        self._judge_size(order, held, books.orders(), portfolio.mark(order.symbol))

    def _judge_size(self, order: Order, held: Decimal, working: tuple[OrderRecord, ...], mark: Decimal | None) -> None:
        limit = self._position_limit
        if limit is None or mark is None:
            return
        same = [
            record.order.contracts - record.filled
            for record in working
            if record.order.symbol == order.symbol
            and record.order.side is order.side
            and not record.order.reduce_only
            and record.order.client_order_id != order.client_order_id
        ]
        total = abs(held * order.side.sign + sum(same, ZERO) + order.contracts)
        value = total * self._venue.instruments[order.symbol].contract_size * mark
        if value > limit:
            raise Violation("limits_hold", f"{order.client_order_id} makes {plain(value)} of at most {plain(limit)}")

    # -- after every event ---------------------------------------------------------------------------------------

    def on_event(self, life: Life, event: StreamEvent) -> None:
        """Judge the books after the bot has taken an event in."""
        context = life.context
        ledger = context.portfolio.ledger
        if sum(ledger.totals.values(), ZERO):
            raise Violation("books_add_up", f"the ledger sums to {sum(ledger.totals.values())}")
        if isinstance(event, Fill):
            after = context.portfolio.position(event.symbol).contracts
            self._sizes.append((context.clock.now_ns, abs(after - event.signed_contracts)))
        if isinstance(event, AccountEvent):
            self._judge_orders(life.bot.execution.orders())
        elif self._unknown_since:
            self._judge_patience()

    def _judge_orders(self, working: tuple[OrderRecord, ...]) -> None:
        now, present = self._now_s(), {record.order.client_order_id: record for record in working}
        for key, record in present.items():
            if key in self._ended:
                raise Violation("status_never_regresses", f"{key} was {self._ended[key]} and is {record.status}")
            if record.filled < self._filled.get(key, ZERO):
                raise Violation("status_never_regresses", f"{key} had {self._filled[key]} filled, now {record.filled}")
            self._filled[key] = record.filled
            if record.status is OrderStatus.UNKNOWN:
                self._unknown_since.setdefault(key, now)
            else:
                self._unknown_since.pop(key, None)
        for key in self._filled.keys() - present.keys():
            self._ended[key] = OrderStatus.FILLED
            del self._filled[key]
            self._unknown_since.pop(key, None)
        self._judge_patience()

    def _judge_patience(self) -> None:
        late = [key for key, since in self._unknown_since.items() if self._now_s() - since > UNKNOWN_S_MAX]
        if late:
            raise Violation("unknown_is_resolved", f"{', '.join(late)} for more than {UNKNOWN_S_MAX:g} s")

    # -- at the turns of a life ----------------------------------------------------------------------------------

    def on_ready(self, life: Life) -> None:
        """Judge what a start has found again."""
        context = life.context
        self._unknown_since.clear()
        self._filled = {}
        # What an earlier life believed ended and could not write down is found working again, rightly.
        self._ended = {}
        held = self._held_by_fills(context.portfolio, fills_of(self._store))
        for symbol, (ours, by_fills) in held.items():
            if ours != by_fills:
                raise Violation("memory_survives", f"{symbol}: {ours} in the books, {by_fills} by the fills on record")
        halted_s = self._halted_s
        is_old = halted_s is not None and self._store.healthy_since_s < halted_s < self._now_s() - RECORDED_S
        if is_old and not context.trading_state.current.holds(OPERATOR, HALT):
            raise Violation("halt_is_kept", "the operator's halt is gone after a restart")

    def on_halt(self, life: Life) -> None:
        """Note that the operator has halted."""
        self._halted_s = self._now_s()
        if life.context.trading_state.current.level is not TradingLevel.HALTED:
            raise Violation("halt_is_kept", "halted, and trading goes on")

    def on_resume(self) -> None:
        """Note that the operator lifts the halt."""
        self._halted_s = None

    def on_health(self, life: Life, report: HealthReport, *, pump_runs: bool) -> None:
        """Judge what the bot says of itself."""
        if report.ready and (life.journal.failure is not None or not pump_runs):
            raise Violation("health_is_true", f"ready, store: {life.journal.failure}, pump runs: {pump_runs}")

    def on_stop(self, life: Life, errors: list[Exception], working: tuple[OrderRecord, ...]) -> None:
        """Judge what a clean stop has left at the venue. ``working`` is the venue's word."""
        del life
        left = [
            record.order.client_order_id
            for record in working
            if not record.order.is_protective and record.order.account_id != STRANGER
        ]
        if left and not errors:
            raise Violation("stop_leaves_nothing", f"{', '.join(left)} work on, and the stop was said to be clean")

    # -- at rest -------------------------------------------------------------------------------------------------

    def differences(self, life: Life) -> list[str]:
        """Return where the books and the venue are apart; a venue at rest and a bot that is up have none."""
        context = life.context
        portfolio, venue = context.portfolio, self._venue
        ours = {position.symbol: position.contracts for position in portfolio.positions}
        theirs = {position.symbol: position.contracts for position in venue.positions}
        found = [] if ours == theirs else [f"positions {_text(ours)} and {_text(theirs)}"]
        if portfolio.balance != venue.balance:
            found.append(f"balance {portfolio.balance} and {venue.balance}")
        working = {record.order.client_order_id for record in life.bot.execution.orders()}
        there = {record.order.client_order_id for record in venue.open_orders()}
        if working != there:
            found.append(f"orders {sorted(working - there)} only here, {sorted(there - working)} only there")
        return found

    def on_rest(self, life: Life) -> None:
        """Judge the money, once the venue rests and nothing is on its way."""
        if life.journal.failure is None:
            self._judge_balance(life.context.portfolio.ledger.totals)

    def _judge_balance(self, totals: Mapping[Account, Decimal]) -> None:
        fees = sum((fill.fee for fill in self._venue.fills), ZERO)
        funding = sum((paid.amount for paid in self._venue.settlements), ZERO)
        if totals[Account.FEES] != fees:
            raise Violation("books_add_up", f"fees are {totals[Account.FEES]}, the venue took {fees}")
        if -totals[Account.FUNDING] != funding:
            raise Violation("books_add_up", f"funding is {-totals[Account.FUNDING]}, the venue paid {funding}")

    def unprotected(self, life: Life) -> list[str]:
        """Return the positions whose stops at the venue are not what their strategies want."""
        found = []
        for position in self._venue.positions:
            stops = [
                record.order.contracts - record.filled
                for record in self._venue.open_orders()
                if record.order.symbol == position.symbol and record.order.purpose is Purpose.STOP_LOSS
            ]
            if life.bot.execution.wants_stop(position.symbol) and stops != [abs(position.contracts)]:
                found.append(f"{plain(position.contracts)} {position.symbol} has stops of {[plain(s) for s in stops]}")
        return found

    def _held_by_fills(self, portfolio: PortfolioView, fills: list[Fill]) -> dict[str, tuple[Decimal, Decimal]]:
        sums: dict[str, Decimal] = dict.fromkeys(self._venue.instruments, ZERO)
        for fill in fills:
            sums[fill.symbol] += fill.signed_contracts
        return {symbol: (portfolio.position(symbol).contracts, total) for symbol, total in sums.items()}


def _text(positions: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{symbol} {plain(contracts)}" for symbol, contracts in positions.items()) or "none"
