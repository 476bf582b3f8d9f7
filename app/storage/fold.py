"""What the records add up to. Pure: the store writes down what has changed, and a fake does without one."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from app.domain.events import Fill, FundingPaid, ReasonCleared, ReasonRaised
from app.domain.ledger import Account, LedgerEntry
from app.domain.money import ZERO
from app.domain.order import TERMINAL, OrderStatus
from app.domain.position import Position
from app.domain.records import (
    DayClosed,
    OrderDenied,
    OrderIntended,
    OrderRecord,
    PositionChanged,
    Record,
    StateSaved,
)
from app.domain.target import Target
from app.domain.trading_state import TradingState
from app.ports.journal import Recovered
from app.storage.order_history import STATUS_TOLD, OrderFact, after_fact, after_fill

RECENT_TRADES_MAX = 10_000
"""Trade ids that are kept at hand; older ones are asked of the store."""
RECENT_FUNDING_MAX = 1_000
ENDED_ORDERS_MAX = 1_000
"""Orders beyond the working ones that are kept at hand; older ones are asked of the store."""
UNKNOWN_STRATEGY = ""
"""Of rows that no strategy caused: a liquidation, a deposit, a stranger's order."""

T = TypeVar("T", Fill, FundingPaid, LedgerEntry)
ReasonKey = tuple[str, str]
TotalKey = tuple[Account, str]


class Numbered(msgspec.Struct, frozen=True):
    """A record and its place in the journal."""

    seq: int
    record: Record


class FoldedOrder(msgspec.Struct, frozen=True):
    """An order, with the place of its intent and the time of its last change."""

    known: OrderRecord
    seq: int
    updated_ns: int


class FoldedPosition(msgspec.Struct, frozen=True):
    """A position, with the strategy whose fill moved it last."""

    position: Position
    strategy_id: str
    updated_ns: int


class Caused(msgspec.Struct, Generic[T], frozen=True):
    """A fill, a settlement or a ledger entry, with its place and its strategy."""

    seq: int
    strategy_id: str
    record: T


class Changes(msgspec.Struct):
    """What has changed since the store was written last."""

    new_orders: dict[str, None] = {}
    moved_orders: dict[str, None] = {}
    fills: list[Caused[Fill]] = []
    funding: list[Caused[FundingPaid]] = []
    entries: list[Caused[LedgerEntry]] = []
    positions: dict[str, None] = {}
    totals: dict[TotalKey, None] = {}
    reasons: dict[ReasonKey, None] = {}
    states: dict[str, StateSaved] = {}
    days: dict[str, tuple[int, DayClosed]] = {}


class _Cause(msgspec.Struct, frozen=True):
    """What the ledger entries that come next refer to."""

    reference: str
    strategy_id: str
    repeated: bool


