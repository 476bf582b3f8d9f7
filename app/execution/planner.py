"""From what is wanted and what is held to what must be sent and canceled. Pure.

A target is worked in this order:

1. Orders of an older target, or that a void target left, are canceled; nothing new is sent while they may still fill.
2. A position on the wrong side, or larger than wanted, is reduced by a reduce-only market order.
3. Only when nothing is left on the wrong side does the entry go out, once for a target: it is no level to be chased.
4. What is held is protected by a stop and a take-profit of exactly that size. One that takes the place of another is
   sent first, and the other canceled once it is known to rest: a position is never bare because an order was refused.
5. Where the bot trails, a stop that is a step nearer takes the place of the one before in the same way.
"""

from collections.abc import Collection, Container
from decimal import Decimal

import msgspec

from app.domain.instrument import Instrument
from app.domain.market import SECOND_NS
from app.domain.money import ZERO
from app.domain.order import CONFIRMED, PROTECTIVE, Order, OrderType, Purpose, Side, TimeInForce
from app.domain.target import Target
from app.execution.tracker import TrackedOrder
from app.execution.trailing import Trail, gained, is_met, step_of, trigger_of

_BUY, _SELL = Side.BUY, Side.SELL
_ENTRY, _EXIT = Purpose.ENTRY, Purpose.EXIT
_STOP_LOSS, _TAKE_PROFIT = Purpose.STOP_LOSS, Purpose.TAKE_PROFIT
_MARKET, _IOC = OrderType.MARKET, TimeInForce.IOC


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

    def excess(self, held: Decimal, lot_size: Decimal) -> Decimal:
        """Return the signed part of a position that must go, in whole lots: all of it on the wrong side."""
        wanted, whole = self.wanted, held - held % lot_size
        if not whole or wanted is None:
            return ZERO
        if whole * wanted <= ZERO:
            return whole
        excess = whole - wanted
        return excess - excess % lot_size if abs(whole) > abs(wanted) else ZERO


class Plan(msgspec.Struct):
    """What to do now: send, then cancel."""

    send: list[Order] = []
    cancel: list[tuple[TrackedOrder, str]] = []
    dust: Decimal = ZERO
    """What is held beyond whole lots, signed."""


