"""Trend following: long while the fast average is above the slow one, else short."""

from typing import Annotated

from pydantic import Field, model_validator

from app.domain.market import Bar
from app.domain.target import Target
from app.indicators.ema import Ema
from app.ports.strategy_view import StrategyView
from app.strategies.search import Search
from app.strategies.strategy import BarParams, Strategy


class TrendParams(BarParams):
    """Periods in bars."""

    fast: Annotated[int, Search(2, 40)] = Field(10, ge=1)
    slow: Annotated[int, Search(41, 240)] = Field(20, ge=2)

    @model_validator(mode="after")
    def _fast_is_faster(self) -> "TrendParams":
        if self.fast >= self.slow:
            raise ValueError(f"fast is {self.fast} and slow is {self.slow}: set slow above fast")
        return self


class Trend(Strategy):
    """EMA cross, always in the market."""

    Params = TrendParams
    params: TrendParams

    def setup(self) -> None:
        """Two averages."""
        self.fast = Ema(self.params.fast)
        self.slow = Ema(self.params.slow)

    @property
    def warmup_bars(self) -> int:
        """The slow average's period."""
        return self.params.slow

    def on_bar(self, bar: Bar, view: StrategyView) -> Target | None:
        """Flip when the averages cross."""
        close = float(bar.close)
        side = 1 if self.fast.update(close) >= self.slow.update(close) else -1
        return self.target(view, side, bar.time_ns, bar.close, reason="fast average crossed the slow one")