class Fold:
    """The sum of the records so far; memory is bounded by what is working, held and recent.

    A fill and the ledger entry it caused are to be appended together, entry after fill: a fill that is told twice is
    applied once, and its entry with it.
    """

    def __init__(self) -> None:
        self.orders: dict[str, FoldedOrder] = {}
        self.trades: dict[str, None] = {}
        self.settlements: dict[str, None] = {}
        self.positions: dict[str, FoldedPosition] = {}
        self.totals: dict[TotalKey, Decimal] = {}
        self.reasons = TradingState()
        self.reason_seqs: dict[ReasonKey, int] = {}
        self.changes = Changes()
        self._cause: _Cause | None = None
        self._adders: dict[type[Record], Callable[[int, Any], None]] = {
            OrderIntended: self._intend,
            **dict.fromkeys(STATUS_TOLD, self._tell),
            Fill: self._fill,
            FundingPaid: self._settle,
            LedgerEntry: self._post,
            PositionChanged: self._hold,
            ReasonRaised: self._restrict,
            ReasonCleared: self._restrict,
            StateSaved: self._save,
            DayClosed: self._close_day,
        }

    def apply(self, numbered: Numbered) -> None:
        """Take a record in. Kinds that add up to nothing (a denial, a target, a mismatch) change nothing."""
        record = numbered.record
        kind = type(record)
        if kind is not LedgerEntry and kind is not PositionChanged:
            self._cause = None
        add = self._adders.get(kind)
        if add is not None:
            add(numbered.seq, record)

    def take_changes(self) -> Changes:
        """Return what has changed since the last call."""
        changes, self.changes = self.changes, Changes()
        return changes

    def forget_old(self) -> None:
        """Let go of what the store can be asked for. To be called once the changes are written."""
        if len(self.orders) > ENDED_ORDERS_MAX:
            self.orders = {key: order for key, order in self.orders.items() if order.known.status not in TERMINAL}
        _keep_last(self.trades, RECENT_TRADES_MAX)
        _keep_last(self.settlements, RECENT_FUNDING_MAX)

    def origin_of(self, record: Record) -> tuple[str, int]:
        """Return the strategy and the instrument version behind a record; empty and 0 where there is none."""
        if isinstance(record, OrderIntended | OrderDenied):
            return record.order.strategy_id, record.order.instrument_version
        if isinstance(record, Target):
            return record.strategy_id, 0
        if isinstance(record, LedgerEntry):
            return self._strategy_of_cause(record.reference), 0
        if isinstance(record, PositionChanged):
            return self._strategy_in(record.position.symbol), 0
        if isinstance(record, FundingPaid):
            return self._strategy_in(record.symbol), 0
        order = self.orders.get(getattr(record, "client_order_id", None) or "")
        return (order.known.order.strategy_id, order.known.order.instrument_version) if order else (UNKNOWN_STRATEGY, 0)

    def _intend(self, seq: int, intended: OrderIntended) -> None:
        key = intended.order.client_order_id
        if key in self.orders:
            return
        known = OrderRecord(intended.order, OrderStatus.INTENDED, ZERO, None)
        self.orders[key] = FoldedOrder(known, seq, intended.time_ns)
        self.changes.new_orders[key] = None

    def _tell(self, _: int, fact: OrderFact) -> None:
        order = self.orders.get(fact.client_order_id)
        if order is not None:
            self._keep(order, after_fact(order.known, fact), fact.time_ns)

    def _keep(self, order: FoldedOrder, known: OrderRecord, time_ns: int) -> None:
        if known is not order.known:
            key = known.order.client_order_id
            self.orders[key] = FoldedOrder(known, order.seq, time_ns)
            self.changes.moved_orders[key] = None

    def _fill(self, seq: int, fill: Fill) -> None:
        strategy_id, _ = self.origin_of(fill)
        repeated = fill.trade_id in self.trades
        self._cause = _Cause(fill.trade_id, strategy_id, repeated)
        if repeated:
            return
        self.trades[fill.trade_id] = None
        self.changes.fills.append(Caused(seq, strategy_id, fill))
        order = self.orders.get(fill.client_order_id or "")
        if order is not None:
            self._keep(order, after_fill(order.known, fill), fill.time_ns)
            held = self.positions.get(fill.symbol)
            position = held.position if held else Position(fill.symbol)
            self._put_position(FoldedPosition(position, strategy_id, fill.time_ns))

    def _settle(self, seq: int, paid: FundingPaid) -> None:
        strategy_id = self._strategy_in(paid.symbol)
        repeated = paid.reference in self.settlements
        self._cause = _Cause(paid.reference, strategy_id, repeated)
        if not repeated:
            self.settlements[paid.reference] = None
            self.changes.funding.append(Caused(seq, strategy_id, paid))

    def _post(self, seq: int, entry: LedgerEntry) -> None:
        cause = self._cause
        if cause is not None and cause.reference == entry.reference and cause.repeated:
            return
        self.changes.entries.append(Caused(seq, self._strategy_of_cause(entry.reference), entry))
        for posting in entry.postings:
            key = (posting.account, entry.currency)
            self.totals[key] = self.totals.get(key, ZERO) + posting.amount
            self.changes.totals[key] = None

    def _hold(self, _: int, changed: PositionChanged) -> None:
        strategy_id = self._strategy_in(changed.position.symbol)
        self._put_position(FoldedPosition(changed.position, strategy_id, changed.time_ns))

    def _put_position(self, held: FoldedPosition) -> None:
        self.positions[held.position.symbol] = held
        self.changes.positions[held.position.symbol] = None

    def _restrict(self, seq: int, change: ReasonRaised | ReasonCleared) -> None:
        after = self.reasons.after(change)
        if after is self.reasons:
            return
        key = (change.owner, change.code)
        self.reasons = after
        if isinstance(change, ReasonRaised):
            self.reason_seqs[key] = seq
        else:
            del self.reason_seqs[key]
        self.changes.reasons[key] = None

    def _save(self, _: int, saved: StateSaved) -> None:
        self.changes.states[saved.owner] = saved

    def _close_day(self, seq: int, closed: DayClosed) -> None:
        self.changes.days[closed.day] = (seq, closed)

    def _strategy_in(self, symbol: str) -> str:
        held = self.positions.get(symbol)
        return held.strategy_id if held else UNKNOWN_STRATEGY

    def _strategy_of_cause(self, reference: str) -> str:
        cause = self._cause
        return cause.strategy_id if cause is not None and cause.reference == reference else UNKNOWN_STRATEGY


def recovered_from(
    fold: Fold, epoch: int, time_ns: int | None, instance: str = "", instance_since: int = 1
) -> Recovered:
    """Return what a fold of all records says of the account."""
    return Recovered(
        epoch=epoch,
        instance=instance,
        instance_since=instance_since,
        last_time_ns=time_ns,
        working_orders=tuple(o.known for o in fold.orders.values() if o.known.status not in TERMINAL),
        positions=tuple(held.position for held in fold.positions.values() if not held.position.is_flat),
        # An account has one currency; were there totals of another, only its settings could tell which to take.
        ledger_totals={account: total for (account, _), total in fold.totals.items()},
        trade_ids=tuple(fold.trades),
        funding_references=tuple(fold.settlements),
        reasons=fold.reasons.reasons,
    )


def _keep_last(keys: dict[str, None], count: int) -> None:
    """Drop the oldest keys when there are twice as many as to be kept: seldom, so that it costs nothing on average."""
    if len(keys) >= 2 * count:
        for key in list(keys)[:-count]:
            del keys[key]
