"""Watches a backtest: equity at every bar, round trips, and what was traded."""

from array import array
from collections.abc import Callable, Mapping

from app.backtest.round_trips import RoundTripBuilder
from app.backtest.statistics import Statistics, statistics_of
from app.domain.events import Fill, FundingPaid, StreamEvent
from app.domain.instrument import Instrument
from app.domain.market import Bar
from app.domain.money import ZERO
from app.domain.records import StrategySetAside
from app.domain.target import Target
from app.ports.portfolio import PortfolioView
from app.telemetry import RunFigures


class SeenBars:
    """The bars of one symbol, as columns."""

    def __init__(self) -> None:
        self.times_ns = array("q")
        """When each closed."""
        self.opens, self.highs, self.lows, self.closes = array("d"), array("d"), array("d"), array("d")

    def add(self, bar: Bar) -> None:
        """Keep a bar."""
        self.times_ns.append(bar.time_ns)
        self.opens.append(float(bar.open))
        self.highs.append(float(bar.high))
        self.lows.append(float(bar.low))
        self.closes.append(float(bar.close))


class BacktestFigures(RunFigures):
    """Figures of a run, and beside them everything that a report of it needs. Sixty bytes a bar."""

    def __init__(
        self, portfolio: Callable[[], PortfolioView], instruments: Callable[[], Mapping[str, Instrument]]
    ) -> None:
        super().__init__()
        self._portfolio = portfolio
        self._instruments = instruments
        self._trips: RoundTripBuilder | None = None
        self._view: PortfolioView | None = None
        self.traded = ZERO
        """Notional of all fills, settlement currency."""
        self.in_market_ns = 0
        self.times_ns = array("q")
        self.equity = array("d")
        self.bars_of: dict[str, SeenBars] = {}
        """By symbol."""
        self.all_fills: list[Fill] = []
        self.targets: list[Target] = []
        self.set_aside: list[StrategySetAside] = []
        """What the log has told of strategies that failed."""
        self.counts |= {Target: self.targets.append, StrategySetAside: self.set_aside.append}

    @property
    def trips(self) -> RoundTripBuilder:
        """Round trips so far."""
        if self._trips is None:
            self._trips = RoundTripBuilder(self._instruments())
        return self._trips

    def observe(self, event: StreamEvent) -> None:
        """Count an event; sample the equity at a bar."""
        super().observe(event)
        if type(event) is Bar:
            self._sample(event)

    def _on_fill(self, fill: Fill) -> None:
        super()._on_fill(fill)
        self.all_fills.append(fill)
        self.trips.on_fill(fill)
        self.traded += self._instruments()[fill.symbol].notional(fill.contracts, fill.price)

    def _on_funding(self, paid: FundingPaid) -> None:
        super()._on_funding(paid)
        self.trips.on_funding(paid)

    def statistics(self) -> Statistics | None:
        """Return what the run came to; None when not a single bar was seen."""
        if not self.times_ns:
            return None
        closes = next(iter(self.bars_of.values())).closes
        return statistics_of(
            self.times_ns,
            self.equity,
            self.trips.closed,
            traded=float(self.traded),
            in_market_ns=self.in_market_ns,
            first_price=closes[0],
            last_price=closes[-1],
        )

    def _sample(self, bar: Bar) -> None:
        portfolio, time_ns = self._view or self._look(), bar.time_ns
        if self.times_ns and portfolio.positions:
            self.in_market_ns += time_ns - self.times_ns[-1]
        equity = float(portfolio.equity)
        if self.times_ns and self.times_ns[-1] == time_ns:
            # Bars of several symbols close together: the last of them knows all prices of that moment.
            self.equity[-1] = equity
        else:
            self.times_ns.append(time_ns)
            self.equity.append(equity)
        if bar.symbol not in self.bars_of:
            self.bars_of[bar.symbol] = SeenBars()
        self.bars_of[bar.symbol].add(bar)

    def _look(self) -> PortfolioView:
        """Take the books up once, while the bot is up: afterwards they are asked for round trips, fills or not."""
        self._trips = self._trips or RoundTripBuilder(self._instruments())
        self._view = self._portfolio()
        return self._view
