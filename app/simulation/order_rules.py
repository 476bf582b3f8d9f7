"""The rules of what the bot believes of its orders, held against what the venue knows."""

from decimal import Decimal

from app.domain.events import OrderCanceled, OrderExpired, OrderRejected, OrderUnknown
from app.domain.money import ZERO
from app.domain.order import OrderStatus
from app.domain.records import OrderRecord, Record
from app.simulation.life import Life
from app.simulation.seen import Seen, is_up, working_orders
from app.simulation.violation import Violation

UNKNOWN_S_MAX = 120.0
"""How long an outcome may stay unknown: the validity of a request, a query, and what the plan slows it down by."""
WORKING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
ENDS = (OrderCanceled, OrderExpired, OrderRejected)


class OrderRules:
    """Follows each order by itself, to see that none comes back, is given up, or is forgotten."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self.begin()

    def begin(self) -> None:
        """Start over: what an earlier life believed ended and could not write down is found working again, rightly."""
        self._ended: set[str] = set()
        self._filled: dict[str, Decimal] = {}
        self._unknown_since: dict[str, float] = {}

    def on_append(self, record: Record) -> None:
        """Judge an end that the bot writes down: the venue has ended the order, too, or never gets it."""
        if not isinstance(record, ENDS):
            return
        key, venue = record.client_order_id, self._seen.venue
        if key in venue.travelling:
            raise Violation("unknown_is_resolved", f"{key} is on its way, and {type(record).__name__} is put on record")
        there = venue.order(key)
        if there is not None and there.status in WORKING:
            what = f"{key} is {there.status} at the venue, and {type(record).__name__} is put on record"
            raise Violation("status_never_regresses", what)

    def on_unknown(self, life: Life, told: OrderUnknown) -> None:
        """Judge what the bot makes of a request without an answer."""
        key = told.client_order_id
        there = self._seen.venue.order(key)
        if key in self._seen.venue.refused or (there is not None and there.status not in WORKING):
            return
        believed = {r.order.client_order_id: r.status for r in working_orders(life)}.get(key)
        if believed is not OrderStatus.UNKNOWN:
            raise Violation("unknown_is_resolved", f"nobody can say what became of {key}, and it is {believed} here")

    def judge(self, life: Life) -> None:
        """Judge all orders after an event of the account."""
        working = working_orders(life)
        now, present = self._seen.now_s(), {record.order.client_order_id: record for record in working}
        for key, record in present.items():
            self._judge_one(key, record)
            if record.status is OrderStatus.UNKNOWN:
                self._unknown_since.setdefault(key, now)
            else:
                self._unknown_since.pop(key, None)
        for key in self._filled.keys() - present.keys():
            self._ended.add(key)
            del self._filled[key]
            self._unknown_since.pop(key, None)
        self._judge_patience()

    def _judge_one(self, key: str, record: OrderRecord) -> None:
        if key in self._ended:
            raise Violation("status_never_regresses", f"{key} had ended and is {record.status}")
        before = self._filled.get(key, ZERO)
        if record.filled < before:
            raise Violation("status_never_regresses", f"{key} had {before} filled, now {record.filled}")
        self._filled[key] = record.filled

    def _judge_patience(self) -> None:
        """Judge how long outcomes have been unknown."""
        late = [key for key, since in self._unknown_since.items() if self._seen.now_s() - since > UNKNOWN_S_MAX]
        if late:
            raise Violation("unknown_is_resolved", f"{', '.join(late)} for more than {UNKNOWN_S_MAX:g} s")

    def judge_late(self, life: Life) -> None:
        """Judge all orders, if one has been unknown for too long as far as the stream tells: a query tells nobody."""
        if any(self._seen.now_s() - since > UNKNOWN_S_MAX for since in self._unknown_since.values()):
            self.judge(life)

    def judge_forgotten(self, life: Life) -> None:
        """Judge whether an order works at the venue that the bot intended and believes ended."""
        if not is_up(life):
            return
        known = {record.order.client_order_id for record in working_orders(life)}
        intended = self._seen.record.intended
        lost = [record.order.client_order_id for record in self._seen.resting_orders()]
        lost = [key for key in lost if key in intended and key not in known]
        if lost:
            raise Violation("status_never_regresses", f"{', '.join(lost)} work at the venue, and have ended here")
