"""Longer bars out of trades or of shorter bars."""

from decimal import Decimal

from app.domain.market import SECOND_NS, Bar, Trade
from app.domain.money import ZERO


class BarAggregator:
    """Builds bars of one symbol and one interval, aligned to the UTC epoch.

    A bar closes when its interval has gone by: by the shorter bar that ends there, or by the first trade or ``advance``
    at or after that time. An interval in which nothing traded gives no bar.
    """

    def __init__(self, symbol: str, interval_s: int) -> None:
        self.symbol = symbol
        self.interval_s = interval_s
        self._interval_ns = interval_s * SECOND_NS
        self._close_ns: int | None = None
        self._open = self._high = self._low = self._close = self._volume = ZERO

    def on_trade(self, trade: Trade) -> Bar | None:
        """Take a trade in; return the bar that it closed, if any."""
        closed = self.advance(trade.time_ns)
        end = (trade.time_ns // self._interval_ns + 1) * self._interval_ns
        self._extend(end, trade.price, trade.price, trade.price, trade.price, trade.contracts)
        return closed

    def on_bar(self, bar: Bar) -> Bar | None:
        """Take a shorter bar in; return the bar that it closed, if any."""
        closed = self.advance(bar.open_ns)
        end = -(-bar.time_ns // self._interval_ns) * self._interval_ns
        self._extend(end, bar.open, bar.high, bar.low, bar.close, bar.volume)
        # After a gap a bar may both follow an interval and end its own: then its own is closed by the next bar.
        return closed if closed is not None else self.advance(bar.time_ns)

    def advance(self, time_ns: int) -> Bar | None:
        """Return the bar whose interval has ended by ``time_ns``, if one was open."""
        if self._close_ns is None or time_ns < self._close_ns:
            return None
        closed = Bar(
            self.symbol,
            self._close_ns,
            self.interval_s,
            self._open,
            self._high,
            self._low,
            self._close,
            self._volume,
        )
        self._close_ns = None
        return closed

    def _extend(
        self, end_ns: int, open_: Decimal, high: Decimal, low: Decimal, close: Decimal, volume: Decimal
    ) -> None:
        if self._close_ns is None:
            self._close_ns = end_ns
            self._open, self._high, self._low, self._volume = open_, high, low, ZERO
        self._high = max(self._high, high)
        self._low = min(self._low, low)
        self._close = close
        self._volume += volume
