"""The rules that an order is judged by when it is intended, and when it leaves."""

from collections import deque
from decimal import Decimal

from app.domain.events import BookStale, Fill, StreamEvent, StreamReset
from app.domain.market import MarkPrice
from app.domain.order import Order, OrderStatus, Purpose
from app.domain.records import OrderDenied, OrderIntended, Record
from app.domain.trading_state import TradingLevel
from app.simulation.life import Life
from app.simulation.seen import Seen, is_up, level_of, working_orders
from app.simulation.violation import Violation
from app.simulation.worst_case import excess

SIZES_KEPT_MAX = 64
NOTHING_TO_REDUCE = "reduce_only"
"""The one ground on which an exit may be denied, if it is true."""


class SendingRules:
    """Judges each order in the call in which it is written down or sent."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._sizes: deque[tuple[str, int, Decimal]] = deque(maxlen=SIZES_KEPT_MAX)
        """Sizes of positions before their latest fills, and when: an order may wait for the store while one shrinks."""
        self._stale: set[str] = set()
        """Symbols whose prices cannot be trusted."""
        self._cut_off_s: float | None = None
        """Since when nobody has read the account although the stream was interrupted."""

    def begin(self) -> None:
        """A new process knows nothing of an interrupted stream."""
        self._stale.clear()
        self._cut_off_s = None

    def on_taken(self, event: StreamEvent) -> None:
        """Note what is about to be told to the bot."""
        if isinstance(event, BookStale):
            self._stale.add(event.symbol)
        elif isinstance(event, MarkPrice):
            self._stale.discard(event.symbol)
        elif isinstance(event, StreamReset):
            self._stale.update(self._seen.venue.instruments)
            self._cut_off_s = self._seen.now_s()

    def on_positions(self, began_s: float) -> None:
        """Note that the bot has read its positions, by a question asked at ``began_s``."""
        if self._cut_off_s is not None and began_s >= self._cut_off_s:
            self._cut_off_s = None

    def on_fill(self, life: Life, fill: Fill) -> None:
        """Note how large a position was before a fill that was taken in."""
        after = life.context.portfolio.position(fill.symbol).contracts
        self._sizes.append((fill.symbol, life.context.clock.now_ns, abs(after - fill.signed_contracts)))

    def on_append(self, life: Life, record: Record) -> None:
        """Judge what the bot writes down about an order that it wants."""
        if isinstance(record, OrderDenied):
            self._judge_denial(life, record)
        elif isinstance(record, OrderIntended) and not record.order.reduce_only:
            self._judge_growth(life, record.order)

    def _judge_denial(self, life: Life, denied: OrderDenied) -> None:
        order = denied.order
        if order.purpose is not Purpose.EXIT:
            return
        held = life.context.portfolio.position(order.symbol).contracts
        if denied.rule != NOTHING_TO_REDUCE or held:
            what = f"{order.side} {order.contracts} of {held} {order.symbol} is denied: {denied.rule} {denied.value}"
            raise Violation("exits_get_through", what)

    def _judge_growth(self, life: Life, order: Order) -> None:
        key, symbol = order.client_order_id, order.symbol
        if not is_up(life) or not life.context.ids.is_ours(key):
            # What is adopted was sent by an earlier life, or by somebody else.
            return
        if symbol in self._stale:
            raise Violation("nothing_grows_restricted", f"{key} is intended, and no price of {symbol} can be trusted")
        if self._cut_off_s is not None:
            what = f"{key} is intended, and the account was not read since the stream broke at {self._cut_off_s:.1f} s"
            raise Violation("nothing_grows_restricted", what)
        working = working_orders(life)
        known = {record.order.client_order_id for record in working}
        # An order that lives at the venue and not in the books counts all the same.
        forgotten = [record for record in self._seen.resting_orders() if record.order.client_order_id not in known]
        portfolio, settings = life.context.portfolio, self._seen.settings
        passed = excess(order, (*working, *forgotten), portfolio, self._seen.venue.instruments, settings.risk)
        if passed:
            raise Violation("limits_hold", f"{key}: {passed}")

    def on_submit(self, life: Life, order: Order) -> None:
        """Judge an order of which nothing has left yet."""
        seen, key = self._seen, order.client_order_id
        if seen.venue.arrived[key] or key in seen.venue.travelling:
            raise Violation("one_order_per_intent", f"{key} is sent again")
        if key not in seen.store.intended and not (order.reduce_only and life.journal.failure is not None):
            raise Violation("intent_before_bytes", f"{key} leaves, and its intent is not durable")
        if order.purpose is not Purpose.ENTRY and not order.reduce_only:
            raise Violation("reduce_only_reduces", f"{key} is a {order.purpose} and could grow a position")
        if order.reduce_only:
            self._judge_size(life, order)
        else:
            self._judge_leave(life, order)

    def _judge_size(self, life: Life, order: Order) -> None:
        held = life.context.portfolio.position(order.symbol).contracts
        since = [size for symbol, ns, size in self._sizes if symbol == order.symbol and ns >= order.created_ns]
        if held * order.signed_contracts >= 0 or order.contracts > max([abs(held), *since]):
            raise Violation("reduce_only_reduces", f"{order.side} {order.contracts} of {held} {order.symbol}")

    def _judge_leave(self, life: Life, order: Order) -> None:
        key, level = order.client_order_id, level_of(life.context.trading_state.current)
        if level is not TradingLevel.ACTIVE:
            raise Violation("nothing_grows_restricted", f"{key} leaves while trading is {level}")
        if self._seen.halted_s is not None:
            raise Violation("halt_is_kept", f"{key} leaves, and the operator has halted")
        unknown = [r.order.client_order_id for r in working_orders(life) if r.status is OrderStatus.UNKNOWN]
        if unknown:
            raise Violation("nothing_grows_restricted", f"{key} leaves, and nobody knows of {', '.join(unknown)}")
