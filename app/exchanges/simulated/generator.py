"""A seeded market: several symbols, volatility that clusters, jumps, and funding. Same seed, same data, byte for byte.

Each symbol follows a geometric random walk whose log-volatility reverts to its mean (a discrete stochastic-volatility
model), with rare jumps. Funding follows a premium that reverts to zero. Only ``random.Random`` and basic float
operations are used, which give the same bits on every platform that Python runs on.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import exp, sqrt
from random import Random

import msgspec

from app.domain.bars import BarAggregator
from app.domain.instrument import Instrument
from app.domain.market import SECOND_NS, Bar, FundingRate, MarketEvent, MarkPrice, Quote, Trade
from app.domain.order import Side

YEAR_S = 365 * 86_400
VOLATILITY_REVERSION_S = 3 * 3600.0
"""Time in which a burst of volatility fades to a third."""
VOLATILITY_SPREAD = 0.5
"""Standard deviation of the log-volatility."""
JUMPS_A_DAY = 2.0
JUMP_VOLATILITIES = 25.0
"""Size of a jump, in standard deviations of a minute's move divided by five."""
PREMIUM_SPREAD = 0.0003
FUNDING_RATE_MAX = 0.0075
HISTORY_STEPS_MAX = 7_200
"""Steps generated for history; a longer history takes longer steps."""
PRICE_FLOOR = 0.01
"""Of the first price: a generated market does not die."""
SIZES = 40.0
"""Mean size of a trade, in lots."""


class SymbolState(msgspec.Struct):
    """Where one symbol is."""

    price: float
    log_volatility: float = 0.0
    premium: float = 0.0
    funding_ns: int = 0


class GeneratorState(msgspec.Struct):
    """Where the generator is."""

    time_ns: int
    symbols: dict[str, SymbolState]
    random: tuple[int, tuple[int, ...], float | None]
    queue: tuple[Quote | Trade | MarkPrice | FundingRate, ...]


class _Walk:
    """The random walk of one symbol."""

    def __init__(self, instrument: Instrument, price: Decimal, volatility: Decimal) -> None:
        self.instrument = instrument
        self.tick = float(instrument.tick_size)
        self.floor = float(price) * PRICE_FLOOR
        self.volatility = float(volatility)
        self.state = SymbolState(float(price))

    def step(self, random: Random, seconds: float) -> float:
        """Move by ``seconds``; return the price."""
        state = self.state
        decay = exp(-seconds / VOLATILITY_REVERSION_S)
        state.log_volatility = state.log_volatility * decay + random.gauss(0.0, VOLATILITY_SPREAD) * sqrt(1 - decay**2)
        scale = self.volatility * exp(state.log_volatility) * sqrt(seconds / YEAR_S)
        move = random.gauss(0.0, scale)
        if random.random() < JUMPS_A_DAY * seconds / 86_400:
            move += random.gauss(0.0, self.volatility * sqrt(60 / YEAR_S) * JUMP_VOLATILITIES / 5)
        state.premium = state.premium * decay + random.gauss(0.0, PREMIUM_SPREAD) * sqrt(1 - decay**2)
        state.price = max(self.floor, state.price * exp(move))
        return state.price

    def decimal(self, price: float) -> Decimal:
        """Return a price on the tick."""
        return max(1, round(price / self.tick)) * self.instrument.tick_size


