"""Bars of one length for one symbol, whatever the exchange sends: bars of that length, shorter ones, or trades."""

from app.domain.bars import BarAggregator
from app.domain.market import Bar, Trade


class BarFeed:
    """Passes on or builds bars. Bars beat trades: once a bar has come, trades are not counted twice."""

    def __init__(self, symbol: str, interval_s: int) -> None:
        self.symbol = symbol
        self.interval_s = interval_s
        self._aggregator = BarAggregator(symbol, interval_s)
        self.has_bars = False
        """Whether a bar has come."""
        self.too_coarse_s: int | None = None
        """Length of the exchange's bars when they are longer than asked for, or do not divide it: none can be built."""

    def on_bar(self, bar: Bar) -> Bar | None:
        """Take a bar in; return the bar of our length that is now closed, if any."""
        self.has_bars = True
        if bar.interval_s == self.interval_s:
            return bar
        if self.interval_s % bar.interval_s:
            self.too_coarse_s = bar.interval_s
            return None
        return self._aggregator.on_bar(bar)

    def on_trade(self, trade: Trade) -> Bar | None:
        """Take a trade in; return the bar that it closed, if any."""
        return None if self.has_bars else self._aggregator.on_trade(trade)

    def on_time(self, time_ns: int) -> Bar | None:
        """Return the bar whose time is over, if one was open."""
        return None if self.has_bars else self._aggregator.advance(time_ns)
