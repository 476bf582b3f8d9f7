"""A venue's market without keys: what is listed, its history, and its streams."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from loguru import logger

from app.domain.events import InstrumentChanged, StreamEvent
from app.domain.instrument import Instrument
from app.domain.market import Bar
from app.exchanges.ccxt.errors import NotListed
from app.exchanges.ccxt.history import History
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.market_streams import MarketStreams
from app.exchanges.ccxt.session import Session
from app.exchanges.ccxt.translate import instrument_from, is_active
from app.exchanges.ccxt.venues import Payload, UnreadableAnswer
from app.ports.connection import Capabilities, ExchangeUnavailable
from app.settings.ccxt import CcxtSettings

RELIST_AGAIN_S = 10.0
"""After the markets could not be read."""
UNLISTED_AGAIN_S = 60.0
"""While a symbol is not listed: between looks whether it is again."""
LISTED_AGAIN_S = 6 * 3600.0
"""While all are listed: venues announce other lots and the end of a symbol days before."""


class _Connected(msgspec.Struct, frozen=True):
    """What there is only once the venue has answered."""

    line: Line
    """Without keys."""
    history: History
    streams: MarketStreams


class CcxtMarket:
    """Implements ``MarketData``, and ``Connection`` for whoever wants no more than the market."""

    def __init__(self, settings: CcxtSettings, symbols: Sequence[str], *, valid_s: float) -> None:
        self.session = Session(settings, valid_s=valid_s)
        self.venue = self.session.venue
        self.symbols = tuple(symbols)
        self._up: _Connected | None = None
        self._is_streaming = False
        self._listed: dict[str, Instrument] = {}
        self._tiers: Mapping[str, Sequence[dict[str, Any]]] = {}
        self._followers: list[Any] = []
        """Clients with keys, which go by what this one was told is listed."""
        self._moved = asyncio.Event()
        """Set when ticks may soon be others, where they follow the price."""

    # -- Connection ----------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """Real time."""
        return Capabilities(
            name=self.venue.name,
            is_virtual=False,
            # A venue's own is not used, where it has one: ADR 0015 says why.
            holds_trailing_stops=False,
            refuses_late_orders=self.venue.refuses_late_orders,
        )

    @property
    def ended(self) -> bool:
        """Never: a venue goes on."""
        return False

    @property
    def now_ns(self) -> int:
        """The venue's clock."""
        return self.session.now_ns

    async def connect(self) -> None:
        """Load the markets. Changes nothing at the venue.

        Raises:
            VenueRefused: A symbol is not listed, or the venue is not proven.
            ExchangeUnavailable: It does not answer, or nothing can be traded by its terms.
        """
        self.session.begin()
        line = self.session.open(with_keys=False)
        await self.session.measure_clock(line)
        await line.read(line.client.load_markets, dict)
        for symbol in self.symbols:
            market = line.client.markets.get(symbol)
            if market is None or not market.get("swap") or not market.get("linear"):
                raise NotListed(self.venue.name, symbol)
        history = History(line, self.venue.candles_max)
        streams = MarketStreams(
            self.session, line, history, self.symbols, lambda symbol: self._listed[symbol].is_listed, self._moved.set
        )
        self._up = _Connected(line, history, streams)
        self._list()

    async def close(self) -> None:
        """Release everything."""
        await self.session.close()

    def next_event(self) -> StreamEvent | None:
        """Return the next event of the stream, which begins with the first question for it.

        Raises:
            VenueRefused: There will be none any more.
        """
        if not self._is_streaming:
            self._is_streaming = True
            self.streams.begin()
            self.session.spawn(self._follow_listing(), "markets")
        return self.session.next_event()

    async def wait(self) -> None:
        """Return when there may be an event."""
        await self.session.wait()

    def wake(self) -> None:
        """Have a ``wait`` that is under way return."""
        self.session.queue.wake()

    # -- MarketData ----------------------------------------------------------------------------------------------

    async def instruments(self) -> tuple[Instrument, ...]:
        """Return the instruments of the configured symbols, with a strict margin table of our own until one is set."""
        return tuple(self._listed.values())

    async def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return up to ``count`` closed bars before now, oldest first; the stream goes on with those of that length."""
        bars = await self._connected.history.bars(symbol, interval_s, count, self.now_ns)
        self.streams.go_on_after(symbol, interval_s, bars[-1].time_ns if bars else 0)
        return bars

    # -- shared with the account ---------------------------------------------------------------------------------

    @property
    def line(self) -> Line:
        """To the venue, without keys."""
        return self._connected.line

    @property
    def streams(self) -> MarketStreams:
        """What is told of the market."""
        return self._connected.streams

    @property
    def listed(self) -> Mapping[str, Instrument]:
        """The instruments of the configured symbols as they are now, by symbol."""
        return self._listed

    def open_account(self, on_skew: Callable[[], None]) -> Line:
        """Return a line with keys, whose client goes by what is listed, now and whenever that is read again."""
        line = self.session.open(with_keys=True, on_skew=on_skew)
        # Loaded without keys: with keys some venues have a fee signed while they load.
        line.client.set_markets(list(self.line.client.markets.values()))
        self._followers.append(line.client)
        return line

    def set_tiers(self, tiers: Mapping[str, Sequence[dict[str, Any]]]) -> None:
        """Go by the margin tables of an account, by symbol.

        Raises:
            ExchangeUnavailable: They cannot be read.
        """
        self._tiers = tiers
        self._list()

    async def measure_clock(self) -> None:
        """Compare our clock with the venue's."""
        await self.session.measure_clock(self.line)

    # -- inside --------------------------------------------------------------------------------------------------

    @property
    def _connected(self) -> _Connected:
        if self._up is None:
            raise RuntimeError("connect() comes first")
        return self._up

    def _list(self) -> None:
        """Go by what the client was told is listed."""
        with self.line.reading():
            self._listed |= {
                symbol: self._instrument(symbol, self.line.client.markets[symbol]) for symbol in self.symbols
            }

    def _instrument(self, symbol: str, market: Payload) -> Instrument:
        return instrument_from(market, self._tiers.get(symbol, ()), self.venue)

    async def _follow_listing(self) -> None:
        """Read the markets again: now and then, when a price may soon leave its tick's scale, while one is missing."""
        is_known = True
        while True:
            are_listed = all(instrument.is_listed for instrument in self._listed.values())
            again_s = (LISTED_AGAIN_S if are_listed else UNLISTED_AGAIN_S) if is_known else RELIST_AGAIN_S
            with suppress(TimeoutError):
                async with asyncio.timeout(again_s):
                    await self._moved.wait()
            self._moved.clear()
            try:
                await self._list_anew()
            except ExchangeUnavailable as error:
                logger.warning(f"what is listed cannot be read again yet: {error}")
                is_known = False
            else:
                is_known = True

    async def _list_anew(self) -> None:
        """Go by what is listed now. What is not any more stays as it was, for a position in it is read, and closed.

        Raises:
            ExchangeUnavailable: It cannot be had, or not be read: everybody goes on by what was listed before.
        """
        line, before = self.line, self.line.client.markets
        told = await line.read(line.client.fetch_markets, _by_symbol)
        kept = {symbol: before[symbol] for symbol in self.symbols if symbol not in told or not is_active(told[symbol])}
        with line.reading():
            now = [
                msgspec.structs.replace(self._listed[symbol], is_listed=False)
                if symbol in kept
                else self._instrument(symbol, told[symbol])
                for symbol in self.symbols
            ]
        # Only now: a client that had taken over what cannot be read could round no size by it, that of an exit neither.
        for client in (line.client, *self._followers):
            client.set_markets(list((told | kept).values()))
        for instrument in now:
            known = self._listed[instrument.symbol]
            changed = known.listed_as(instrument)
            if changed != known:
                self._listed[instrument.symbol] = changed
                self.session.queue.put(InstrumentChanged(changed, self.now_ns))


def _by_symbol(markets: Sequence[Payload]) -> dict[str, Payload]:
    if not markets:
        raise UnreadableAnswer("no market at all is listed")
    return {market["symbol"]: market for market in markets}
