"""Counts what happens in a run."""

from collections import Counter, deque
from collections.abc import Callable
from decimal import Decimal
from time import perf_counter
from typing import Any

from app.domain.events import Fill, FundingPaid, StreamEvent
from app.domain.market import Bar
from app.domain.money import ZERO
from app.domain.records import OrderDenied, OrderIntended

UNMARKED_KEPT_MAX = 10_000
TRADING_STATE = "trading_state"
"""The rule that says nothing by its name: the value says what restricted trading."""
LATEST_KEPT_MAX = 8
"""Orders and fills kept for the live view and the health file."""


class RunFigures:
    """Figures since the start of the run, from the stream and from facts."""

    def __init__(self) -> None:
        self.events = 0
        self.bars = 0
        self.orders = 0
        self.fills = 0
        self.denied_by: Counter[str] = Counter()
        """Orders that risk denied, by the rule; by what restricted trading, where that was the rule."""
        self.liquidations = 0
        self.fees: dict[str, Decimal] = {}
        """Paid less received, by currency: some venues take them in a coin of their own."""
        self.funding = ZERO
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.unmarked_settlements: list[int] = []
        """Times of settlements at which the last price stood in for a mark."""
        self.latest_orders: deque[OrderIntended] = deque(maxlen=LATEST_KEPT_MAX)
        self.latest_fills: deque[Fill] = deque(maxlen=LATEST_KEPT_MAX)
        self._first_wall: float | None = None
        self._last_wall = 0.0
        self.counts: dict[type, Callable[[Any], None]] = {
            Fill: self._on_fill,
            OrderIntended: self._on_intent,
            OrderDenied: self._on_denial,
            FundingPaid: self._on_funding,
        }
        """What counts each kind of fact that is counted."""

    @property
    def denied(self) -> int:
        """Orders that risk denied."""
        return self.denied_by.total()

    @property
    def elapsed_s(self) -> float:
        """Wall time from the first event to the last reading of the figures."""
        return 0.0 if self._first_wall is None else max(1e-9, (self._last_wall or perf_counter()) - self._first_wall)

    @property
    def bars_per_second(self) -> float:
        """Bars a second of wall time."""
        return self.bars / self.elapsed_s if self.bars else 0.0

    @property
    def speed(self) -> float:
        """Virtual seconds a second of wall time."""
        if self.first_ns is None or self.last_ns is None:
            return 0.0
        return (self.last_ns - self.first_ns) / 1e9 / self.elapsed_s

    def observe(self, event: StreamEvent) -> None:
        """Count an event of the stream."""
        self.events += 1
        if type(event) is Bar:
            self.bars += 1
        self.last_ns = event.time_ns
        if self._first_wall is None:
            self._first_wall = perf_counter()
            self.first_ns = event.time_ns

    def freeze(self) -> None:
        """Let the clock of these figures stand: the stream is over."""
        self._last_wall = self._last_wall or perf_counter()

    def on_fact(self, fact: object) -> None:
        """Count a fact."""
        count = self.counts.get(type(fact))
        if count is not None:
            count(fact)

    def _on_fill(self, fill: Fill) -> None:
        self.fills += 1
        self.liquidations += fill.liquidation
        currency = fill.fee_currency
        self.fees[currency] = self.fees.get(currency, ZERO) + fill.fee
        self.latest_fills.append(fill)

    def _on_intent(self, intent: OrderIntended) -> None:
        self.orders += 1
        self.latest_orders.append(intent)

    def _on_denial(self, denial: OrderDenied) -> None:
        self.denied_by[denial.value if denial.rule == TRADING_STATE else denial.rule] += 1

    def _on_funding(self, paid: FundingPaid) -> None:
        self.funding += paid.amount
        if not paid.mark_known and len(self.unmarked_settlements) < UNMARKED_KEPT_MAX:
            self.unmarked_settlements.append(paid.time_ns)
