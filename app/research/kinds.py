"""The kinds of market data, as one table."""

from collections.abc import Mapping

import msgspec

from app.exchanges.simulated.columns import PRICES


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of a kind are."""

    wanted: tuple[str, ...]
    """Columns that there must be beside ``time``."""
    optional: tuple[str, ...] = ()
    is_steady: bool = False
    """Whether rows follow each other at a fixed distance."""
    repeats: bool = False
    """Whether several rows may have one time; else a time names a row."""
    is_known_after: bool = True
    """Whether a row is known at the end of its time, and not at the very moment that it names."""
    is_kept_by_venues: bool = True
    """Whether it can be downloaded."""
    is_played: bool = True
    """Whether a backtest on candles takes a file of it beside them, or is on it."""


KINDS: Mapping[str, Kind] = {
    "candles": Kind(wanted=PRICES, optional=("volume",), is_steady=True),
    "mark": Kind(wanted=PRICES, is_steady=True),
    "trades": Kind(
        wanted=("price", "contracts"), optional=("side",), repeats=True, is_kept_by_venues=False, is_played=False
    ),
    "funding": Kind(wanted=("funding_rate",), is_known_after=False),
}


DOWNLOADED: Mapping[str, Kind] = {name: kind for name, kind in KINDS.items() if kind.is_kept_by_venues}
"""What venues keep."""
PLAYED: Mapping[str, Kind] = {name: kind for name, kind in KINDS.items() if kind.is_played}
"""What a backtest on candles reads."""
