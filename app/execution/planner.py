"""From what is wanted and what is held to what must be sent and canceled. Pure.

A target is worked in this order:

1. Orders of an older target, or that a void target left, are canceled; nothing new is sent while they may still fill.
2. A position on the wrong side, or larger than wanted, is reduced by a reduce-only market order.
3. Only when nothing is left on the wrong side does the entry go out, once for a target: it is no level to be chased.
4. What is held is protected by a stop and a take-profit of exactly that size.
5. Where the bot trails, a stop that is a step nearer takes the place of the one before, once it is known to rest.
"""

from collections.abc import Collection
from decimal import Decimal

import msgspec

from app.domain.instrument import Instrument
from app.domain.market import SECOND_NS
from app.domain.money import ZERO
from app.domain.order import PROTECTIVE, Order, OrderStatus, OrderType, Purpose, Side, TimeInForce
from app.domain.target import Target
from app.execution.trailing import Trail, gained, is_met, step_of, trigger_of
from app.ports.books import WorkingOrder

_BUY, _SELL = Side.BUY, Side.SELL
_ENTRY, _EXIT, _STOP_LOSS = Purpose.ENTRY, Purpose.EXIT, Purpose.STOP_LOSS
_MARKET, _IOC = OrderType.MARKET, TimeInForce.IOC
_RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


class Pursuit(msgspec.Struct):
    """A target, and how far it has been worked."""

    target: Target
    entered: bool = False
    """Whether its entry was sent, or given up."""
    void: bool = False
    """Whether an exit that the strategy did not order ended it."""
    trail: Trail | None = None
    """What its trailing stop follows; None where the exchange holds trailing stops, and while nothing is held."""

    @property
    def wanted(self) -> Decimal | None:
        """Contracts wanted; None when whatever is held shall stay as it is."""
        return None if self.void else self.target.contracts


class Plan(msgspec.Struct):
    """What to do now, in this order: send, then cancel, so that a position is never without its protection."""

    send: list[Order] = []
    cancel: list[tuple[WorkingOrder, str]] = []


def plan(
    pursuit: Pursuit,
    held: Decimal,
    working: Collection[WorkingOrder],
    instrument: Instrument,
    account_id: str,
    now_ns: int,
) -> Plan:
    """Return what brings the position towards its target.

    The orders returned have no client order id yet; the send point gives it.

    Args:
        pursuit: The target and how far it has been worked.
        held: Signed contracts of the position.
        working: Orders of the symbol that may still fill.
        instrument: What is traded.
        account_id: Whose orders they are.
        now_ns: Time of the market.
    """
    target, wanted, todo = pursuit.target, pursuit.wanted, Plan()
    draft = _Draft(target, account_id, instrument, now_ns)
    reducing = ZERO
    for item in working:
        order = item.order
        if order.purpose is _ENTRY and (pursuit.void or order.target_sequence != target.sequence):
            todo.cancel.append((item, "target changed"))
        elif order.purpose is _EXIT:
            reducing += item.remaining
    if wanted is not None and wanted != held:
        excess = _excess(held, wanted)
        if excess:
            if abs(excess) > reducing:
                # What one order may not carry goes out in parts, each after the one before has filled.
                todo.send.append(draft.exit(-excess, min(abs(excess) - reducing, instrument.contracts_max)))
        elif not (pursuit.entered or todo.cancel or reducing) and abs(wanted) > abs(held):
            todo.send.append(draft.entry(wanted - held))
    if working or (held and target.is_protected):
        _protect(todo, pursuit, held, working, draft)
    return todo


def _excess(held: Decimal, wanted: Decimal) -> Decimal:
    """Return the signed part of the position that must go: all of it when it is on the wrong side."""
    if not held:
        return ZERO
    if held * wanted <= ZERO:
        return held
    return held - wanted if abs(held) > abs(wanted) else ZERO


def _protect(todo: Plan, pursuit: Pursuit, held: Decimal, working: Collection[WorkingOrder], draft: "_Draft") -> None:
    """Keep protective orders equal to what is held; cancel those that are not.

    While an exit of the whole position works, the old protection stays: it is reduce-only and cannot flip.
    """
    guards = [item for item in working if item.order.purpose in PROTECTIVE]
    target = pursuit.target
    if not held:
        todo.cancel += [(item, "position closed") for item in guards]
        return
    if held * target.contracts <= 0:
        return
    side = Side.SELL if held > 0 else Side.BUY
    size = abs(held)
    current = [item for item in guards if item.order.side is side and item.order.target_sequence == target.sequence]
    todo.cancel += [(item, "protection replaced") for item in guards if item not in current]
    for wanted in draft.protection(side, size, pursuit.trail):
        same = [item for item in current if item.order.purpose is wanted.purpose]
        if pursuit.trail is not None and wanted.purpose is _STOP_LOSS:
            # One that is about to be canceled protects nothing.
            _trail(todo, wanted, pursuit.trail, [item for item in same if not item.cancel_requested], draft)
            continue
        fitting = [item for item in same if item.remaining == size]
        if not fitting:
            # The new one is sent before the old one is canceled: both are reduce-only, and a position is never bare.
            todo.send.append(wanted)
        # One stays, rather one that is known to rest; a run that ended in between may have left the others.
        kept = min(fitting, key=lambda item: item.status is OrderStatus.UNKNOWN, default=None)
        todo.cancel += [(item, "protection resized") for item in same if item is not kept]


