"""What each month came to. The first and the last are parts of one as a rule, and are called so."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from app.domain.times import EPOCH


class Month(msgspec.Struct, frozen=True):
    """A calendar month in UTC, or what the data has of it."""

    name: str
    """As ``2026-02``; with its days where they are not all of them: ``2026-02, 10 to 28``."""
    change: float
    """Of the equity, as a part of what it was at the end of the month before, or at the first bar."""


def months_of(times_ns: Sequence[int], equity: Sequence[float]) -> list[Month]:
    """Return the months that bars lie in, in their order.

    Args:
        times_ns: When each bar closed, UTC nanoseconds, ascending; at least one.
        equity: What there was then.
    """
    ends: dict[str, tuple[int, float]] = {}
    for time_ns, value in zip(times_ns, equity, strict=True):
        # The bar that closes at midnight is the last of the day that ends.
        ends[f"{_moment(time_ns - 1):%Y-%m}"] = (time_ns, value)
    opened_ns = times_ns[0] - (times_ns[1] - times_ns[0] if len(times_ns) > 1 else 0)
    months, before, first = [], equity[0], _moment(opened_ns)
    is_part = not _begins_month(first)
    for name, (end_ns, value) in ends.items():
        is_part = is_part or (end_ns == times_ns[-1] and not _begins_month(_moment(end_ns)))
        days = f", {first.day} to {_moment(end_ns - 1).day}" if is_part else ""
        months.append(Month(name + days, value / before - 1))
        before, first, is_part = value, EPOCH, False
    return months


def _moment(time_ns: int) -> datetime:
    return EPOCH + timedelta(microseconds=time_ns // 1000)


def _begins_month(moment: datetime) -> bool:
    return moment == moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
