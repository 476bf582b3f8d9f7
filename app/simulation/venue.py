"""The exchange of a simulated world. It outlives the bot's process, and writes down what it was asked.

Like some real venues it takes a client order id again once the first order of that id has ended: whoever sends an order
again without asking has two.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random

from app.domain.events import AccountEvent, Fill, FundingPaid, OrderRejected, StreamEvent
from app.domain.instrument import Instrument
from app.domain.market import SECOND_NS, FundingRate, MarketEvent, MarkPrice, Quote, Trade
from app.domain.order import Order, OrderType, Purpose, Side, TimeInForce
from app.domain.position import Position
from app.domain.records import OrderRecord
from app.exchanges.matching import MatchingEngine, MatchingRules
from app.settings.models import Settings

START_NS = 1_767_225_600 * SECOND_NS
"""2026-01-01T00:00:00Z."""
STEP_S = 5.0
"""Between two market events of a symbol."""
FUNDING_EVERY_STEPS = 30
FUNDING_AHEAD_NS = 20 * SECOND_NS
MOVE_TICKS = 8
STRANGER = "stranger"


class Venue:
    """An account, its market, and the record of what was asked."""

    def __init__(
        self,
        random: Random,
        settings: Settings,
        instruments: Mapping[str, Instrument],
        *,
        holds_trailing_stops: bool = True,
    ) -> None:
        self._random = random
        self._loop = asyncio.get_running_loop()
        self.instruments = instruments
        self.holds_trailing_stops = holds_trailing_stops
        simulated, account = settings.exchange.simulated, settings.account
        self._engine = MatchingEngine(
            account.id,
            account.currency,
            instruments,
            MatchingRules(spread_ticks=simulated.spread_ticks, reuses_client_order_ids=True),
            random.random,
            account.margin_mode,
            account.leverage,
        )
        starts = {item.symbol: item.price_start for item in simulated.instruments}
        self._prices = {symbol: instruments[symbol].round_price(starts[symbol]) for symbol in instruments}
        self._steps = 0
        self.skew_ns = 0
        self.fills_part_of_volume = False
        self.is_calm = False
        """Prices rest, nobody trades, and everybody would."""
        self.arrived: Counter[str] = Counter()
        """How often each client order id was submitted."""
        self.travelling: set[str] = set()
        """Orders that have left their sender and are not here yet."""
        self.refused: set[str] = set()
        """Orders that it has definitely refused."""
        self.fills: list[Fill] = []
        self.settlements: list[FundingPaid] = []
        self.known: dict[str, OrderRecord] = {}
        """Orders as they last were, the ended ones too."""
        self.on_event: Callable[[StreamEvent], None] = lambda _: None
        """Whoever listens to the stream; nobody, while no bot is connected."""
        self._engine.deposit(simulated.deposit, self.now_ns)

    # -- what it is asked ----------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """Its clock, which may be wrong."""
        return START_NS + int(self._loop.time() * SECOND_NS) + self.skew_ns

    @property
    def balance(self) -> Decimal:
        """Wallet balance."""
        return self._engine.books.balance

    @property
    def positions(self) -> tuple[Position, ...]:
        """All that are not flat."""
        return self._engine.books.positions

    def open_orders(self) -> tuple[OrderRecord, ...]:
        """Return the working orders."""
        return self._engine.open_orders()

    def order(self, client_order_id: str) -> OrderRecord | None:
        """Return an order; None when it never came."""
        return self._engine.order(client_order_id) or self.known.get(client_order_id)

    def submit(self, order: Order) -> None:
        """Take an order that has arrived."""
        self.arrived[order.client_order_id] += 1
        if order.type is OrderType.TRAILING_STOP and not self.holds_trailing_stops:
            refused = OrderRejected(order.client_order_id, order.symbol, self.now_ns, "no trailing stops are held here")
            self._note(refused)
            self.on_event(refused)
            return
        self._engine.submit(order)
        self._tell_outcomes()

    def cancel(self, order: Order, reason: str) -> None:
        """Take a cancel that has arrived."""
        self._engine.cancel(order, reason)
        self._tell_outcomes()

    # -- what happens there --------------------------------------------------------------------------------------

    def step(self) -> None:
        """Let the market move on: a trade, a quote or a mark for each symbol, and sometimes a funding rate."""
        self._steps += 1
        for symbol in self.instruments:
            self._meet(self._next(symbol))
        if self._steps % FUNDING_EVERY_STEPS == 0 and not self.is_calm:
            for symbol in self.instruments:
                rate = Decimal(self._random.randint(-100, 100)) / 1_000_000
                self._meet(FundingRate(symbol, self.now_ns, rate, self.now_ns + FUNDING_AHEAD_NS))

    def shock(self, number: int) -> None:
        """Move the price of a symbol by as much as three percent, at once."""
        symbol = self._symbol(number)
        instrument, part = self.instruments[symbol], Decimal(number % 601 - 300) / 10_000
        self._prices[symbol] = instrument.round_price(self._prices[symbol] * (1 + part))
        self._meet(MarkPrice(symbol, self.now_ns, self._prices[symbol]))

    def trade_by_hand(self, number: int) -> None:
        """Have a stranger with the account's password trade a lot or some."""
        instrument = self.instruments[self._symbol(number)]
        order = Order(
            client_order_id=f"{STRANGER}-{number}",
            account_id=STRANGER,
            strategy_id=STRANGER,
            symbol=instrument.symbol,
            side=Side.BUY if number % 2 else Side.SELL,
            type=OrderType.MARKET,
            contracts=instrument.round_contracts(instrument.contracts_min * (1 + number % 50)),
            created_ns=self.now_ns,
            purpose=Purpose.ENTRY,
            time_in_force=TimeInForce.IOC,
        )
        self._engine.submit(order)
        self._tell_outcomes()
        self._meet(self._trade(instrument))

    def _symbol(self, number: int) -> str:
        return tuple(self.instruments)[number % len(self.instruments)]

    def _next(self, symbol: str) -> MarketEvent:
        instrument, kind = self.instruments[symbol], self._steps % 4
        if not self.is_calm:
            moved = self._prices[symbol] + self._random.randint(-MOVE_TICKS, MOVE_TICKS) * self._stride(instrument)
            self._prices[symbol] = max(self._stride(instrument), moved)
        price = self._prices[symbol]
        if kind == 0:
            return MarkPrice(symbol, self.now_ns, price)
        if kind == 1 or self.is_calm:
            size = instrument.contracts_min * (100_000 if self.is_calm else self._random.randint(1, 2000))
            return Quote(symbol, self.now_ns, price - instrument.tick_size, size, price + instrument.tick_size, size)
        return self._trade(instrument)

    def _stride(self, instrument: Instrument) -> Decimal:
        """Return some basis points of the price, on the tick: what the price moves by."""
        return max(instrument.tick_size, instrument.round_price(self._prices[instrument.symbol] / 10_000))

    def _trade(self, instrument: Instrument) -> Trade:
        lots = 100_000 if self.is_calm or not self.fills_part_of_volume else self._random.randint(1, 300)
        side = Side.BUY if self._random.random() < 0.5 else Side.SELL
        size = instrument.contracts_min * lots
        return Trade(instrument.symbol, self.now_ns, self._prices[instrument.symbol], size, side)

    def _meet(self, event: MarketEvent) -> None:
        self._engine.set_partial_fills(Decimal("0.4") if self.fills_part_of_volume else Decimal(1))
        self._engine.on_market(event)
        self._tell_outcomes()
        self.on_event(event)

    def _tell_outcomes(self) -> None:
        while self._engine.outcomes:
            outcome = self._engine.outcomes.popleft()
            self._note(outcome)
            self.on_event(outcome)

    def _note(self, outcome: AccountEvent) -> None:
        if isinstance(outcome, Fill):
            self.fills.append(outcome)
        elif isinstance(outcome, FundingPaid):
            self.settlements.append(outcome)
        elif isinstance(outcome, OrderRejected):
            self.refused.add(outcome.client_order_id)
        client_order_id = getattr(outcome, "client_order_id", None)
        record = None if client_order_id is None else self._engine.order(client_order_id)
        if record is not None:
            self.known[record.order.client_order_id] = record