def _trail(todo: Plan, wanted: Order, trail: Trail, stops: list[WorkingOrder], draft: "_Draft") -> None:
    """Have a stop rest that is less than a step behind the best mark; until it does, the one before it stays.

    While one of the right size is on its way, or unknown, none is sent after it, wherever the price goes: at most two
    are left to work, and both are reduce-only.
    """
    offset, instrument, side = draft.target.trailing or ZERO, draft.instrument, wanted.side
    trigger, step = trigger_of(trail, offset, side, instrument), step_of(offset, instrument)
    resting = [item for item in stops if item.status in _RESTING and item.order.type is not _MARKET]
    behind = [item for item in resting if gained(item.order.trigger_price or trigger, trigger, side) >= step]
    fitting = [item for item in stops if item.remaining == wanted.contracts and item not in behind]
    if not fitting:
        todo.send.append(wanted)
    spared = [item for item in fitting if item in resting][:1]
    if not spared:
        # The one on its way, and of those that rest the latest, which is the nearest.
        spared = fitting[:1] + resting[-1:]
    for item in stops:
        if item not in spared:
            todo.cancel.append((item, "stop moved" if item in behind else "protection resized"))


class _Draft(msgspec.Struct):
    """Writes the orders of one target."""

    target: Target
    account_id: str
    instrument: Instrument
    now_ns: int

    def exit(self, signed: Decimal, contracts: Decimal) -> Order:
        target = self.target
        return Order(
            client_order_id="",
            account_id=self.account_id,
            strategy_id=target.strategy_id,
            symbol=target.symbol,
            side=_BUY if signed > ZERO else _SELL,
            type=_MARKET,
            contracts=contracts,
            created_ns=self.now_ns,
            purpose=_EXIT,
            time_in_force=_IOC,
            reduce_only=True,
            target_sequence=target.sequence,
            instrument_version=self.instrument.version,
        )

    def entry(self, signed: Decimal) -> Order:
        target = self.target
        entry = target.entry
        expires = None if entry.valid_s is None else self.now_ns + entry.valid_s * SECOND_NS
        return Order(
            client_order_id="",
            account_id=self.account_id,
            strategy_id=target.strategy_id,
            symbol=target.symbol,
            side=_BUY if signed > ZERO else _SELL,
            type=entry.type,
            contracts=abs(signed),
            created_ns=self.now_ns,
            purpose=_ENTRY,
            price=entry.price,
            trigger_price=entry.trigger_price,
            time_in_force=entry.time_in_force if expires is None else TimeInForce.GTD,
            expires_ns=expires,
            post_only=entry.post_only,
            target_sequence=target.sequence,
            instrument_version=self.instrument.version,
        )

    def protection(self, side: Side, contracts: Decimal, trail: Trail | None) -> list[Order]:
        target = self.target
        both = (target.stop is not None or target.trailing is not None) and target.take_profit is not None
        group = f"{target.strategy_id}-{target.symbol}-{target.sequence}-{contracts}" if both else None
        orders = []
        if target.trailing is not None and trail is not None:
            orders.append(self._trailed(side, contracts, group, trail, target.trailing))
        elif target.trailing is not None:
            orders.append(
                self._protective(
                    side, OrderType.TRAILING_STOP, contracts, Purpose.STOP_LOSS, group, trailing=target.trailing
                )
            )
        elif target.stop is not None:
            orders.append(
                self._protective(side, OrderType.STOP_MARKET, contracts, Purpose.STOP_LOSS, group, trigger=target.stop)
            )
        if target.take_profit is not None:
            orders.append(
                self._protective(
                    side,
                    OrderType.TAKE_PROFIT_MARKET,
                    contracts,
                    Purpose.TAKE_PROFIT,
                    group,
                    trigger=target.take_profit,
                )
            )
        return orders

    def _trailed(self, side: Side, contracts: Decimal, group: str | None, trail: Trail, offset: Decimal) -> Order:
        """Return the stop of a trail; once the mark has met it, a market order, which no exchange finds too late."""
        trigger = trigger_of(trail, offset, side, self.instrument)
        if is_met(trail, trigger, side):
            return self._protective(side, _MARKET, contracts, _STOP_LOSS, group)
        return self._protective(side, OrderType.STOP_MARKET, contracts, _STOP_LOSS, group, trigger=trigger)

    def _protective(
        self,
        side: Side,
        kind: OrderType,
        contracts: Decimal,
        purpose: Purpose,
        group: str | None,
        *,
        trigger: Decimal | None = None,
        trailing: Decimal | None = None,
    ) -> Order:
        target = self.target
        return Order(
            client_order_id="",
            account_id=self.account_id,
            strategy_id=target.strategy_id,
            symbol=target.symbol,
            side=side,
            type=kind,
            contracts=contracts,
            created_ns=self.now_ns,
            purpose=purpose,
            trigger_price=trigger,
            trailing_offset=trailing,
            time_in_force=_IOC if kind is _MARKET else TimeInForce.GTC,
            reduce_only=True,
            oco_group=group,
            target_sequence=target.sequence,
            instrument_version=self.instrument.version,
        )
