"""A trailing stop where the exchange holds none: an ordinary stop there, which the bot moves after the price. Pure."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from app.domain.instrument import Instrument
from app.domain.money import ONE
from app.domain.order import Side

STEPS = 10
"""Into which the offset is divided: a stop that moved with each price would flood the exchange."""
_SELL = Side.SELL


class Trail(msgspec.Struct, frozen=True):
    """How far the mark has gone in favour of a position since it was entered. Prices in quote currency."""

    best: Decimal
    """The highest mark of a long, the lowest of a short: it never goes back."""
    mark: Decimal
    """The latest."""


def trail_after(trail: Trail | None, mark: Decimal, side: Side) -> Trail:
    """Return how far the mark has gone by now.

    Args:
        trail: How far it had gone; None when the position has just been entered.
        mark: The latest mark price.
        side: Of the stop: a sell guards a long.

    >>> trail_after(Trail(best=Decimal(110), mark=Decimal(110)), Decimal(107), Side.SELL)
    Trail(best=Decimal('110'), mark=Decimal('107'))
    """
    if trail is None:
        return Trail(mark, mark)
    return Trail(max(trail.best, mark) if side is _SELL else min(trail.best, mark), mark)


def trigger_of(trail: Trail, offset: Decimal, side: Side, instrument: Instrument) -> Decimal:
    """Return where the stop belongs: the offset behind the best mark, and on the tick.

    Between two ticks it is the nearer one: never is more risked than the offset. It stays behind the best mark, however
    small the offset, and may come out at or below zero, where no price can meet it.

    Args:
        trail: How far the mark has gone.
        offset: Distance of the stop, quote currency.
        side: Of the stop.
        instrument: What is held.
    """
    tick = instrument.tick_size
    distance = max(offset, tick)
    behind = trail.best - distance if side is _SELL else trail.best + distance
    return (behind / tick).quantize(ONE, ROUND_CEILING if side is _SELL else ROUND_FLOOR) * tick


def is_met(trail: Trail, trigger: Decimal, side: Side) -> bool:
    """Return whether the latest mark is at the stop, or past it: an exchange may refuse a stop there."""
    return trail.mark <= trigger if side is _SELL else trail.mark >= trigger


def step_of(offset: Decimal, instrument: Instrument) -> Decimal:
    """Return by how much better a stop must be to be worth moving: a tenth of the offset, at least a tick."""
    return max(instrument.tick_size, offset / STEPS)


def gained(before: Decimal, after: Decimal, side: Side) -> Decimal:
    """Return by how much nearer to the price a stop is, quote currency; negative when it is farther away."""
    return after - before if side is _SELL else before - after