class Generator:
    """Implements ``MarketSource``: a quote, a trade and a mark for each symbol and step, and funding rates."""

    def __init__(
        self,
        instruments: Sequence[tuple[Instrument, Decimal, Decimal]],
        seed: int,
        start_ns: int,
        step_s: int,
    ) -> None:
        """Begin a market.

        Args:
            instruments: Each with its first price and its yearly volatility.
            seed: Of everything that is random.
            start_ns: Time before the first event.
            step_s: Seconds between prices.
        """
        self._seed = seed
        self._start_ns = start_ns
        self._step_s = step_s
        self._random = Random(seed)  # noqa: S311 - a market, not a key
        self._walks = {item.symbol: _Walk(item, price, volatility) for item, price, volatility in instruments}
        self._time_ns = start_ns
        self._queue: deque[Quote | Trade | MarkPrice | FundingRate] = deque()
        for symbol, walk in self._walks.items():
            self._announce(symbol, walk)
        self.events = self._generate()
        """The events that are still to come; there is always one."""

    @property
    def start_ns(self) -> int:
        """Time before the first event."""
        return self._start_ns

    def mark_range(self, mark: MarkPrice) -> None:
        """Return None: a generated mark is a single price."""

    def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return ``count`` bars that end where the market is now: a walk of their own, moved to meet the price."""
        walk = self._walks[symbol]
        span_s = interval_s * count
        step_s = max(self._step_s, -(-span_s // HISTORY_STEPS_MAX))
        # Steps must divide the interval, so that every bar ends with one.
        while interval_s % step_s:
            step_s += 1
        end_ns = self._time_ns // (interval_s * SECOND_NS) * interval_s * SECOND_NS
        random = Random(f"{self._seed}:{symbol}:{interval_s}:{end_ns}")  # noqa: S311 - as above
        past = _Walk(walk.instrument, walk.decimal(walk.state.price), Decimal(str(walk.volatility)))
        prices = [past.step(random, step_s) for _ in range(span_s // step_s)]
        shift = walk.state.price / prices[-1] if prices else 1.0
        bars = BarAggregator(symbol, interval_s)
        closed: list[Bar] = []
        time_ns = end_ns - span_s * SECOND_NS
        for price in prices:
            trade = Trade(symbol, time_ns, walk.decimal(price * shift), walk.instrument.lot_size, Side.BUY)
            bar = bars.on_trade(trade)
            if bar is not None:
                closed.append(bar)
            time_ns += step_s * SECOND_NS
        last = bars.advance(end_ns)
        return (*closed, last) if last is not None else tuple(closed)

    def state(self) -> bytes:
        """Return where it is."""
        version, internal, gauss = self._random.getstate()
        symbols = {symbol: walk.state for symbol, walk in self._walks.items()}
        state = GeneratorState(self._time_ns, symbols, (version, internal, gauss), tuple(self._queue))
        return msgspec.json.encode(state)

    def restore(self, payload: bytes) -> None:
        """Go on where ``state`` was taken; a symbol that was not there then begins now, one that has gone is silent."""
        state = msgspec.json.decode(payload, type=GeneratorState)
        self._time_ns = state.time_ns
        self._random.setstate(state.random)
        self._queue = deque(event for event in state.queue if event.symbol in self._walks)
        for symbol, walk in self._walks.items():
            if symbol in state.symbols:
                walk.state = state.symbols[symbol]
            else:
                self._announce(symbol, walk)

    def _generate(self) -> Iterator[MarketEvent]:
        while True:
            if not self._queue:
                self._step()
            yield self._queue.popleft()

    def _step(self) -> None:
        self._time_ns += self._step_s * SECOND_NS
        time_ns, random, add = self._time_ns, self._random, self._queue.append
        for symbol, walk in self._walks.items():
            price = walk.decimal(walk.step(random, self._step_s))
            instrument = walk.instrument
            tick, lot = instrument.tick_size, instrument.lot_size
            buys = random.random() < 0.5
            size = max(1, round(random.expovariate(1.0) * SIZES)) * lot
            bid, ask = (price - tick, price) if buys else (price, price + tick)
            bid = max(bid, tick)
            add(Quote(symbol, time_ns, bid, size * 10, max(ask, bid + tick), size * 10))
            add(Trade(symbol, time_ns, price, size, Side.BUY if buys else Side.SELL))
            add(MarkPrice(symbol, time_ns, price))
            if time_ns >= walk.state.funding_ns:
                self._announce(symbol, walk)

    def _announce(self, symbol: str, walk: _Walk) -> None:
        """Announce the rate of the settlement to come."""
        interval_ns = walk.instrument.funding_interval_s * SECOND_NS
        settles_ns = (self._time_ns // interval_ns + 1) * interval_ns
        walk.state.funding_ns = settles_ns
        rate = max(-FUNDING_RATE_MAX, min(FUNDING_RATE_MAX, 0.0001 + walk.state.premium))
        self._queue.append(FundingRate(symbol, self._time_ns, Decimal(f"{rate:.6f}"), settles_ns))
