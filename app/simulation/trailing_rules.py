"""The rules of trailing stops where the venue holds none, and the bot moves ordinary ones."""

from decimal import Decimal

from app.domain.events import CancelRejected
from app.domain.market import MarkPrice
from app.domain.money import ZERO, plain
from app.domain.order import Order, OrderStatus, OrderType, Purpose
from app.domain.records import CancelIntended, PositionChanged, Record
from app.domain.target import Target
from app.simulation.life import Life
from app.simulation.seen import Seen, is_up, working_orders
from app.simulation.violation import Violation

RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
LAG_RATIO_MAX = Decimal("0.1")
"""How far a stop may lag behind, as a part of the offset, once nothing is on its way."""
LAG_S_MAX = 40.0
"""How long one may lag farther behind: one that was refused waits for the next mark."""


class TrailingRules:
    """Follows each stop that takes the place of another."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._triggers: dict[str, tuple[int, Decimal]] = {}
        """The latest trigger that was sent for a position, and the sequence of its target: over restarts too."""
        self._best: dict[str, tuple[int, Decimal]] = {}
        """The best mark that the present life has heard while it held a position."""
        self._lags_since: dict[str, float] = {}
        self._asked: set[str] = set()
        """Orders that the present life has asked to be canceled."""

    def begin(self) -> None:
        """A new process knows of what was heard before only what is on record."""
        self._best.clear()
        self._lags_since.clear()
        self._asked.clear()

    def on_append(self, life: Life, record: Record) -> None:
        """Judge that a stop which rests goes only once another one does; forget what a position was that is closed."""
        if isinstance(record, PositionChanged) and not record.position.contracts:
            self._triggers.pop(record.position.symbol, None)
            self._best.pop(record.position.symbol, None)
        elif isinstance(record, CancelRejected):
            self._asked.discard(record.client_order_id)
        elif isinstance(record, CancelIntended):
            self._judge_cancel(life, record.client_order_id)
            self._asked.add(record.client_order_id)

    def _judge_cancel(self, life: Life, key: str) -> None:
        stops = [r for r in working_orders(life) if r.order.purpose is Purpose.STOP_LOSS and r.status in RESTING]
        canceled = next((r.order for r in stops if r.order.client_order_id == key), None)
        if canceled is None or self._target_of(canceled) is None or life.journal.failure is not None:
            # Once the store has failed a newer target is nowhere on record: its stop takes the place of this one.
            return
        held = life.context.portfolio.position(canceled.symbol).contracts
        others = {r.order.client_order_id for r in stops if r.order.symbol == canceled.symbol} - self._asked - {key}
        if held * canceled.signed_contracts < ZERO and not others:
            raise Violation("stops_trail", f"{key} is canceled, and no other stop is known to rest")

    def on_submit(self, life: Life, order: Order) -> None:
        """Judge that a stop never goes back."""
        trigger = order.trigger_price
        if order.purpose is not Purpose.STOP_LOSS or trigger is None or self._target_of(order) is None:
            return
        sequence, before = self._triggers.get(order.symbol, (0, ZERO))
        if sequence == order.target_sequence and (before - trigger) * -order.side.sign > ZERO:
            what = f"the stop of {order.symbol} goes back from {plain(before)} to {plain(trigger)}"
            raise Violation("stops_trail", what)
        if life.journal.failure is None:
            self._triggers[order.symbol] = (order.target_sequence, trigger)

    def on_mark(self, life: Life, mark: MarkPrice) -> None:
        """Note how far the price has gone in favour of a position."""
        target = self._seen.record.targets.get(mark.symbol)
        if target is None or not is_up(life) or self._trails(target) is None:
            return
        side = life.context.portfolio.position(mark.symbol).contracts * target.contracts
        if side > ZERO:
            sequence, best = self._best.get(mark.symbol, (0, ZERO))
            better = (max if target.contracts > ZERO else min)(best, mark.price)
            self._best[mark.symbol] = (target.sequence, better if sequence == target.sequence else mark.price)

    def judge(self, life: Life) -> None:
        """Judge, from time to time, that no stop stays behind while nothing is on its way."""
        if life.link.is_silent or not is_up(life) or life.journal.failure is not None:
            self._lags_since.clear()
            return
        late = {r.order.symbol for r in working_orders(life) if r.order.is_protective and r.status not in RESTING}
        lagging = {symbol: what for symbol, what in self._lagging().items() if symbol not in late}
        now = self._seen.now_s()
        self._lags_since = {symbol: self._lags_since.get(symbol, now) for symbol in lagging}
        for symbol, since in self._lags_since.items():
            if now - since > LAG_S_MAX:
                raise Violation("stops_trail", f"{lagging[symbol]} for {now - since:g} s")

    def lagging(self) -> list[str]:
        """Return the stops at the venue that have stayed behind the price."""
        return list(self._lagging().values())

    def _lagging(self) -> dict[str, str]:
        """Return what is wrong with the nearest stop of a symbol, where something is."""
        found: dict[str, str] = {}
        near: set[str] = set()
        for record in self._seen.resting_orders():
            order = record.order
            target = self._target_of(order) if order.purpose is Purpose.STOP_LOSS else None
            sequence, best = self._best.get(order.symbol, (0, ZERO))
            if target is None or sequence != target.sequence or order.trigger_price is None:
                continue
            offset, tick = target.trailing or ZERO, self._seen.venue.instruments[order.symbol].tick_size
            behind = (best - order.trigger_price) * -order.side.sign
            if behind > offset + max(tick, offset * LAG_RATIO_MAX):
                found[order.symbol] = (
                    f"{order.symbol} was at {plain(best)}, its stop is at {plain(order.trigger_price)}"
                )
            else:
                near.add(order.symbol)
        return {symbol: what for symbol, what in found.items() if symbol not in near}

    def _target_of(self, order: Order) -> Target | None:
        """Return the target of a stop that the bot trails; None for any other order, and for one that is over."""
        target = self._seen.record.targets.get(order.symbol)
        if target is None or order.target_sequence != target.sequence or order.type is OrderType.TRAILING_STOP:
            return None
        return self._trails(target)

    def _trails(self, target: Target) -> Target | None:
        """Return a target if the bot trails its stop and no flatten came after it."""
        is_over = target.sequence <= self._seen.flattened.get(target.symbol, 0)
        return None if is_over or target.trailing is None or self._seen.venue.holds_trailing_stops else target
