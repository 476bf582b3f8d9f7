"""Trades at a venue: the four ports of an exchange over ccxt, REST and websockets."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from functools import partial

import msgspec
from loguru import logger

from app.domain.events import Fill, FundingPaid, StreamEvent
from app.domain.instrument import Instrument
from app.domain.margin import MarginMode
from app.domain.market import Bar
from app.domain.order import Order
from app.domain.position import Position
from app.domain.records import OrderRecord
from app.exchanges.ccxt.account import CcxtAccount
from app.exchanges.ccxt.account_feed import AccountFeed
from app.exchanges.ccxt.client import set_clock
from app.exchanges.ccxt.dead_man import DeadManSwitch
from app.exchanges.ccxt.errors import HedgeModeRefused, VenueRefused
from app.exchanges.ccxt.fitness import Fitness
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.listener import AccountListener
from app.exchanges.ccxt.market import CcxtMarket
from app.exchanges.ccxt.order_facts import OrderFacts
from app.exchanges.ccxt.sender import OrderSender
from app.ports.connection import Capabilities, ExchangeUnavailable
from app.ports.examination import Finding
from app.settings.models import Settings

CLOCK_EVERY_S = 600.0


class _Connected(msgspec.Struct, frozen=True):
    """What there is only once the venue has let us in."""

    line: Line
    """With keys."""
    reader: CcxtAccount
    sender: OrderSender
    feed: AccountFeed
    dead_man: DeadManSwitch | None


class CcxtExchange:
    """Sends at once and never waits; what became of a request comes back on the stream."""

    def __init__(self, settings: Settings, symbols: Sequence[str]) -> None:
        given = settings.exchange.ccxt
        self._settings = given
        self._account = settings.account
        self._market = CcxtMarket(given, symbols, valid_s=settings.execution.request_valid_s)
        self._venue = self._market.venue
        self._ids = self._venue.ids(settings.account.id)
        self._up: _Connected | None = None

    # -- Connection ----------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """Real time."""
        return self._market.capabilities

    @property
    def ended(self) -> bool:
        """Never: a venue goes on."""
        return False

    @property
    def now_ns(self) -> int:
        """The venue's clock."""
        return self._market.now_ns

    async def connect(self) -> None:
        """Load the markets, see that the account can be traded, and listen. Changes nothing at the venue.

        Raises:
            VenueRefused: The keys are missing or refused, the account is in hedge mode, a symbol is not listed.
            ExchangeUnavailable: The venue does not answer.
        """
        missing = [name for name in self._venue.credentials if getattr(self._settings, name) is None]
        if missing:
            keys = ", ".join(f"exchange.ccxt.{name}" for name in missing)
            raise VenueRefused(f"{self._venue.name} needs {keys}: give them by the environment or a secrets folder")
        await self._market.connect()
        market, session, symbols = self._market, self._market.session, self._market.symbols
        line = market.open_account(lambda: session.spawn(self._compare_clocks(line), "clock"))
        set_clock(line.client, session.offset_s)
        facts = OrderFacts()
        reader = CcxtAccount(line, self._venue, self._ids, facts, self._account, market.listed, lambda: self.now_ns)
        if await reader.is_hedged(symbols[0] if symbols else None):
            raise HedgeModeRefused(self._venue.name)
        market.set_tiers(await reader.margin_tiers(symbols))
        dead_man = self._dead_man_on(line)
        feed, streams = AccountFeed(session, self._ids, facts), market.streams
        sender = OrderSender(session, line, self._ids, feed, reader, streams)
        self._up = _Connected(line, reader, sender, feed, dead_man)
        AccountListener(session, line, feed, reader, streams).begin()
        session.spawn(self._keep_clock(line), "clock")
        if dead_man is not None:
            session.spawn(dead_man.run(), "dead man")

    def _dead_man_on(self, line: Line) -> DeadManSwitch | None:
        after_s, cancel_after = self._settings.dead_man_s, self._venue.dead_man
        if after_s is None:
            return None
        if cancel_after is None:
            raise VenueRefused(f"{self._venue.name} has no dead-man switch here: unset exchange.ccxt.dead_man_s")
        return DeadManSwitch(partial(cancel_after, line.client), line, self._market.symbols, after_s)

    async def close(self) -> None:
        """Release everything. What is on its way stays unknown, and is asked for at the next start."""
        if self._up is not None and self._up.dead_man is not None:
            await self._up.dead_man.disarm()
        await self._market.close()

    def next_event(self) -> StreamEvent | None:
        """Return the next event of the stream."""
        dead_man = self._connected.dead_man
        if dead_man is not None:
            dead_man.progress()
        return self._market.next_event()

    async def wait(self) -> None:
        """Return when there may be an event."""
        await self._market.wait()

    def wake(self) -> None:
        """Have a ``wait`` that is under way return."""
        self._market.wake()

    # -- MarketData ----------------------------------------------------------------------------------------------

    async def instruments(self) -> tuple[Instrument, ...]:
        """Return the instruments of the configured symbols, with the account's margin table."""
        return await self._market.instruments()

    async def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return up to ``count`` closed bars before now, oldest first."""
        return await self._market.history(symbol, interval_s, count)

    # -- AccountPort ---------------------------------------------------------------------------------------------

    async def balance(self) -> Decimal:
        """Return the wallet balance, without unrealized PnL."""
        return await self._connected.reader.balance()

    async def positions(self) -> tuple[Position, ...]:
        """Return all positions that are not flat, of the configured symbols."""
        return await self._connected.reader.positions()

    async def open_orders(self) -> tuple[OrderRecord, ...]:
        """Return all working orders of the configured symbols, foreign ones included."""
        return await self._connected.reader.open_orders()

    async def order(self, symbol: str, client_order_id: str) -> OrderRecord | None:
        """Return one order, working or ended; None when the venue definitely does not know it."""
        return await self._connected.reader.order(symbol, client_order_id)

    async def fills_since(self, time_ns: int) -> tuple[Fill, ...]:
        """Return the fills at or after ``time_ns``, oldest first."""
        fills = await self._connected.reader.fills_since(time_ns)
        self._connected.feed.note_read(fills)
        return fills

    async def funding_since(self, time_ns: int) -> tuple[FundingPaid, ...]:
        """Return the funding settlements of our positions at or after ``time_ns``, oldest first."""
        return await self._connected.reader.funding_since(time_ns)

    async def examine(self) -> tuple[Finding, ...]:
        """Return what must be known before money is risked here; once connected."""
        up = self._connected
        fitness = Fitness(self._settings, self._account, self._market, up.reader, up.line)
        return await fitness.examine()

    # -- OrderEntry ----------------------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        """Send an order. What cannot be sent as it is, is refused here: nothing is rounded on its way."""
        self._connected.sender.submit(order)

    def cancel(self, order: Order, reason: str) -> None:
        """Ask for what is left of an order to be canceled."""
        del reason
        self._connected.sender.cancel(order)

    async def configure(self, symbol: str, margin_mode: MarginMode, leverage: Decimal) -> None:
        """Set margin mode and leverage of a symbol; already set is success.

        Raises:
            VenueRefused: The venue will not.
            ExchangeUnavailable: Nobody knows whether it did.
        """
        await self._connected.sender.configure(symbol, margin_mode, leverage)

    # -- inside --------------------------------------------------------------------------------------------------

    @property
    def _connected(self) -> _Connected:
        if self._up is None:
            raise RuntimeError("connect() comes first")
        return self._up

    async def _keep_clock(self, line: Line) -> None:
        while True:
            await asyncio.sleep(CLOCK_EVERY_S)
            await self._compare_clocks(line)

    async def _compare_clocks(self, line: Line) -> None:
        try:
            await self._market.measure_clock()
        except ExchangeUnavailable as error:
            logger.warning(f"the venue's clock cannot be read: {error}")
        set_clock(line.client, self._market.session.offset_s)