def plan(
    pursuit: Pursuit,
    held: Decimal,
    working: Collection[TrackedOrder],
    instrument: Instrument,
    account_id: str,
    now_ns: int,
    *,
    late: Container[Purpose] = (),
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
        late: Which protective orders go out at the market: the exchange has refused them, and the mark has met them.
    """
    target, wanted, todo = pursuit.target, pursuit.wanted, Plan()
    dust = held % instrument.lot_size
    if dust:
        todo.dust = dust
        # A fee in the coin, or an exchange whose lot has become coarser: less than a lot is no order.
        held -= dust
    draft = _Draft(target, account_id, instrument, now_ns)
    reducing = ZERO
    for item in working:
        order = item.order
        if order.purpose is _ENTRY and (pursuit.void or order.target_sequence != target.sequence):
            todo.cancel.append((item, "target changed"))
        elif order.purpose is _EXIT:
            reducing += item.remaining
    if wanted is not None and wanted != held:
        excess = pursuit.excess(held, instrument.lot_size)
        if excess:
            if abs(excess) > reducing:
                # What one order may not carry goes out in parts, each after the one before has filled.
                todo.send.append(draft.exit(-excess, min(abs(excess) - reducing, instrument.contracts_max)))
        elif not (pursuit.entered or todo.cancel or reducing) and abs(wanted) > abs(held):
            todo.send.append(draft.entry(wanted - held))
    if working or (held and target.is_protected):
        _protect(todo, pursuit, held, working, draft, late)
    return todo


def _protect(
    todo: Plan,
    pursuit: Pursuit,
    held: Decimal,
    working: Collection[TrackedOrder],
    draft: "_Draft",
    late: Container[Purpose],
) -> None:
    """Keep protective orders equal to what is held; cancel those that are not.

    While an exit of the whole position works, the old protection stays: it is reduce-only and cannot flip.
    """
    guards = [item for item in working if item.order.purpose in PROTECTIVE]
    target = pursuit.target
    if not held:
        todo.cancel += [(item, "position closed") for item in guards]
        return
    side = Side.SELL if held > 0 else Side.BUY
    if held * target.contracts <= 0:
        for purpose in (_STOP_LOSS, _TAKE_PROFIT):
            # The decision may have come while one was to take the place of another.
            rest = [item for item in _resting(guards) if item.order.purpose is purpose and item.order.side is side]
            _give_up(todo, rest, rest[-1:], "protection replaced")
        return
    wanted = {order.purpose: order for order in draft.protection(side, abs(held), pursuit.trail, late)}
    for item in guards:
        if item.order.side is not side or item.order.purpose not in wanted:
            todo.cancel.append((item, "protection replaced"))
    for purpose, order in wanted.items():
        # One that is about to be canceled protects nothing.
        same = [i for i in guards if i.order.side is side and i.order.purpose is purpose and not i.cancel_requested]
        current = [item for item in same if item.order.target_sequence == target.sequence]
        if pursuit.trail is not None and purpose is _STOP_LOSS:
            rests = _trail(todo, order, pursuit.trail, current, draft)
        else:
            rests = _keep_one(todo, order, current)
        older = [item for item in same if item not in current]
        _give_up(todo, older, [] if rests else _resting(older)[-1:], "protection replaced")


def _keep_one(todo: Plan, wanted: Order, current: list[TrackedOrder]) -> bool:
    """Have one order of the right size work; return whether it is known to rest.

    A run that ended between a new one and the cancel of the one before may have left both.
    """
    fitting = [item for item in current if item.remaining == wanted.contracts]
    if not fitting:
        todo.send.append(wanted)
    kept = (_resting(fitting) or fitting)[:1]
    rests = bool(_resting(kept))
    _give_up(todo, current, kept if rests else kept + _resting(current)[-1:], "protection resized")
    return rests


def _trail(todo: Plan, wanted: Order, trail: Trail, stops: list[TrackedOrder], draft: "_Draft") -> bool:
    """Have a stop rest that is less than a step behind the best mark; return whether one is known to.

    Until it does, the one before it stays. While one of the right size is on its way, or unknown, none is sent after
    it, wherever the price goes: at most two are left to work, and both are reduce-only.
    """
    offset, instrument, side = draft.target.trailing or ZERO, draft.instrument, wanted.side
    trigger, step = trigger_of(trail, offset, side, instrument), step_of(offset, instrument)
    resting = [item for item in _resting(stops) if item.order.type is not _MARKET]
    behind = [item for item in resting if gained(item.order.trigger_price or trigger, trigger, side) >= step]
    fitting = [item for item in stops if item.remaining == wanted.contracts and item not in behind]
    if not fitting:
        todo.send.append(wanted)
    kept = [item for item in fitting if item in resting][:1]
    # Else the one on its way, and of those that rest the latest, which is the nearest.
    spared = kept or fitting[:1] + resting[-1:]
    _give_up(todo, [item for item in stops if item in behind], spared, "stop moved")
    _give_up(todo, [item for item in stops if item not in behind], spared, "protection resized")
    return bool(kept)


def _resting(items: Collection[TrackedOrder]) -> list[TrackedOrder]:
    return [item for item in items if item.status in CONFIRMED]


def _give_up(todo: Plan, items: list[TrackedOrder], spared: list[TrackedOrder], reason: str) -> None:
    """Cancel what is not to be spared. All are reduce-only, so that several at a time can neither flip nor open."""
    todo.cancel += [(item, reason) for item in items if item not in spared]


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

    def protection(self, side: Side, contracts: Decimal, trail: Trail | None, late: Container[Purpose]) -> list[Order]:
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
        elif target.stop is not None and _STOP_LOSS in late:
            orders.append(self._at_market(side, contracts, _STOP_LOSS, group))
        elif target.stop is not None:
            orders.append(
                self._protective(side, OrderType.STOP_MARKET, contracts, Purpose.STOP_LOSS, group, trigger=target.stop)
            )
        if target.take_profit is not None and _TAKE_PROFIT in late:
            orders.append(self._at_market(side, contracts, _TAKE_PROFIT, group))
        elif target.take_profit is not None:
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
            return self._at_market(side, contracts, _STOP_LOSS, group)
        return self._protective(side, OrderType.STOP_MARKET, contracts, _STOP_LOSS, group, trigger=trigger)

    def _at_market(self, side: Side, contracts: Decimal, purpose: Purpose, group: str | None) -> Order:
        """Return what leaves at once: what one order may not carry goes out in parts, as exits do."""
        return self._protective(side, _MARKET, min(contracts, self.instrument.contracts_max), purpose, group)

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
