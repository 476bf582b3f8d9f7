"""Compares the exchange with our books. Pure: reading is the coordinator's, and "cannot read" never comes here."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from app.domain.events import (
    Fill,
    Liquidity,
    OrderAccepted,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderRejected,
)
from app.domain.instrument import Instrument
from app.domain.money import ZERO, plain
from app.domain.order import CONFIRMED, Order, OrderStatus, Side
from app.domain.position import Position
from app.domain.records import Mismatch, OrderRecord

OF_ANOTHER_FOLDER = "made by this bot in another state folder, or in this one before it was emptied"


def compare_positions(ours: Iterable[Position], theirs: Iterable[Position], time_ns: int) -> list[Mismatch]:
    """Return a mismatch for each symbol whose size differs."""
    mine = {position.symbol: position.contracts for position in ours}
    other = {position.symbol: position.contracts for position in theirs}
    found = []
    for symbol in sorted(mine.keys() | other.keys()):
        held, there = mine.get(symbol, Decimal(0)), other.get(symbol, Decimal(0))
        if held != there:
            found.append(
                Mismatch(
                    kind="position",
                    symbol=symbol,
                    ours=plain(held),
                    theirs=plain(there),
                    action="reported",
                    time_ns=time_ns,
                )
            )
    return found


def compare_balance(ours: Decimal, theirs: Decimal, currency: str, time_ns: int) -> list[Mismatch]:
    """Return a mismatch when the balances differ at all."""
    if ours == theirs:
        return []
    return [
        Mismatch(
            kind="balance",
            symbol=currency,
            ours=plain(ours),
            theirs=plain(theirs),
            action="reported",
            time_ns=time_ns,
        )
    ]


def counted_otherwise(
    ours: Iterable[Position],
    theirs: Iterable[Position],
    difference: Decimal,
    instruments: Mapping[str, Instrument],
) -> dict[str, Decimal]:
    """Return by how much our positions cost more at an exchange that counted the same fills in another order.

    Two fills of a symbol that reach us the wrong way round leave us with the right size, but divide what was earned
    otherwise: between what is realized and what the rest has cost. What the balances differ by, the costs differ by.
    Empty when that is not so, be it by less than a rounded entry price explains: then something else is wrong.

    Args:
        ours: As the books have them.
        theirs: As the exchange has them.
        difference: Their balance less ours.
        instruments: What is held, by symbol.
    """
    there = {position.symbol: position for position in theirs}
    moves, doubt = {}, ZERO
    for position in ours:
        symbol, other = position.symbol, there.get(position.symbol)
        if other is None or other.contracts != position.contracts:
            return {}
        if other.cost != position.cost:
            moves[symbol] = other.cost - position.cost
            doubt += _half_a_tick(instruments[symbol], other)
    unexplained = difference - sum(moves.values(), ZERO)
    if not moves or abs(unexplained) > doubt:
        return {}
    # Which position the rounding belongs to cannot be told, and does not matter: it is in the sum.
    moves[next(reversed(moves))] += unexplained
    return moves


def _half_a_tick(instrument: Instrument, position: Position) -> Decimal:
    """Return what a position's cost may be off by when it was told as a price."""
    price = position.average_price(instrument) or ZERO
    off = instrument.value(position.contracts, price + instrument.tick_size / 2)
    return abs(off - instrument.value(position.contracts, price))


def foreign_orders(
    known: Iterable[str], theirs: Iterable[OrderRecord], is_of_another_journal: Callable[[str], bool], time_ns: int
) -> list[Mismatch]:
    """Return a mismatch for each working order at the exchange that is none of ours.

    Args:
        known: Client order ids of our working orders.
        theirs: Working orders at the exchange.
        is_of_another_journal: Whether this bot made an id in another folder: whoever reads of it is told so.
        time_ns: Time of the mismatches.
    """

    def words_of(order: Order) -> str:
        words = f"{order.side} {plain(order.contracts)}, id {order.client_order_id}"
        return f"{words}, {OF_ANOTHER_FOLDER}" if is_of_another_journal(order.client_order_id) else words

    ours = set(known)
    return [
        Mismatch(
            kind="foreign_order",
            symbol=record.order.symbol,
            ours="",
            theirs=words_of(record.order),
            action="reported",
            time_ns=time_ns,
        )
        for record in theirs
        if record.order.client_order_id not in ours
    ]


def adopting_fill(
    ours: Position,
    theirs: Position,
    instrument: Instrument,
    price: Decimal,
    currency: str,
    time_ns: int,
    order: OrderRecord | None = None,
) -> Fill:
    """Return the fill that would bring our position to theirs: what happened at the exchange, nobody can tell any more.

    Args:
        ours: As the books have it.
        theirs: As the exchange has it; of another size.
        instrument: What is held.
        price: For what the exchange does not give a price of its own, quote currency.
        currency: Of the account.
        time_ns: Time of the fill.
        order: Ours, of which a fill cannot be booked as it was told; it is taken for filled as far as that explains the
            difference.
    """
    difference = theirs.contracts - ours.contracts
    known = None if theirs.is_flat else theirs.average_price(instrument)
    return Fill(
        trade_id=f"adopted:{ours.symbol}:{time_ns}:{ours.contracts}:{theirs.contracts}",
        client_order_id=order.order.client_order_id if order is not None and _explains(order, difference) else None,
        venue_order_id=None,
        symbol=ours.symbol,
        side=Side.BUY if difference > 0 else Side.SELL,
        contracts=abs(difference),
        price=instrument.round_price(known or price),
        fee=ZERO,
        fee_currency=currency,
        liquidity=Liquidity.TAKER,
        time_ns=time_ns,
    )


def _explains(order: OrderRecord, difference: Decimal) -> bool:
    left = order.order.contracts - order.filled
    return order.order.side.sign * difference > 0 and abs(difference) <= left


def outcome(ours: OrderRecord, theirs: OrderRecord | None, time_ns: int) -> OrderEvent | None:
    """Return the event that brings our order to where the exchange has it; None when it is there already.

    Args:
        ours: A working order.
        theirs: What a query by client order id found; None when the exchange definitely does not know it.
        time_ns: Time of the event.
    """
    order = ours.order
    ids = (order.client_order_id, order.symbol, time_ns)
    if theirs is None and (ours.status in CONFIRMED or ours.filled):
        return OrderCanceled(*ids, "the exchange does not know it any more")
    if theirs is None:
        return OrderRejected(*ids, "the exchange never received it", was_refused=False)
    if theirs.status is ours.status:
        return None
    reason = theirs.reason or "found by reconciliation"
    if theirs.status is OrderStatus.OPEN or theirs.status is OrderStatus.PARTIALLY_FILLED:
        return OrderAccepted(order.client_order_id, theirs.venue_order_id or "", order.symbol, time_ns)
    ends: Mapping[OrderStatus, type[OrderCanceled | OrderExpired | OrderRejected]] = {
        OrderStatus.CANCELED: OrderCanceled,
        OrderStatus.EXPIRED: OrderExpired,
        OrderStatus.REJECTED: OrderRejected,
    }
    end = ends.get(theirs.status)
    # FILLED is told by its fills, which are read before the orders are.
    return end(*ids, reason) if end is not None else None
