"""What must hold whatever goes wrong. Each rule is worked out here anew, from what the world saw.

=========================  ==========================================================================================
one_order_per_intent       no client order id is sent to the venue twice
intent_before_bytes        an order leaves only after its intent is durable (or it reduces, and the store is down)
nothing_grows_restricted   an order that can grow a position leaves only while trading is active, no outcome is unknown,
                           the account was read since the stream broke, and the symbol's prices can be trusted
reduce_only_reduces        exits and stops are reduce-only, never larger than the position, and on the other side
limits_hold                positions and all orders that work together never pass a limit: order, symbol, account
books_add_up               the ledger sums to zero; fees, funding and profit are what the venue took and paid
status_never_regresses     an order that has ended stays ended, what was filled stays filled, what works is known
unknown_is_resolved        an outcome is unknown until the venue has told it, and not for long while it answers
halt_is_kept               what the operator halted stays halted, over restarts too; what can grow is canceled soon
health_is_true             a bot whose store or pump is gone does not say that it is ready
books_equal_the_venue      at rest: positions, balance, working orders, as the venue has them
positions_are_protected    every position that shall have a stop has one; at rest: one of its size, at the venue
stops_trail                where the bot trails: a stop never goes back, one that rests goes only once the next rests;
                           at rest it is less than a step behind
exits_get_through          no limit holds an exit up; one that is refused is sent again; a flatten leaves nothing
stop_leaves_nothing        a clean stop leaves what its policy wants; a stop that does not says so
memory_survives            books, targets and the guards' figures are what the records say, over restarts too
bot_comes_up               a start is refused only for a reason that the plan gave; at rest it trades
bot_stays_up               a bot that was not asked to end ends only for a reason that the plan gave
exit_code_is_true          a bot that ends because it cannot go on does not end with the code of a clean stop
=========================  ==========================================================================================
"""

from collections.abc import Callable

from app.domain.events import AccountEvent, Fill, OrderUnknown, StreamEvent
from app.domain.market import MarkPrice
from app.domain.money import ZERO
from app.domain.order import Order
from app.domain.records import Record
from app.domain.target import Target
from app.settings.models import Settings
from app.simulation.life import Life
from app.simulation.life_rules import LifeRules
from app.simulation.order_rules import OrderRules
from app.simulation.position_rules import PositionRules
from app.simulation.seen import Seen
from app.simulation.sending_rules import SendingRules
from app.simulation.store import SimulatedStore
from app.simulation.trailing_rules import TrailingRules
from app.simulation.venue import Venue
from app.simulation.violation import Violation

PUMP = "runtime.pump"


class Watch:
    """Looks on, from the first life to the last."""

    def __init__(self, venue: Venue, store: SimulatedStore, now_s: Callable[[], float], settings: Settings) -> None:
        self.seen = Seen(venue, store, now_s, settings)
        self.sending = SendingRules(self.seen)
        self.orders = OrderRules(self.seen)
        self.positions = PositionRules(self.seen)
        self.trailing = TrailingRules(self.seen)
        self.turns = LifeRules(self.seen, self.positions)

    def on_born(self) -> None:
        """Start over with what is durable: a new process begins."""
        self.seen.record.begin(self.seen.store.records)
        self.seen.wanted = dict(self.seen.record.targets)
        self.seen.ready_s = None
        self.sending.begin()
        self.orders.begin()
        self.positions.begin()
        self.trailing.begin()
        self.turns.begin()

    def on_ready(self, life: Life) -> None:
        """Judge what a start has found again."""
        self.seen.ready_s = self.seen.now_s()
        self.turns.on_ready(life)

    def on_append(self, life: Life, records: tuple[Record, ...]) -> None:
        """Judge what the bot writes down, as it does."""
        if life.journal.failure is None:
            self.seen.record.add(records)
        self.positions.judge_entries(records)
        for record in records:
            if isinstance(record, Target):
                self.seen.wanted[record.symbol] = record
            self.sending.on_append(life, record)
            self.orders.on_append(record)
            self.trailing.on_append(life, record)

    def on_submit(self, life: Life, order: Order) -> None:
        """Judge an order of which nothing has left yet."""
        self.sending.on_submit(life, order)
        self.trailing.on_submit(life, order)

    def on_event(self, life: Life, event: StreamEvent) -> None:
        """Judge the books after the bot has taken an event in."""
        if isinstance(event, AccountEvent):
            total = sum(life.context.portfolio.ledger.totals.values(), ZERO)
            if total:
                raise Violation("books_add_up", f"the ledger sums to {total}")
            if isinstance(event, Fill):
                self.sending.on_fill(life, event)
                self.positions.on_fill(event)
            elif isinstance(event, OrderUnknown):
                self.orders.on_unknown(life, event)
            self.orders.judge(life)
        elif isinstance(event, MarkPrice):
            self.trailing.on_mark(life, event)

    def on_look(self, life: Life) -> None:
        """Judge, from time to time, what must be so at any time."""
        self.orders.judge_late(life)
        self.orders.judge_forgotten(life)
        self.positions.judge_care(life)
        self.trailing.judge(life)
        self.turns.judge_halt(life)
        if life.journal.failure is None:
            self.positions.judge_memory(life)

    def on_rest(self, life: Life) -> None:
        """Judge the money, once the venue rests and nothing is on its way."""
        self.positions.judge_money(life)
