"""What a strategy's target must be before any of it is recorded or sent. Pure.

Strategies are written by others, and a field's type is a promise that nothing keeps when a ``Target`` is made. What
could not be read back from the journal would refuse every later start; what cannot be protected must not be entered.
"""

from decimal import InvalidOperation

import msgspec

from app.domain.market import SECOND_NS
from app.domain.money import plain, to_ledger
from app.domain.target import Target
from app.ports.strategy_view import StrategyView
from app.strategies.strategy import Strategy

AHEAD_S_MAX = 60
"""By which a target may be later than the event it was decided on: venues' clocks differ, years do not."""
SEQUENCE_MAX = 2**53
"""What every reader of the journal counts to exactly."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Target).decode


class TargetRefused(Exception):
    """A strategy returned what cannot be worked towards."""

    def __init__(self, strategy: Strategy, message: str) -> None:
        kind = type(strategy)
        super().__init__(f"{kind.__module__}.{kind.__qualname__} returned {message}")


def vetted(returned: object, strategy: Strategy, view: StrategyView, now_ns: int) -> Target:
    """Return a target as the journal will give it back, with its protection on the tick.

    Args:
        returned: What the strategy returned for an event.
        strategy: Whose it is.
        view: What the strategy was called with.
        now_ns: Time of the event.

    Raises:
        TargetRefused: It is no target, not one of this strategy and symbol, or one that cannot be recorded, counted
            with or protected.
    """
    if not isinstance(returned, Target):
        raise TargetRefused(strategy, f"{returned!r}, not a Target or None")
    try:
        target = _decode(_encode(returned))
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise TargetRefused(strategy, f"a target that cannot be put on record: {error}") from error
    for name, said, is_ in (
        ("strategy_id", target.strategy_id, strategy.strategy_id),
        ("symbol", target.symbol, strategy.symbol),
    ):
        if said != is_:
            raise TargetRefused(strategy, f"a target whose {name} is {said!r}, and its own is {is_!r}")
    if not 0 < target.sequence <= SEQUENCE_MAX:
        raise TargetRefused(strategy, f"a target whose sequence is {target.sequence}: it counts from 1 to 2**53")
    if not 0 < target.time_ns <= now_ns + AHEAD_S_MAX * SECOND_NS:
        raise TargetRefused(strategy, f"a target whose time_ns is {target.time_ns}, and it is {now_ns}")
    return _protectable(target, strategy, view)


def _protectable(target: Target, strategy: Strategy, view: StrategyView) -> Target:
    """Return the target with its protection on the tick."""
    instrument, entry = view.instrument(target.symbol), target.entry
    price = entry.price or entry.trigger_price or view.mark(target.symbol)
    try:
        target = target.on_tick(instrument)
        if price is not None:
            to_ledger(instrument.notional(target.contracts, price))
    except InvalidOperation as error:
        raise TargetRefused(
            strategy, f"a target that cannot be counted with: contracts {target.contracts}, stop {target.stop}"
        ) from error
    trailing = target.trailing
    if trailing is not None and price is not None and target.contracts > 0 and trailing >= price:
        raise TargetRefused(
            strategy,
            f"a long whose trailing stop is {plain(trailing)} behind a price of {plain(price)}: it would have no stop",
        )
    return target
