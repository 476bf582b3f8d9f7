"""Mean reversion: buy below the lower Bollinger band, sell above the upper one, leave at the middle."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from app.domain.market import Bar
from app.domain.target import Target
from app.indicators import Bollinger, Rsi
from app.ports.strategy_view import StrategyView
from app.strategies.search import Search
from app.strategies.strategy import BarParams, Strategy


class MeanReversionParams(BarParams):
    """Periods in bars, the width in standard deviations, the stop as a part of the price."""

    period: Annotated[int, Search(5, 120)] = Field(20, ge=2)
    width: Annotated[float, Search(1, 4, step=0.1)] = Field(2.0, gt=0)
    rsi: Annotated[int, Search(5, 40)] = Field(14, ge=2)
    oversold: Annotated[float, Search(10, 45, step=1)] = Field(30.0, gt=0, lt=50)
    stop_ratio: Annotated[Decimal, Search(0.005, 0.1, step=0.005)] = Field(Decimal("0.02"), gt=0, lt=1)


class MeanReversion(Strategy):
    """Bollinger bands, confirmed by the RSI."""

    Params = MeanReversionParams
    reenters = True
    params: MeanReversionParams

    def setup(self) -> None:
        """Bands and an index."""
        self.bands = Bollinger(self.params.period, self.params.width)
        self.rsi = Rsi(self.params.rsi)

    @property
    def warmup_bars(self) -> int:
        """Until both are known."""
        return max(self.params.period, self.params.rsi + 1)

    def on_bar(self, bar: Bar, view: StrategyView) -> Target | None:
        """Enter outside the bands, leave at the middle."""
        middle = self.bands.update(bar.close)
        rsi, upper, lower = self.rsi.update(bar.close), self.bands.upper, self.bands.lower
        if middle is None or rsi is None or upper is None or lower is None:
            return None
        close, wanted = float(bar.close), self.wanted or 0
        if wanted and (close - middle) * wanted >= 0:
            return self.target(view, 0, bar.time_ns, bar.close, reason="back at the middle")
        if wanted:
            return None
        if close < lower and rsi < self.params.oversold:
            return self._enter(view, 1, bar, "oversold below the lower band")
        if close > upper and rsi > 100 - self.params.oversold:
            return self._enter(view, -1, bar, "overbought above the upper band")
        return None

    def _enter(self, view: StrategyView, side: int, bar: Bar, reason: str) -> Target | None:
        stop = bar.close * (1 - side * self.params.stop_ratio)
        return self.target(view, side, bar.time_ns, bar.close, stop=stop, reason=reason)
