"""The exchanges that the contract suite is run on, each with what a test needs to make things happen there."""

import asyncio
import time
from decimal import Decimal

from app.domain.events import StreamEvent
from app.domain.market import MarkPrice, Quote
from app.exchanges.simulated import SimulatedExchange
from app.settings.models import AccountSettings, Settings
from app.settings.simulated import InstrumentSettings, SimulatedSettings
from tests.builders import BTC
from tests.fakes.journal import FakeJournal
from tests.loopback.binance import LoopbackBinance
from tests.loopback.hyperliquid import LoopbackHyperliquid
from tests.loopback.profile import keys_of

PATIENCE_S = 10.0


class Bench:
    """An exchange, and the events that it has told so far."""

    prices = "100"
    """About what the market trades at."""
    symbol = BTC

    def __init__(self, exchange):
        self.exchange = exchange
        self.seen: list[StreamEvent] = []

    @property
    def now_ns(self):
        return self.exchange.now_ns

    async def open(self):
        await self.exchange.connect()

    async def close(self):
        await self.exchange.close()
        await self.exchange.close()

    async def until(self, kind, client_order_id=None, *, after=0):
        """Return the first event of a kind, about an order if one is named, after so many of them."""
        deadline = time.monotonic() + PATIENCE_S
        place = found = 0
        while time.monotonic() < deadline:
            while place < len(self.seen):
                event = self.seen[place]
                place += 1
                if isinstance(event, kind) and client_order_id in {None, getattr(event, "client_order_id", None)}:
                    found += 1
                    if found > after:
                        return event
            await self.take()
        raise AssertionError(f"no {kind.__name__} of {client_order_id} in {[e for e in self.seen if of_account(e)]}")

    async def take(self):
        event = self.exchange.next_event()
        if event is None:
            await asyncio.sleep(0.005)
        else:
            self.seen.append(event)

    async def settle(self, seconds=0.4):
        """Take in all that comes for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await self.take()

    def about(self, client_order_id):
        """Return the kinds of events that were told of an order, in order."""
        return [
            type(event).__name__ for event in self.seen if getattr(event, "client_order_id", None) == client_order_id
        ]


def of_account(event):
    return hasattr(event, "client_order_id") or type(event).__name__ in {"StreamReset", "BookStale"}


class SimulatedBench(Bench):
    """The embedded exchange, as fast as it can."""

    name = "simulated"

    def __init__(self):
        listed = (InstrumentSettings(symbol=BTC, price_start=Decimal(100)),)
        settings = SimulatedSettings(instruments=listed, speed=0.0, deposit=Decimal(10_000))
        super().__init__(SimulatedExchange(settings, AccountSettings(), FakeJournal(), resumable=False))

    async def open(self):
        await super().open()
        for _ in range(10):
            await self.take()

    async def settle(self, seconds=0.4):
        del seconds
        for _ in range(50):
            await self.take()


def venue_settings(venue, adapter="ccxt", **changes):
    """Return settings that point to a venue on loopback."""
    ccxt = {"venue": venue.name, "url": venue.url, "request_timeout_s": 1.0, "requests_per_s_max": 100}
    ccxt |= keys_of(venue)
    return Settings(
        account={"currency": venue.currency},
        exchange={"adapter": adapter, "ccxt": ccxt | changes},
        strategies={"trend": {"strategy": "trend", "symbols": [venue.symbol]}},
    )


class LoopbackBench(Bench):
    """The ccxt adapter, over real sockets, at a venue on loopback."""

    name = "binanceusdm"
    prices = "50000"
    venue_class = LoopbackBinance

    def __init__(self, **changes):
        self.venue = self.venue_class()
        self.changes = changes

    @property
    def symbol(self):
        return self.venue.symbol

    @property
    def fee_rates(self):
        """Return what a taker and what a maker pays."""
        return self.venue.instrument.taker_fee_rate, self.venue.instrument.maker_fee_rate

    def arrived(self, client_order_id):
        """Return how often the venue was sent an order."""
        return self.venue.arrived[self.exchange._ids.to_venue(client_order_id)]

    async def open(self):
        from app.exchanges.ccxt import CcxtExchange

        await self.venue.start()
        super().__init__(CcxtExchange(venue_settings(self.venue, **self.changes), [self.symbol]))
        await super().open()
        await self.listened_to()

    async def listened_to(self):
        """Return when the account is listened to: before that nothing happens in it."""
        for _ in range(200):
            if self.venue.listens:
                break
            await asyncio.sleep(0.01)

    async def restart(self):
        """Have another bot go on where this one was."""
        from app.exchanges.ccxt import CcxtExchange

        await self.exchange.close()
        super().__init__(CcxtExchange(venue_settings(self.venue, **self.changes), [self.symbol]))
        await super().open()
        await self.listened_to()

    async def close(self):
        if hasattr(self, "exchange"):
            await super().close()
        await self.venue.stop()

    @property
    def now_ns(self):
        return time.time_ns()


class HyperliquidBench(LoopbackBench):
    """The same adapter at a venue that speaks hyperliquid."""

    name = "hyperliquid"
    venue_class = LoopbackHyperliquid


class PaperBench(LoopbackBench):
    """The market of the venue on loopback, and an account in this process."""

    name = "paper"

    async def open(self):
        from app.exchanges.ccxt import CcxtMarket
        from app.exchanges.paper import PaperExchange

        await self.venue.start()
        settings = venue_settings(self.venue, "paper")
        market = CcxtMarket(settings.exchange.ccxt, [self.symbol], valid_s=5)
        simulated = settings.exchange.simulated.model_copy(update={"deposit": Decimal(10_000)})
        Bench.__init__(self, PaperExchange(market, simulated, settings.account, FakeJournal(), resumable=True))
        await self.exchange.connect()
        await self.until(Quote)
        await self.until(MarkPrice)


class PaperAtHyperliquidBench(PaperBench):
    """The market of the other venue."""

    name = "paper at hyperliquid"
    venue_class = LoopbackHyperliquid


VENUE_BENCHES = (LoopbackBench, HyperliquidBench)
BENCHES = (SimulatedBench, *VENUE_BENCHES, PaperBench, PaperAtHyperliquidBench)
