"""When an exit, a stop or a take-profit that was not taken is sent again."""

import msgspec

from app.domain.market import SECOND_NS
from app.domain.order import Order, OrderStatus, OrderType, Purpose
from app.execution.tracker import TrackedOrder
from app.ports.clock import Clock

RETRY_S_MAX = 30
"""Market time between attempts at what the exchange refuses again and again."""
CHANGED_NS = SECOND_NS
"""The same where each attempt asks for something else: a strategy may move its stop with every price."""
REST_NS = SECOND_NS
"""What rests for so long was taken: when it is dropped, the next one need not wait."""
TRUST_NS = 60 * SECOND_NS
"""What rests for so long, after others were dropped, will stay."""
_MARKET = OrderType.MARKET
_DROPPED = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED})


class Failures(msgspec.Struct):
    """How often in a row orders of one kind were not taken, or not kept. All times are the market's."""

    why: str = ""
    """What became of the last one."""
    count: int = 0
    drops: int = 0
    """Those that were taken, and not kept."""
    failed_ns: int = 0
    """When the last one did."""
    due_ns: int = 0
    """Before it none is sent again."""
    rests_ns: int = 0
    """Since when one has rested after the last failure; 0 for none."""


class Retries:
    """Of what must get through: sent again at the next price, then after 1, 3, 7 … seconds.

    What leaves at once has a row of its own: a stop that was refused at its price may still go out at the market.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[tuple[str, Purpose, bool], Failures] = {}

    def of(self, symbol: str, purpose: Purpose, *, at_market: bool) -> Failures | None:
        """Return how often in a row they failed; None when the last one did not."""
        return self._rows.get((symbol, purpose, at_market))

    @property
    def is_calm(self) -> bool:
        """Whether nothing has failed."""
        return not self._rows

    def forget(self, symbol: str, *purposes: Purpose) -> None:
        """Begin anew: one of what failed was filled, or none is wanted any more."""
        if self._rows:
            self._rows = {key: row for key, row in self._rows.items() if key[0] != symbol or key[1] not in purposes}

    def fail(self, order: Order, why: str, *, dropped: bool = False) -> Failures:
        """Count one that was not taken, or not kept, and have the next one wait."""
        now_ns, key = self._clock.now_ns, _key(order)
        row = self._rows.get(key)
        rested_ns = 0 if row is None or not row.rests_ns else now_ns - row.rests_ns
        if row is None or rested_ns >= TRUST_NS:
            row = self._rows[key] = Failures()
        elif rested_ns >= REST_NS:
            row.count = 0
        row.why, row.rests_ns = why, 0
        row.count += 1
        row.drops += dropped
        row.failed_ns = now_ns
        row.due_ns = now_ns + min(2 ** (row.count - 1) - 1, RETRY_S_MAX) * SECOND_NS
        return row

    def hasten(self, symbol: str, *purposes: Purpose) -> None:
        """Have what is wanted otherwise from now on wait a second at most: that may be taken."""
        for key, row in self._rows.items():
            if key[0] == symbol and key[1] in purposes:
                row.due_ns = min(row.due_ns, row.failed_ns + CHANGED_NS)

    def rest(self, order: Order) -> None:
        """Take in that one is known to rest."""
        row = self._rows.get(_key(order))
        if row is not None and not row.rests_ns:
            row.rests_ns = self._clock.now_ns

    def is_due(self, order: Order) -> bool:
        """Whether an order may be sent now."""
        row = self._rows.get(_key(order)) if self._rows else None
        return row is None or self._clock.now_ns >= row.due_ns

    def will_stay(self, failures: Failures) -> bool:
        """Whether one has rested for so long that it is not expected to be dropped as well."""
        return bool(failures.rests_ns) and self._clock.now_ns - failures.rests_ns >= TRUST_NS


def was_dropped(tracked: TrackedOrder) -> bool:
    """Whether an order ended before it was filled, and nobody here had asked for that."""
    return tracked.status in _DROPPED and not tracked.cancel_requested


def _key(order: Order) -> tuple[str, Purpose, bool]:
    return order.symbol, order.purpose, order.type is _MARKET
