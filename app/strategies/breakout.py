"""Breakout: enter when a close leaves the Donchian channel, give up at a stop some true ranges away."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from app.domain.market import Bar
from app.domain.target import Target
from app.indicators import Atr, Donchian
from app.ports.strategy_view import StrategyView
from app.strategies.search import Search
from app.strategies.strategy import BarParams, Strategy


class BreakoutParams(BarParams):
    """Periods in bars, the stop in true ranges."""

    channel: Annotated[int, Search(5, 120)] = Field(20, ge=2)
    atr: Annotated[int, Search(5, 60)] = Field(14, ge=2)
    stop_ranges: Annotated[float, Search(1, 8, step=0.25)] = Field(2.5, gt=0)


class Breakout(Strategy):
    """Donchian breakout with an ATR stop."""

    Params = BreakoutParams
    reenters = True
    params: BreakoutParams

    def setup(self) -> None:
        """A channel and a range."""
        self.channel = Donchian(self.params.channel)
        self.atr = Atr(self.params.atr)

    @property
    def warmup_bars(self) -> int:
        """Until both are known, and one bar more: a bar is compared with the channel before it."""
        return max(self.params.channel, self.params.atr) + 1

    def on_bar(self, bar: Bar, view: StrategyView) -> Target | None:
        """Enter on the side on which the close left the channel of the bars before."""
        upper, lower = self.channel.upper, self.channel.lower
        self.channel.update(bar)
        true_range = self.atr.update(bar)
        if upper is None or lower is None or true_range is None:
            return None
        close = float(bar.close)
        side = 1 if close > upper else -1 if close < lower else 0
        if not side:
            return None
        # Six digits: the stop is cut to the tick, and a float's tail must not decide which.
        distance = Decimal(f"{true_range * self.params.stop_ranges:.6f}")
        return self.target(
            view, side, bar.time_ns, bar.close, stop=bar.close - side * distance, reason="close left the channel"
        )
