"""Writes facts to the log: which level, which words, which fields."""

from collections.abc import Callable

from loguru import logger

from app.domain.events import (
    Fill,
    FlattenCommand,
    FundingPaid,
    HaltCommand,
    InstrumentChanged,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderUnknown,
    ReasonCleared,
    ReasonRaised,
    ResumeCommand,
    Severity,
    StreamReset,
)
from app.domain.money import plain
from app.domain.reasons import LIFECYCLE, RECONCILING
from app.domain.records import (
    DayClosed,
    DustHeld,
    EventLeftOut,
    HealthChanged,
    MemoryLost,
    Mismatch,
    OrderDenied,
    OrderIntended,
    SettingsChanged,
    StrategySetAside,
)
from app.domain.target import Target
from app.domain.times import iso
from app.risk import UNSEEN


class FactLog:
    """A subscriber of facts. Orders, fills and funding can be left out; what needs attention never is."""

    def __init__(self, *, orders: bool) -> None:
        self._writers: dict[type, Callable[..., None]] = {
            ReasonRaised: _reason_raised,
            ReasonCleared: _reason_cleared,
            OrderRejected: _order_rejected,
            OrderUnknown: _order_unknown,
            OrderDenied: _order_denied,
            Mismatch: _mismatch,
            StreamReset: _stream_reset,
            InstrumentChanged: _instrument_changed,
            EventLeftOut: _left_out,
            MemoryLost: _memory_lost,
            DustHeld: _dust,
            StrategySetAside: _set_aside,
            HaltCommand: _halt,
            ResumeCommand: _resume,
            FlattenCommand: _flatten,
            SettingsChanged: _settings_changed,
            HealthChanged: _health_changed,
        }
        if orders:
            self._writers |= {
                Target: _target,
                OrderIntended: _order_intended,
                OrderCanceled: _order_ended,
                OrderExpired: _order_ended,
                Fill: _fill,
                FundingPaid: _funding,
                DayClosed: _day_closed,
            }
        self.kinds = frozenset(self._writers)
        """What is written."""

    def __call__(self, fact: object) -> None:
        """Write a fact, if it is one that is written."""
        writer = self._writers.get(type(fact))
        if writer is not None:
            writer(fact)


def _reason_raised(fact: ReasonRaised) -> None:
    level = "ERROR" if fact.severity is Severity.HALTED else "WARNING"
    if fact.owner == LIFECYCLE or fact.code == RECONCILING or fact.detail.startswith(UNSEEN):
        # It belongs to every start, and is gone in a moment; what is not is warned of by whoever runs the bot.
        level = "INFO"
    logger.bind(at=iso(fact.time_ns), owner=fact.owner, code=fact.code, detail=fact.detail).log(
        level, f"trading restricted to {fact.severity}"
    )


def _reason_cleared(fact: ReasonCleared) -> None:
    logger.bind(at=iso(fact.time_ns), owner=fact.owner, code=fact.code).info("trading restriction lifted")


def _halt(fact: HaltCommand) -> None:
    logger.bind(at=iso(fact.time_ns), reason=fact.reason).warning("the operator halted trading")


def _resume(fact: ResumeCommand) -> None:
    lifted = ", ".join(f"{owner}:{code}" for owner, code in fact.reasons)
    logger.bind(at=iso(fact.time_ns), lifted=lifted).warning("the operator resumed trading")


def _flatten(fact: FlattenCommand) -> None:
    logger.bind(at=iso(fact.time_ns), symbols=", ".join(fact.symbols)).warning("the operator closes positions")


def _order_intended(fact: OrderIntended) -> None:
    order = fact.order
    fields = {"id": order.client_order_id, "symbol": order.symbol, "purpose": order.purpose}
    price = order.price or order.trigger_price or order.trailing_offset
    if price is not None:
        fields["price"] = plain(price)
    logger.bind(at=iso(fact.time_ns), **fields).info(f"order {order.side} {plain(order.contracts)} {order.type}")


def _order_rejected(fact: OrderRejected) -> None:
    logger.bind(at=iso(fact.time_ns), id=fact.client_order_id, symbol=fact.symbol, reason=fact.reason).warning(
        "order rejected by the exchange"
    )


