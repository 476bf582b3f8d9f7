"""Past candles of a venue, page by page, and longer ones made of them."""

from app.domain.bars import BarAggregator
from app.domain.market import MS_NS, SECOND_NS, Bar
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.readable import readable, sound
from app.exchanges.ccxt.translate import bar_from

TIMEFRAMES = {60: "1m", 300: "5m", 900: "15m", 3600: "1h", 14_400: "4h", 86_400: "1d"}
"""Candles that all the venues here have, by their length in seconds."""


class History:
    """Asks for candles."""

    def __init__(self, line: Line, candles_max: int) -> None:
        self._client = line.client
        self._line = line
        self._candles_max = candles_max

    async def bars(self, symbol: str, interval_s: int, count: int, now_ns: int) -> tuple[Bar, ...]:
        """Return up to ``count`` bars that were closed at ``now_ns``, oldest first; none of a length that cannot be.

        A flawed candle is in none of them: it would spoil the longer one that it is part of.
        """
        shorter_s = longest_of(interval_s)
        if shorter_s is None:
            return ()
        times = interval_s // shorter_s
        since_ns = (now_ns // (interval_s * SECOND_NS) - count) * interval_s * SECOND_NS
        candles = await self.candles_since(symbol, shorter_s, since_ns, count * times + 1)
        bars = [bar for bar in candles if bar.time_ns <= now_ns]
        if times > 1:
            aggregator = BarAggregator(symbol, interval_s)
            bars = [longer for bar in bars if (longer := aggregator.on_bar(bar)) is not None]
        return tuple(bars[-count:])

    async def candles_since(self, symbol: str, interval_s: int, since_ns: int, count: int) -> list[Bar]:
        """Return up to ``count`` candles that open at ``since_ns`` or later, oldest first; the last may still move.

        One that cannot be read, or cannot be true, is left out and told: it stays a gap.
        """
        found: dict[int, Bar] = {}
        while len(found) < count:
            since_ms, most = since_ns // MS_NS, min(self._candles_max, count - len(found))
            bars: list[Bar] = await self._line.read(
                lambda since_ms=since_ms, most=most: self._client.fetch_ohlcv(  # type: ignore[misc] # mypy and defaults
                    symbol, TIMEFRAMES[interval_s], since_ms, most
                ),
                lambda rows: readable(
                    rows, lambda row: sound(bar_from(symbol, interval_s, row)), f"past candles of {symbol}"
                ),
            )
            fresh = [bar for bar in bars if bar.time_ns not in found]
            if not fresh:
                break
            found |= {bar.time_ns: bar for bar in fresh}
            since_ns = max(found)
        return [found[time] for time in sorted(found)]


def longest_of(interval_s: int) -> int | None:
    """Return the length of the longest candles of which bars of ``interval_s`` can be made; None if there are none."""
    return max((length for length in TIMEFRAMES if interval_s % length == 0), default=None)
