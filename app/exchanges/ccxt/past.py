"""A venue's past, page by page: candles, candles of the mark price, and funding that was settled.

A page asks for a stretch of time that holds no more rows than a venue gives at once, so it does not matter from which
end a venue fills its answers, and an empty page is a stretch in which there was nothing. A row that cannot be read is
left out and told; what it would have been is missing, and asked for again by the next download.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec
from loguru import logger

from app.domain.market import MS_NS, SECOND_NS, Bar
from app.exchanges.ccxt.errors import VenueRefused
from app.exchanges.ccxt.history import TIMEFRAMES
from app.exchanges.ccxt.market import CcxtMarket
from app.exchanges.ccxt.readable import readable, sound
from app.exchanges.ccxt.translate import bar_from, settlement_from
from app.ports.connection import ExchangeUnavailable
from app.settings.models import Settings

Row = tuple[int | float, ...]
"""Opening time in UTC nanoseconds, open, high, low, close, and volume of candles; or time and rate of a settlement."""
T = TypeVar("T")

SETTLED_PER_PAGE_S = 100 * 3600
"""A hundred settlements are in every venue's answer, and none settles more often than hourly."""
ATTEMPTS_MAX = 5
"""For a page; a venue that does not answer five times in half a minute is left alone."""
PAUSE_S = 1.0
"""Before the second attempt; it doubles."""


class Page(msgspec.Struct, frozen=True):
    """What there was in a stretch."""

    rows: list[Row]
    """In the order of their times."""
    until_ns: int
    """Up to when it is known now."""


class Past:
    """What a venue keeps of one symbol. It needs no keys."""

    def __init__(self, settings: Settings, symbol: str) -> None:
        self._market = CcxtMarket(settings.exchange.ccxt, (symbol,), valid_s=settings.execution.request_valid_s)
        self._symbol = symbol

    @property
    def now_ns(self) -> int:
        """The venue's clock; once connected."""
        return self._market.now_ns

    @property
    def listed_ns(self) -> int:
        """When the symbol was listed, UTC nanoseconds; 0 where the venue does not say."""
        return int(self._market.line.client.markets[self._symbol].get("created") or 0) * MS_NS

    async def connect(self) -> None:
        """Load the markets.

        Raises:
            VenueRefused: The symbol is not listed, or the venue is not proven.
            ExchangeUnavailable: It does not answer.
        """
        await self._market.connect()

    async def close(self) -> None:
        """Release everything."""
        await self._market.close()

    async def pages(self, kind: str, from_ns: int, to_ns: int, interval_s: int) -> AsyncIterator[Page]:
        """Yield what there was between two times, the second excluded, oldest first.

        Args:
            kind: ``candles``, ``mark`` or ``funding``.
            from_ns: When the first row may open, UTC nanoseconds.
            to_ns: When the last one must have closed.
            interval_s: Length of the candles.

        Raises:
            ExchangeUnavailable: The venue does not answer, again and again.
            VenueRefused: It keeps none of this kind.
        """
        ask = _asking(self._market, self._symbol, kind, interval_s)
        page_ns = _page_s(self._market, kind, interval_s) * SECOND_NS
        while from_ns < to_ns:
            until_ns = min(to_ns, from_ns + page_ns)
            rows = await _again(lambda since_ns=from_ns, until_ns=until_ns: ask(since_ns, until_ns))  # type: ignore[misc] # mypy and defaults
            yield Page(sorted({row[0]: row for row in rows if from_ns <= row[0] < until_ns}.values()), until_ns)
            from_ns = until_ns


def _page_s(market: CcxtMarket, kind: str, interval_s: int) -> int:
    if kind == "funding":
        return SETTLED_PER_PAGE_S
    return market.venue.candles_max * interval_s


def _asking(market: CcxtMarket, symbol: str, kind: str, interval_s: int) -> Callable[[int, int], Awaitable[list[Row]]]:
    line = market.line
    client = line.client
    what = f"rows of {kind} of {symbol}"
    call = {"candles": "fetchOHLCV", "mark": "fetchMarkOHLCV", "funding": "fetchFundingRateHistory"}[kind]
    if not client.has.get(call):
        raise VenueRefused(f"{market.venue.name} keeps no past of kind {kind}")

    def until(time_ns: int) -> dict[str, Any]:
        # Venues include it.
        return {"until": time_ns // MS_NS - 1} | ({"price": "mark"} if kind == "mark" else {})

    def candle(row: Sequence[object]) -> Row:
        # Of the mark price nothing is traded, and some venues leave the volume out.
        return _row_of(sound(bar_from(symbol, interval_s, [*row[:5], 0] if kind == "mark" else row)), kind)

    def candles(since_ns: int, until_ns: int) -> Awaitable[list[Row]]:
        count = (until_ns - since_ns) // (interval_s * SECOND_NS)
        return line.read(
            lambda: client.fetch_ohlcv(symbol, TIMEFRAMES[interval_s], since_ns // MS_NS, count, until(until_ns)),
            lambda rows: readable(rows, candle, what),
        )

    def settled(since_ns: int, until_ns: int) -> Awaitable[list[Row]]:
        return line.read(
            lambda: client.fetch_funding_rate_history(symbol, since_ns // MS_NS, 100, until(until_ns)),
            lambda rows: readable(rows, settlement_from, what),
        )

    return settled if kind == "funding" else candles


def _row_of(bar: Bar, kind: str) -> Row:
    prices = (float(bar.open), float(bar.high), float(bar.low), float(bar.close))
    return (bar.open_ns, *prices) if kind == "mark" else (bar.open_ns, *prices, float(bar.volume))


async def _again(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer. How long a venue wants to hear nothing, the limiter knows."""
    pause_s = PAUSE_S
    for _ in range(ATTEMPTS_MAX - 1):
        try:
            return await ask()
        except ExchangeUnavailable as error:
            logger.warning(f"{error}: asked again in {pause_s:g} s")
        await asyncio.sleep(pause_s)
        pause_s *= 2
    return await ask()
