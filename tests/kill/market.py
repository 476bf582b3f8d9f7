"""A market that never rests: seeded prices of two symbols, at the wall's time."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import cycle
from random import Random

from app.domain.market import SECOND_NS, FundingRate, MarketEvent, MarkPrice, Quote, Trade
from app.domain.order import Side
from tests.builders import BTC, ETH, instrument

PRICE_START = Decimal(1000)
BIG = Decimal(1000)
FUNDING_EVERY_NS = 3 * SECOND_NS
FUNDING_AHEAD_NS = 2 * SECOND_NS
KINDS = (Trade, Quote, Trade, MarkPrice, Trade)


class Market:
    """Trades move the price by some ticks, quotes and marks follow; a calm one has quotes and marks alone."""

    def __init__(self, seed: int) -> None:
        self.instruments = {symbol: instrument(symbol) for symbol in (BTC, ETH)}
        self.is_calm = False
        self._random = Random(f"market:{seed}")
        self._prices = dict.fromkeys(self.instruments, PRICE_START)
        self._funding_ns = 0
        self._kinds = cycle(KINDS)

    def at(self, time_ns: int) -> Iterator[MarketEvent]:
        """Yield what happens at this moment: one event for each symbol, and sometimes a funding rate."""
        for symbol in self.instruments:
            yield self._next(symbol, time_ns)
        if not self.is_calm and time_ns - self._funding_ns >= FUNDING_EVERY_NS:
            self._funding_ns = time_ns
            for symbol in self.instruments:
                rate = Decimal(self._random.randint(-100, 100)) / 1_000_000
                yield FundingRate(symbol, time_ns, rate, time_ns + FUNDING_AHEAD_NS)

    def _next(self, symbol: str, time_ns: int) -> MarketEvent:
        random, tick = self._random, self.instruments[symbol].tick_size
        kind = next(self._kinds)
        if kind is Trade and not self.is_calm:
            price = max(PRICE_START / 2, self._prices[symbol] + random.randint(-8, 8) * tick)
            self._prices[symbol] = price
            side = random.choice((Side.BUY, Side.SELL))
            return Trade(symbol, time_ns, price, Decimal(random.randint(1, 2000)) / 1000, side)
        price = self._prices[symbol]
        if kind is MarkPrice:
            return MarkPrice(symbol, time_ns, price)
        size = BIG if self.is_calm else Decimal(random.randint(1, 2000)) / 1000
        return Quote(symbol, time_ns, price - tick, size, price + tick, size)
