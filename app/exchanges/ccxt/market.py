"""A venue's market: instruments, history, and the streams of quotes, marks, candles and funding rates. No keys."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from math import gcd
from typing import Any

from loguru import logger

from app.domain.bars import BarAggregator
from app.domain.events import BookStale, StreamEvent
from app.domain.instrument import Instrument
from app.domain.market import MS_NS, SECOND_NS, Bar, Quote
from app.domain.price_sieve import is_sound
from app.exchanges.ccxt.candles import Candles
from app.exchanges.ccxt.client import close_sockets, open_client
from app.exchanges.ccxt.errors import KeysRefused, NotListed, VenueRefused
from app.exchanges.ccxt.limiter import Limiter, Urgency
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.outcome import in_words
from app.exchanges.ccxt.queue import EventQueue
from app.exchanges.ccxt.translate import (
    bar_from,
    funding_rate_from,
    instrument_from,
    mark_from,
    quote_from,
    top_of,
)
from app.exchanges.ccxt.venues import VENUES, Venue
from app.exchanges.ccxt.watch import Watch
from app.ports.connection import Capabilities, ExchangeUnavailable
from app.settings.models import CcxtSettings

TIMEFRAMES = {60: "1m", 300: "5m", 900: "15m", 3600: "1h", 14_400: "4h", 86_400: "1d"}
"""Candles that all the venues here have, by their length in seconds."""
CANDLES_MAX = 500
"""In one answer, at every venue here."""
QUIET_FACTOR = 6
"""How much longer than marks candles may be silent: nothing may be traded for a while."""
QUOTE_AGE_NS_MAX = 5 * SECOND_NS
"""How old a quote may be of which the bound of a market order is reckoned."""
FUNDING_EVERY_S = 30.0
CANDLES_EVERY_S = 5.0
LOOK_EVERY_S = 0.25
"""Between looks for a candle that nothing follows."""


class CcxtMarket:
    """Implements ``MarketData``, and ``Connection`` for whoever wants no more than the market."""

    def __init__(self, settings: CcxtSettings, symbols: Sequence[str], *, valid_s: float) -> None:
        self._settings = settings
        self._valid_s = valid_s
        self.symbols = tuple(symbols)
        self.venue: Venue = VENUES[settings.venue]
        self.queue = EventQueue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = AsyncExitStack()
        """What a close must release."""
        self._offset_ns = 0
        self._wanted: dict[str, set[int]] = {}
        self._shown_ns: dict[str, int] = {}
        """Up to when history was handed out, by symbol: the stream goes on there."""
        self._candles: dict[str, Candles] = {}
        self._intervals: dict[str, int] = {}
        self._is_streaming = False
        self.quotes: dict[str, Quote] = {}
        """The newest, by symbol."""
        self.settles_ns: dict[str, int] = {}
        """When funding settles next, by symbol, as far as it is known."""
        self.fatal: BaseException | None = None
        """What ends the bot: raised to whoever asks for the next event."""

    # -- Connection ----------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """Real time."""
        return Capabilities(
            name=self.venue.name,
            is_virtual=False,
            holds_conditional_orders=self.venue.holds_conditional,
            # A venue's own is not used, where it has one: ADR 0015 says why.
            holds_trailing_stops=False,
        )

    @property
    def ended(self) -> bool:
        """Never: a venue goes on."""
        return False

    @property
    def now_ns(self) -> int:
        """The venue's clock, as of the last comparison with ours."""
        return wall_ns() + self._offset_ns

    @property
    def offset_s(self) -> float:
        """How far the venue's clock is before ours, in seconds."""
        return self._offset_ns / SECOND_NS

    async def connect(self) -> None:
        """Load the markets. Changes nothing at the venue.

        Raises:
            VenueRefused: A symbol is not listed, or the venue is not proven.
            ExchangeUnavailable: It does not answer.
        """
        if not self.venue.is_proven and not self._settings.experimental:
            raise VenueRefused(
                f"{self.venue.name} was never tried against a venue that speaks its protocol: "
                "set exchange.ccxt.experimental = true if you know what that means"
            )
        self.limiter = Limiter(self._settings.requests_per_s_max, int(self._settings.requests_per_s_max))
        self._opened.callback(self.limiter.close)
        self.client: Any = self.open(with_keys=False)
        self.line = Line(self.venue.name, self.limiter, lambda: None)
        await self.measure_clock()
        await self.line.read(self.client.load_markets, lambda markets: markets)
        for symbol in self.symbols:
            market = self.client.markets.get(symbol)
            if market is None or not market.get("swap") or not market.get("linear"):
                raise NotListed(self.venue.name, symbol)

    async def close(self) -> None:
        """Release everything."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._opened.aclose()

    def next_event(self) -> StreamEvent | None:
        """Return the next event of the stream.

        Raises:
            VenueRefused: There will be none any more.
        """
        if not self._is_streaming:
            self._start_streams()
        event = self.queue.take()
        if event is None and self.fatal is not None:
            raise self.fatal
        return event

    async def wait(self) -> None:
        """Return when there may be an event."""
        if self.fatal is None:
            await self.queue.wait()

    def wake(self) -> None:
        """Have a ``wait`` that is under way return."""
        self.queue.wake()

    # -- MarketData ----------------------------------------------------------------------------------------------

    async def instruments(self) -> tuple[Instrument, ...]:
        """Return the instruments of the configured symbols, with a strict margin table of our own."""
        return tuple(instrument_from(self.client.markets[symbol], (), self.venue) for symbol in self.symbols)

    async def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return up to ``count`` closed bars before now, oldest first."""
        self._wanted.setdefault(symbol, set()).add(interval_s)
        shorter_s = max((length for length in TIMEFRAMES if interval_s % length == 0), default=None)
        if shorter_s is None:
            return ()
        times = interval_s // shorter_s
        now_ns = self.now_ns
        since_ns = (now_ns // (interval_s * SECOND_NS) - count) * interval_s * SECOND_NS
        bars = [
            bar
            for bar in await self._candles_since(symbol, shorter_s, since_ns, count * times + 1)
            if bar.time_ns <= now_ns
        ]
        if times > 1:
            aggregator = BarAggregator(symbol, interval_s)
            bars = [longer for bar in bars if (longer := aggregator.on_bar(bar)) is not None]
        bars = bars[-count:]
        if bars:
            self._shown_ns[symbol] = max(self._shown_ns.get(symbol, 0), bars[-1].time_ns)
        return tuple(bars)

    async def _candles_since(self, symbol: str, interval_s: int, since_ns: int, count: int) -> list[Bar]:
        found: dict[int, Bar] = {}
        while len(found) < count:
            since_ms, most = since_ns // MS_NS, min(CANDLES_MAX, count - len(found))
            bars: list[Bar] = await self.line.read(
                lambda since_ms=since_ms, most=most: self.client.fetch_ohlcv(  # type: ignore[misc] # mypy and defaults
                    symbol, TIMEFRAMES[interval_s], since_ms, most
                ),
                lambda rows: [bar_from(symbol, interval_s, row) for row in rows],
            )
            fresh = [bar for bar in bars if bar.time_ns not in found]
            if not fresh:
                break
            found |= {bar.time_ns: bar for bar in fresh}
            since_ns = max(found)
        return [found[time] for time in sorted(found)]

    # -- shared with the account ---------------------------------------------------------------------------------

    def open(self, *, with_keys: bool) -> Any:  # noqa: ANN401 - ccxt has no types
        """Return a client of the venue, which is closed with the market."""
        client = open_client(self._settings, valid_s=self._valid_s, with_keys=with_keys)
        self._opened.push_async_callback(close_client, client)
        return client

    def fresh_quote(self, symbol: str) -> Quote | None:
        """Return the newest quote; None when it says nothing of the market as it is now."""
        quote = self.quotes.get(symbol)
        return quote if quote is not None and self.now_ns - quote.time_ns < QUOTE_AGE_NS_MAX else None

    async def ask_quote(self, symbol: str, urgency: Urgency) -> None:
        """Ask for the top of the book, where the stream has not told it.

        Raises:
            ExchangeUnavailable: There is no answer.
        """
        book = await self.line.read(lambda: self.client.fetch_order_book(symbol), top_of, urgency)
        self._take_quotes({"": book})

    def spawn(self, work: Awaitable[None], name: str) -> None:
        """Run something until it ends or the connection is closed."""
        task = asyncio.ensure_future(work)
        if isinstance(task, asyncio.Task):
            task.set_name(f"exchange.{name}")
            self._tasks.add(task)
            task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        """Forget a task; one that nobody foresaw to fail ends the bot aloud, for what it did is not done any more."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.fatal = self.fatal or error
            self.queue.wake()

    def refuse(self, error: Exception) -> None:
        """End the stream: the venue does not take the keys any more."""
        self.fatal = KeysRefused(self.venue.name, in_words(error))
        self.queue.wake()

    async def measure_clock(self) -> None:
        """Compare our clock with the venue's; half of the way there and back is taken off."""
        if not self.client.has.get("fetchTime"):
            return
        began_ns = wall_ns()
        theirs_ms = await self.line.read(self.client.fetch_time, int)
        self._offset_ns = theirs_ms * MS_NS - (began_ns + wall_ns()) // 2

    # -- streams -------------------------------------------------------------------------------------------------

    def _start_streams(self) -> None:
        self._is_streaming = True
        symbols, client, silence_s = list(self.symbols), self.client, self._settings.stream_silence_s_max
        if not symbols:
            return
        for symbol in symbols:
            wanted_s = gcd(*self._wanted.get(symbol, {60}))
            interval_s = max((length for length in TIMEFRAMES if wanted_s % length == 0), default=60)
            self._intervals[symbol], self._candles[symbol] = interval_s, Candles(interval_s)
            self._candles[symbol].closed_ns = self._shown_ns.get(symbol)
        self._watch_quotes(symbols, QUIET_FACTOR * silence_s)
        self._watch_candles(symbols, QUIET_FACTOR * silence_s + max(self._intervals.values()))
        if client.has.get("watchMarkPrices"):
            self._watch("marks", lambda: client.watch_mark_prices(symbols), self._take_marks, silence_s)
        elif self.venue.marks_in_tickers:
            for symbol in symbols:
                self._watch(
                    f"marks {symbol}",
                    lambda symbol=symbol: client.watch_ticker(symbol),  # type: ignore[misc] # mypy and defaults
                    lambda ticker: self._take_marks({"": ticker}),
                    silence_s,
                )
        self.spawn(self._poll_rates(), "rates")
        self.spawn(self._look_for_candles(), "candles")
        self.spawn(self._refill(), "refill")

    def _watch_quotes(self, symbols: list[str], silence_s: float) -> None:
        """Watch the top of the book; where a venue has no stream of it alone, the book, a stream for each symbol."""
        client = self.client
        if client.has.get("watchBidsAsks"):
            self._watch("quotes", lambda: client.watch_bids_asks(symbols), self._take_quotes, silence_s)
            return
        for symbol in symbols:
            self._watch(
                f"book {symbol}",
                lambda symbol=symbol: client.watch_order_book(symbol),  # type: ignore[misc] # mypy and defaults
                lambda book: self._take_quotes({"": top_of(book)}),
                silence_s,
            )

    def _watch_candles(self, symbols: list[str], silence_s: float) -> None:
        """Watch candles; where a venue has no stream of several symbols, a stream for each."""
        client = self.client
        if client.has.get("watchOHLCVForSymbols"):
            wanted = [[symbol, TIMEFRAMES[self._intervals[symbol]]] for symbol in symbols]
            self._watch("candles", lambda: client.watch_ohlcv_for_symbols(wanted), self._take_candles, silence_s)
            return
        if not client.has.get("watchOHLCV"):
            self.spawn(self._poll_candles(symbols), "candles")
            return
        for symbol in symbols:
            self._watch(
                f"candles {symbol}",
                lambda symbol=symbol: client.watch_ohlcv(symbol, TIMEFRAMES[self._intervals[symbol]]),  # type: ignore[misc] # as above
                partial(self._close_candles, symbol),
                silence_s,
            )

    def _watch(
        self, name: str, ask: Callable[[], Awaitable[Any]], take: Callable[[Any], None], silence_s: float
    ) -> None:
        watch = Watch(
            name,
            ask,
            take,
            silence_s_max=silence_s,
            room=self.queue.room,
            on_break=self._on_break,
            on_silence=self._on_silence,
            on_fatal=self.refuse,
        )
        self.spawn(watch.run(), name)

    async def _on_silence(self) -> None:
        """Open new sockets: one that is half open says nothing, and only a new one helps."""
        await close_sockets(self.client, "opened anew")

    async def _on_break(self, watch: Watch, why: str) -> None:
        logger.bind(stream=watch.name).warning(f"the market's stream broke: {why}")
        for symbol in self.symbols:
            self.queue.put(BookStale(symbol, self.now_ns, why))
        if watch.name.startswith("candles"):
            self.spawn(self._refill(), "refill")

    def _take_quotes(self, tickers: dict[str, Any]) -> None:
        for ticker in tickers.values():
            quote = quote_from(ticker, self.now_ns)
            if quote is not None:
                if is_sound(quote):
                    self.quotes[quote.symbol] = quote
                self.queue.put(quote)

    def _take_marks(self, tickers: dict[str, Any]) -> None:
        for ticker in tickers.values():
            mark = mark_from(ticker, self.now_ns)
            if mark is not None:
                self.queue.put(mark)

    def _take_candles(self, candles: dict[str, dict[str, list[list[Any]]]]) -> None:
        for symbol, by_timeframe in candles.items():
            for rows in by_timeframe.values():
                self._close_candles(symbol, rows)

    def _close_candles(self, symbol: str, rows: Sequence[Sequence[Any]]) -> None:
        for bar in self._candles[symbol].take(bar_from(symbol, self._intervals[symbol], row) for row in rows):
            self.queue.put(bar)

    async def _poll_candles(self, symbols: list[str]) -> None:
        """Ask for candles, where no stream has them."""
        while True:
            for symbol in symbols:
                interval_s = self._intervals[symbol]
                since_ns = self.now_ns - 2 * interval_s * SECOND_NS
                try:
                    bars = await self._candles_since(symbol, interval_s, since_ns, 3)
                except ExchangeUnavailable as error:
                    logger.warning(f"candles of {symbol} cannot be read: {error}")
                    continue
                for bar in self._candles[symbol].take(bars):
                    self.queue.put(bar)
            await asyncio.sleep(CANDLES_EVERY_S)

    async def _look_for_candles(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for candles in self._candles.values():
                for bar in candles.due(self.now_ns):
                    self.queue.put(bar)

    async def _refill(self) -> None:
        """Ask for the candles that nobody saw: before the stream began, or while it was broken."""
        for symbol, candles in self._candles.items():
            if candles.closed_ns is None:
                continue
            interval_s = self._intervals[symbol]
            count = max(1, (self.now_ns - candles.closed_ns) // (interval_s * SECOND_NS) + 1)
            try:
                bars = await self._candles_since(symbol, interval_s, candles.closed_ns, min(count, CANDLES_MAX))
            except ExchangeUnavailable as error:
                logger.warning(f"candles of {symbol} may be missing: {error}")
                continue
            for bar in candles.take(bars):
                self.queue.put(bar)

    async def _poll_rates(self) -> None:
        """Ask for the coming funding rates, and for marks where no stream tells them."""
        has_marks = bool(self.client.has.get("watchMarkPrices")) or self.venue.marks_in_tickers
        while True:
            try:
                rates = await self.line.read(
                    lambda: self.client.fetch_funding_rates(list(self.symbols)), lambda found: list(found.values())
                )
            except ExchangeUnavailable as error:
                logger.warning(f"funding rates cannot be read: {error}")
                rates = []
            for payload in rates:
                rate = funding_rate_from(payload, self.now_ns)
                mark = None if has_marks else mark_from(payload, self.now_ns)
                if rate is not None:
                    self.settles_ns.setdefault(rate.symbol, rate.settles_ns)
                for event in (rate, mark):
                    if event is not None:
                        self.queue.put(event)
            await asyncio.sleep(FUNDING_EVERY_S if has_marks else self._settings.stream_silence_s_max / 6)


async def close_client(client: Any) -> None:  # noqa: ANN401 - ccxt has no types
    """Close a client's sockets. ccxt waits a quarter of a second in it, for nothing that we need."""
    client.timeout_on_exit = 0
    await client.close()


def wall_ns() -> int:
    """Return the machine's time in nanoseconds since the epoch."""
    return time.time_ns()