def _order_unknown(fact: OrderUnknown) -> None:
    logger.bind(at=iso(fact.time_ns), id=fact.client_order_id, symbol=fact.symbol, reason=fact.reason).error(
        "order outcome unknown: it is being asked for"
    )


def _order_denied(fact: OrderDenied) -> None:
    order = fact.order
    logger.bind(
        at=iso(fact.time_ns), symbol=order.symbol, side=order.side, rule=fact.rule, value=fact.value, limit=fact.limit
    ).warning("order denied by risk")


def _order_ended(fact: OrderCanceled | OrderExpired) -> None:
    what = "canceled" if isinstance(fact, OrderCanceled) else "expired"
    logger.bind(at=iso(fact.time_ns), id=fact.client_order_id, symbol=fact.symbol, reason=fact.reason).info(
        f"order {what}"
    )


def _fill(fact: Fill) -> None:
    logger.bind(
        at=iso(fact.time_ns),
        symbol=fact.symbol,
        price=plain(fact.price),
        fee=plain(fact.fee),
        id=fact.client_order_id or "none of ours",
    ).log("WARNING" if fact.liquidation else "INFO", _fill_words(fact))


def _fill_words(fact: Fill) -> str:
    return f"{'liquidation' if fact.liquidation else 'fill'} {fact.side} {plain(fact.contracts)}"


def _funding(fact: FundingPaid) -> None:
    logger.bind(at=iso(fact.time_ns), symbol=fact.symbol, rate=plain(fact.rate)).info(
        f"funding {'received' if fact.amount > 0 else 'paid'} {plain(abs(fact.amount))} {fact.currency}"
    )


def _target(fact: Target) -> None:
    logger.bind(at=iso(fact.time_ns), strategy=fact.strategy_id, symbol=fact.symbol, reason=fact.reason).info(
        f"target {plain(fact.contracts)}"
    )


def _mismatch(fact: Mismatch) -> None:
    logger.bind(at=iso(fact.time_ns), symbol=fact.symbol, ours=fact.ours or "none", theirs=fact.theirs).error(
        f"the exchange and the books differ in {fact.kind}"
    )


def _stream_reset(fact: StreamReset) -> None:
    logger.bind(at=iso(fact.time_ns), reason=fact.reason).warning("stream was interrupted: comparing the books")


def _instrument_changed(fact: InstrumentChanged) -> None:
    listed = fact.instrument
    anew = f"anew: its tick is {plain(listed.tick_size)}, its lot {plain(listed.lot_size)}"
    logger.bind(at=iso(fact.time_ns)).info(f"{listed.symbol} is listed {anew if listed.is_listed else 'no more'}")


def _left_out(fact: EventLeftOut) -> None:
    logger.bind(at=iso(fact.time_ns), flaw=fact.flaw).warning("left out what cannot be true: comparing the books")


def _set_aside(fact: StrategySetAside) -> None:
    line = logger.bind(at=iso(fact.time_ns))
    line.error(
        f"strategy {fact.strategy_id} of {fact.symbol} is set aside: {fact.error}: mend it and start again; "
        "what it holds stays, as protected as it is, and flatten closes it"
    )
    line.debug(f"strategy {fact.strategy_id} was set aside for this:\n{fact.traceback}")


def _memory_lost(fact: MemoryLost) -> None:
    logger.bind(at=iso(fact.time_ns), error=fact.error).warning(f"{fact.what} cannot be read: going on without it")


def _dust(fact: DustHeld) -> None:
    logger.bind(at=iso(fact.time_ns)).warning(
        f"{plain(fact.contracts)} {fact.symbol} are held beyond whole lots of {plain(fact.lot_size)}: "
        "no order can sell or protect them"
    )


def _day_closed(fact: DayClosed) -> None:
    logger.bind(day=fact.day, start=plain(fact.equity_start), end=plain(fact.equity_end)).info(
        f"day closed {plain(fact.equity_end - fact.equity_start)}"
    )


def _settings_changed(fact: SettingsChanged) -> None:
    logger.bind(verdict=fact.verdict).info("a settings file changed")


def _health_changed(fact: HealthChanged) -> None:
    if fact.unhealthy:
        logger.bind(parts=", ".join(fact.unhealthy)).error("unhealthy")
    else:
        logger.info("all parts are healthy or degraded again")
