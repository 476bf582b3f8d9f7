"""What a venue keeps of the account, page by page: nothing of it is passed over in silence."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from loguru import logger

from app.domain.market import MS_NS
from app.domain.times import iso
from app.exchanges.ccxt.guarded import MS
from app.exchanges.ccxt.line import Line

Row = dict[str, Any]

STRETCH_MS = 100 * 3600 * MS
"""For how long one answer may speak.

Binance says nothing of what was traded more than a week after the time that it was asked for; hyperliquid says no more
than 500 payments, of all coins together, and each has one an hour (2026-11).
"""
KEPT_MS = 90 * 24 * 3600 * MS
"""How far back is asked: what was paid longer ago Binance has forgotten (2026-11). Who was away for longer finds out by
the comparison of positions and balance."""
FULL = 100
"""Rows of a page that may have been cut off, however many were asked for: okx and bybit give no more (2026-11)."""
TOLD_EVERY_S = 5.0
"""How often whoever waits for many pages hears how far they are."""


class Kept(msgspec.Struct, frozen=True):
    """Rows of one kind, and how they are asked for."""

    what: str
    """The rows are, for people: "trades of BTC/USDT:USDT"."""
    key: Callable[[Row], Any]
    """Returns what a row is told from the others by."""
    most: int
    """How many are asked for at once."""
    ask: Callable[[int, int], Awaitable[list[Row]]]
    """Returns what there was from a time in milliseconds on, the oldest of it, and so many rows at most."""
    ask_from: Callable[[str, int], Awaitable[list[Row]]] | None = None
    """The same, from the row with a key on, that row included; None where the venue goes by time alone. Keys are whole
    numbers there, and rise."""


async def all_since(line: Line, kept: Kept, time_ns: int, now_ns: int) -> list[Row]:
    """Return all rows that the venue keeps since a time, oldest first.

    How many rows a venue gives at once is its own affair: after a page that had something new, it is asked from the
    newest moment on, until there is nothing new. Time only ever moves forward, so that whatever is answered comes to an
    end.

    Where more rows are of one moment than go on a page, time alone does not lead behind them: they are asked for by
    their keys. A venue that cannot be asked so may hide some, which is told as an error.

    Args:
        line: To the venue.
        kept: Which rows.
        time_ns: When they begin, UTC nanoseconds.
        now_ns: The venue's time.

    Raises:
        ExchangeUnavailable: A page cannot be had, or not be read.
    """
    found: dict[Any, Row] = {}
    now_ms = now_ns // MS_NS
    since_ms = max(time_ns // MS_NS, now_ms - KEPT_MS)
    from_key: str | None = None
    was_full = False
    clock = asyncio.get_running_loop().time
    told_s = clock()
    if since_ms + STRETCH_MS < now_ms:
        logger.info(f"{kept.what} are read since {iso(since_ms * MS_NS)}, page by page")
    while True:
        page = await line.read(_asking(kept, since_ms, from_key), list)
        with line.reading():
            rows = {kept.key(row): row for row in page}
            fresh = {key: row for key, row in rows.items() if key not in found}
            newest_ms = max((row["timestamp"] for row in fresh.values()), default=since_ms)
            is_crowd = _is_crowd(kept, page, since_ms)
            last_key = max(rows, key=int) if is_crowd and kept.ask_from is not None else None
        found |= fresh
        if newest_ms > since_ms:
            since_ms, from_key = newest_ms, None
            was_full = kept.ask_from is None and len(page) in {FULL, kept.most}
        elif last_key not in {None, from_key}:
            from_key = last_key
        elif is_crowd or from_key is not None:
            if is_crowd or from_key not in rows:
                _tell_hidden(kept, len(page), since_ms)
            since_ms, from_key, was_full = since_ms + 1, None, False
        elif was_full:
            _tell_cut(kept, since_ms)
            was_full = False
        elif since_ms + STRETCH_MS < now_ms:
            since_ms += STRETCH_MS
        else:
            return list(found.values())
        if clock() - told_s >= TOLD_EVERY_S:
            told_s = clock()
            logger.info(f"{kept.what} are read up to {iso(since_ms * MS_NS)}, {len(found)} so far")


def _asking(kept: Kept, since_ms: int, from_key: str | None) -> Callable[[], Awaitable[list[Row]]]:
    if from_key is None or kept.ask_from is None:
        return partial(kept.ask, since_ms, kept.most)
    return partial(kept.ask_from, from_key, kept.most)


def _is_crowd(kept: Kept, page: list[Row], since_ms: int) -> bool:
    """Whether a page may have been cut off within one moment. A venue that gives what is older was not asked well."""
    return len(page) >= min(kept.most, FULL) and page[-1]["timestamp"] >= since_ms


def _tell_cut(kept: Kept, at_ms: int) -> None:
    """Tell of a full page that nothing came after: of a venue that gives the newest rows, it would look like this."""
    logger.error(
        f"{kept.what} before {iso(at_ms * MS_NS)} may be missing: the exchange gave as many as it gives at once, and "
        "nothing after; compare positions and balance with what it shows"
    )


def _tell_hidden(kept: Kept, count: int, at_ms: int) -> None:
    logger.error(
        f"{kept.what} may be missing: {count} are of {iso(at_ms * MS_NS)}, and the exchange gives no more of one "
        "moment; compare positions and balance with what it shows"
    )
