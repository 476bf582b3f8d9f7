"""The streams of a venue's market: quotes, marks, candles, and the funding rates, which are asked for. No keys."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from math import gcd
from typing import Any

from loguru import logger

from app.domain.events import BookStale
from app.domain.market import SECOND_NS, Quote
from app.domain.price_sieve import is_sound
from app.exchanges.ccxt.candles import Candles
from app.exchanges.ccxt.client import close_sockets
from app.exchanges.ccxt.history import TIMEFRAMES, History, longest_of
from app.exchanges.ccxt.limiter import Urgency
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.readable import readable
from app.exchanges.ccxt.relisting import Relisting
from app.exchanges.ccxt.session import Session
from app.exchanges.ccxt.succession import Succession
from app.exchanges.ccxt.translate import bar_from, funding_rate_from, mark_from, quote_from, top_of
from app.exchanges.ccxt.watch import Watch
from app.ports.connection import ExchangeUnavailable

QUIET_FACTOR = 6
"""How much longer than marks candles may be silent: nothing may be traded for a while."""
QUOTE_AGE_NS_MAX = 5 * SECOND_NS
"""How old a quote may be of which the bound of a market order is reckoned."""
FUNDING_EVERY_S = 30.0
CANDLES_EVERY_S = 5.0
REFILLED_MAX = 500
"""Candles that are asked for after a break; of a longer one, whoever needs them asks for history."""
LOOK_EVERY_S = 0.25
"""Between looks for a candle that nothing follows."""


class MarketStreams:
    """What is told of some symbols."""

    def __init__(
        self,
        session: Session,
        line: Line,
        history: History,
        symbols: Sequence[str],
        is_listed: Callable[[str], bool],
        on_moved: Callable[[], None],
    ) -> None:
        """Begin nothing yet.

        Args:
            session: With the venue.
            line: To the venue, without keys.
            history: Where candles are asked for that nobody has seen.
            symbols: What is listened to.
            is_listed: Whether the venue lists one of them still.
            on_moved: Called when ticks may soon be others, where they follow the price.
        """
        self._session = session
        self._client = line.client
        self._line = line
        self._history = history
        self._symbols = tuple(symbols)
        self._is_listed = is_listed
        self._on_moved = on_moved
        self._wanted: dict[str, set[int]] = {}
        self._shown_ns: dict[str, int] = {}
        self._candles: dict[str, Candles] = {}
        self._intervals: dict[str, int] = {}
        self._relisting = Relisting()
        self._succession = {name: Succession(name) for name in ("quotes", "marks", "candles")}
        self._quotes: dict[str, Quote] = {}
        self._settles_ns: dict[str, int] = {}
        """When funding settles next, by symbol, as far as it is known."""

    def go_on_after(self, symbol: str, interval_s: int, shown_ns: int) -> None:
        """Have bars of a length on the stream, from those that close after ``shown_ns``; before it begins."""
        self._wanted.setdefault(symbol, set()).add(interval_s)
        self._shown_ns[symbol] = max(self._shown_ns.get(symbol, 0), shown_ns)

    def begin(self) -> None:
        """Listen, until the session is closed."""
        symbols, client, silence_s = list(self._symbols), self._client, self._session.settings.stream_silence_s_max
        if not symbols:
            return
        for symbol in symbols:
            wanted_s = gcd(*self._wanted.get(symbol, {60}))
            interval_s = longest_of(wanted_s) or 60
            self._intervals[symbol], self._candles[symbol] = interval_s, Candles(interval_s)
            self._candles[symbol].closed_ns = self._shown_ns.get(symbol) or None
        self._watch_quotes(symbols, QUIET_FACTOR * silence_s)
        self._watch_candles(symbols, QUIET_FACTOR * silence_s + max(self._intervals.values()))
        if client.has.get("watchMarkPrices"):
            self._watch("marks", lambda: client.watch_mark_prices(symbols), self._take_marks, silence_s)
        elif self._session.venue.marks_in_tickers:
            for symbol in symbols:
                self._watch(
                    f"marks {symbol}",
                    lambda symbol=symbol: client.watch_ticker(symbol),  # type: ignore[misc] # mypy and defaults
                    lambda ticker: self._take_marks({"": ticker}),
                    silence_s,
                    symbol,
                )
        self._session.spawn(self._poll_rates(), "rates")
        self._session.spawn(self._look_for_candles(), "candles")
        self._session.spawn(self._refill(), "refill")

    def fresh_quote(self, symbol: str) -> Quote | None:
        """Return the newest quote; None when it says nothing of the market as it is now."""
        quote = self._quotes.get(symbol)
        return quote if quote is not None and self._session.now_ns - quote.time_ns < QUOTE_AGE_NS_MAX else None

    async def ask_quote(self, symbol: str, urgency: Urgency) -> None:
        """Ask for the top of the book, where the stream has not told it.

        Raises:
            ExchangeUnavailable: There is no answer.
        """
        book = await self._line.read(lambda: self._client.fetch_order_book(symbol), top_of, urgency)
        quote = quote_from(book, self._session.now_ns)
        if quote is not None:
            self._keep_quote(quote)

    def settled(self, by_ns: int) -> dict[str, int]:
        """Return when funding has settled, by symbol, where that is before ``by_ns`` and was not forgotten yet."""
        return {symbol: time_ns for symbol, time_ns in self._settles_ns.items() if time_ns < by_ns}

    def forget_settled(self, symbols: Iterable[str]) -> None:
        """Forget settlements whose payments have come; the next ones are told with the next rates."""
        for symbol in symbols:
            del self._settles_ns[symbol]

    def _watch_quotes(self, symbols: list[str], silence_s: float) -> None:
        """Watch the top of the book; where a venue has no stream of it alone, the book, a stream for each symbol."""
        client = self._client
        if client.has.get("watchBidsAsks"):
            self._watch("quotes", lambda: client.watch_bids_asks(symbols), self._take_quotes, silence_s)
            return
        for symbol in symbols:
            self._watch(
                f"book {symbol}",
                lambda symbol=symbol: client.watch_order_book(symbol),  # type: ignore[misc] # mypy and defaults
                lambda book: self._take_quotes({"": top_of(book)}),
                silence_s,
                symbol,
            )

    def _watch_candles(self, symbols: list[str], silence_s: float) -> None:
        """Watch candles; where a venue has no stream of several symbols, a stream for each."""
        client = self._client
        if client.has.get("watchOHLCVForSymbols"):
            wanted = [[symbol, TIMEFRAMES[self._intervals[symbol]]] for symbol in symbols]
            self._watch("candles", lambda: client.watch_ohlcv_for_symbols(wanted), self._take_candles, silence_s)
            return
        if not client.has.get("watchOHLCV"):
            self._session.spawn(self._poll_candles(symbols), "candles")
            return
        for symbol in symbols:
            self._watch(
                f"candles {symbol}",
                lambda symbol=symbol: client.watch_ohlcv(symbol, TIMEFRAMES[self._intervals[symbol]]),  # type: ignore[misc] # as above
                partial(self._close_candles, symbol),
                silence_s,
                symbol,
            )

    def _watch(
        self,
        name: str,
        ask: Callable[[], Awaitable[Any]],
        take: Callable[[Any], None],
        silence_s: float,
        symbol: str | None = None,
    ) -> None:
        """Read a stream; with ``symbol``, one that tells of that symbol alone."""
        watch = Watch(
            name,
            ask,
            take,
            silence_s_max=silence_s,
            room=self._session.queue.room,
            on_break=partial(self._on_break, symbol),
            on_silence=partial(self._on_silence, symbol),
            on_fatal=self._session.refuse,
        )
        self._session.spawn(watch.run(), name)

    async def _on_silence(self, symbol: str | None) -> None:
        """Open new sockets: one that is half open says nothing, and only a new one helps."""
        if symbol is None or self._is_listed(symbol):
            await close_sockets(self._client, "opened anew")

    async def _on_break(self, symbol: str | None, watch: Watch, why: str) -> None:
        if symbol is not None and not self._is_listed(symbol):
            # Nothing is told of it: that says nothing of the others.
            self._session.queue.put(BookStale(symbol, self._session.now_ns, why))
            return
        logger.bind(stream=watch.name).warning(f"the market's stream broke: {why}")
        for succession in self._succession.values():
            succession.begin_anew()
        for each in self._symbols:
            self._session.queue.put(BookStale(each, self._session.now_ns, why))
        if watch.name.startswith("candles"):
            self._session.spawn(self._refill(), "refill")

    def _take_quotes(self, tickers: dict[str, Any]) -> None:
        for ticker in tickers.values():
            now_ns = self._session.now_ns
            quote, number = quote_from(ticker, now_ns), self._session.venue.number_of_quote(ticker)
            if quote is not None and self._succession["quotes"].follows(quote.symbol, quote.time_ns, number, now_ns):
                self._keep_quote(quote)

    def _keep_quote(self, quote: Quote) -> None:
        if is_sound(quote):
            self._quotes[quote.symbol] = quote
        self._session.queue.put(quote)

    def _take_marks(self, tickers: dict[str, Any]) -> None:
        for ticker in tickers.values():
            now_ns = self._session.now_ns
            mark = mark_from(ticker, now_ns)
            if mark is not None and self._succession["marks"].follows(mark.symbol, mark.time_ns, None, now_ns):
                self._session.queue.put(mark)
                if self._session.venue.tick_follows_price and is_sound(mark) and self._relisting.is_due(mark):
                    self._relisting.begin()
                    self._on_moved()

    def _take_candles(self, candles: dict[str, dict[str, list[list[Any]]]]) -> None:
        for symbol, by_timeframe in candles.items():
            for rows in by_timeframe.values():
                self._close_candles(symbol, rows)

    def _close_candles(self, symbol: str, rows: Sequence[Sequence[Any]]) -> None:
        candles, now_ns = self._candles[symbol], self._session.now_ns
        told = [bar_from(symbol, self._intervals[symbol], row) for row in rows]
        for bar in told:
            if candles.is_over(bar):
                self._succession["candles"].count(now_ns)
        for bar in candles.take(told):
            self._session.queue.put(bar)

    async def _poll_candles(self, symbols: list[str]) -> None:
        """Ask for candles, where no stream has them."""
        while True:
            for symbol in symbols:
                interval_s = self._intervals[symbol]
                since_ns = self._session.now_ns - 2 * interval_s * SECOND_NS
                try:
                    bars = await self._history.candles_since(symbol, interval_s, since_ns, 3)
                except ExchangeUnavailable as error:
                    logger.warning(f"candles of {symbol} cannot be read: {error}")
                    continue
                for bar in self._candles[symbol].take(bars):
                    self._session.queue.put(bar)
            await asyncio.sleep(CANDLES_EVERY_S)

    async def _look_for_candles(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for candles in self._candles.values():
                for bar in candles.due(self._session.now_ns):
                    self._session.queue.put(bar)

    async def _refill(self) -> None:
        """Ask for the candles that nobody saw: before the stream began, or while it was broken."""
        for symbol, candles in self._candles.items():
            if candles.closed_ns is None:
                continue
            interval_s = self._intervals[symbol]
            count = max(1, (self._session.now_ns - candles.closed_ns) // (interval_s * SECOND_NS) + 1)
            try:
                bars = await self._history.candles_since(
                    symbol, interval_s, candles.closed_ns, min(count, REFILLED_MAX)
                )
            except ExchangeUnavailable as error:
                logger.warning(f"candles of {symbol} may be missing: {error}")
                continue
            for bar in candles.take(bars):
                self._session.queue.put(bar)

    async def _poll_rates(self) -> None:
        """Ask for the coming funding rates, and for marks where no stream tells them."""
        has_marks = bool(self._client.has.get("watchMarkPrices")) or self._session.venue.marks_in_tickers
        while True:
            try:
                rates = await self._line.read(
                    lambda: self._client.fetch_funding_rates(list(self._symbols)), lambda found: list(found.values())
                )
            except ExchangeUnavailable as error:
                logger.warning(f"funding rates cannot be read: {error}")
                rates = []
            now_ns = self._session.now_ns
            told = readable(
                rates,
                lambda payload, now_ns=now_ns: (  # type: ignore[misc] # mypy and defaults
                    funding_rate_from(payload, now_ns),
                    None if has_marks else mark_from(payload, now_ns),
                ),
                "funding rates",
            )
            for rate, mark in told:
                if rate is not None:
                    # What has come is kept until it is asked for; a venue that shortens its interval is followed.
                    known_ns = self._settles_ns.get(rate.symbol, rate.settles_ns)
                    self._settles_ns[rate.symbol] = min(known_ns, rate.settles_ns)
                for event in (rate, mark):
                    if event is not None:
                        self._session.queue.put(event)
            await asyncio.sleep(FUNDING_EVERY_S if has_marks else self._session.settings.stream_silence_s_max / 6)
