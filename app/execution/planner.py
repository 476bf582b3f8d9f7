"""From what is wanted and what is held to what must be sent and canceled. Pure.

A target is worked in this order:

1. Orders of an older target, or that a void target left, are canceled; nothing new is sent while they may still fill.
2. A position on the wrong side, or larger than wanted, is reduced by a reduce-only market order.
3. Only when nothing is left on the wrong side does the entry go out, once for a target: it is no level to be chased.
4. What is held is protected by a stop and a take-profit of exactly that size.
"""

from collections.abc import Collection
from decimal import Decimal

import msgspec

from app.domain.instrument import Instrument
from app.domain.market import SECOND_NS
from app.domain.money import ZERO
from app.domain.order import PROTECTIVE, Order, OrderStatus, OrderType, Purpose, Side, TimeInForce
from app.domain.target import Target
from app.ports.books import WorkingOrder


class Pursuit(msgspec.Struct):
    """A target, and how far it has been worked."""

    target: Target
    entered: bool = False
    """Whether its entry was sent, or given up."""
    void: bool = False
    """Whether an exit that the strategy did not order ended it."""

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
    target, wanted = pursuit.target, pursuit.wanted
    draft = _Draft(target, account_id, instrument, now_ns)
    todo = Plan()
    outdated, reducing = [], ZERO
    for item in working:
        if item.order.purpose is Purpose.ENTRY and (pursuit.void or item.order.target_sequence != target.sequence):
            outdated.append((item, "target changed"))
        elif item.order.purpose is Purpose.EXIT:
            reducing += item.remaining
    todo.cancel += outdated
    if wanted is not None:
        excess = _excess(held, wanted)
        if excess:
            if abs(excess) > reducing:
                # What one order may not carry goes out in parts, each after the one before has filled.
                todo.send.append(draft.exit(-excess, min(abs(excess) - reducing, instrument.contracts_max)))
        elif not pursuit.entered and not outdated and not reducing and abs(wanted) > abs(held):
            todo.send.append(draft.entry(wanted - held))
    if working or (held and target.is_protected):
        _protect(todo, pursuit, held, working, draft)
    return todo


def _excess(held: Decimal, wanted: Decimal) -> Decimal:
    """Return the signed part of the position that must go: all of it when it is on the wrong side."""
    if not held:
        return ZERO
    if held * wanted <= 0:
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
    for wanted in draft.protection(side, size):
        same = [item for item in current if item.order.purpose is wanted.purpose]
        fitting = [item for item in same if item.remaining == size]
        if not fitting:
            # The new one is sent before the old one is canceled: both are reduce-only, and a position is never bare.
            todo.send.append(wanted)
        # One stays, rather one that is known to rest; a run that ended in between may have left the others.
        kept = min(fitting, key=lambda item: item.status is OrderStatus.UNKNOWN, default=None)
        todo.cancel += [(item, "protection resized") for item in same if item is not kept]


class _Draft:
    """Writes the orders of one target."""

    def __init__(self, target: Target, account_id: str, instrument: Instrument, now_ns: int) -> None:
        self._target = target
        self._account_id = account_id
        self._instrument = instrument
        self._now_ns = now_ns

    def exit(self, signed: Decimal, contracts: Decimal) -> Order:
        return self._order(
            side=Side.BUY if signed > 0 else Side.SELL,
            type=OrderType.MARKET,
            contracts=contracts,
            purpose=Purpose.EXIT,
            time_in_force=TimeInForce.IOC,
            reduce_only=True,
        )

    def entry(self, signed: Decimal) -> Order:
        entry = self._target.entry
        expires = None if entry.valid_s is None else self._now_ns + entry.valid_s * SECOND_NS
        return self._order(
            side=Side.BUY if signed > 0 else Side.SELL,
            type=entry.type,
            contracts=abs(signed),
            purpose=Purpose.ENTRY,
            price=entry.price,
            trigger_price=entry.trigger_price,
            time_in_force=entry.time_in_force if expires is None else TimeInForce.GTD,
            expires_ns=expires,
            post_only=entry.post_only,
        )

    def protection(self, side: Side, contracts: Decimal) -> list[Order]:
        target = self._target
        both = (target.stop is not None or target.trailing is not None) and target.take_profit is not None
        group = f"{target.strategy_id}-{target.symbol}-{target.sequence}-{contracts}" if both else None
        orders = []
        if target.trailing is not None:
            orders.append(
                self._order(
                    side=side,
                    type=OrderType.TRAILING_STOP,
                    contracts=contracts,
                    purpose=Purpose.STOP_LOSS,
                    trailing_offset=target.trailing,
                    reduce_only=True,
                    oco_group=group,
                )
            )
        elif target.stop is not None:
            orders.append(
                self._order(
                    side=side,
                    type=OrderType.STOP_MARKET,
                    contracts=contracts,
                    purpose=Purpose.STOP_LOSS,
                    trigger_price=target.stop,
                    reduce_only=True,
                    oco_group=group,
                )
            )
        if target.take_profit is not None:
            orders.append(
                self._order(
                    side=side,
                    type=OrderType.TAKE_PROFIT_MARKET,
                    contracts=contracts,
                    purpose=Purpose.TAKE_PROFIT,
                    trigger_price=target.take_profit,
                    reduce_only=True,
                    oco_group=group,
                )
            )
        return orders

    def _order(self, **fields: object) -> Order:
        target = self._target
        return Order(
            client_order_id="",
            account_id=self._account_id,
            strategy_id=target.strategy_id,
            symbol=target.symbol,
            created_ns=self._now_ns,
            target_sequence=target.sequence,
            instrument_version=self._instrument.version,
            **fields,  # type: ignore[arg-type] # each caller names the fields of Order
        )
