"""Strategies that cheat, and one that never forgets when it began."""

from functools import cache

import numpy as np
import polars as pl

from app.backtest.compiled import CompiledMarket, Signals
from app.backtest.compiled.records import CLOSE, LEAVE, SIDE
from app.domain.market import Bar
from app.strategies import BarParams, Strategy


@cache
def closes_of(path):
    frame = pl.read_parquet(path)
    return dict(zip(frame["ts"].to_list(), frame["close"].to_list(), strict=True))


class Reader(Strategy):
    """Looks tomorrow's close up in the file."""

    class Params(BarParams):
        path: str = ""

    def on_bar(self, bar: Bar, view):
        coming = closes_of(self.params.path).get(bar.time_ns)
        side = 0 if coming is None else 1 if coming > float(bar.close) else -1
        return self.target(view, side, bar.time_ns, bar.close)


class Shifted(Strategy):
    """Honest bar by bar; its arrays are shifted by one bar against time."""

    class Params(BarParams):
        pass

    def setup(self) -> None:
        self.before = 0.0

    def on_bar(self, bar: Bar, view):
        before, self.before = self.before, float(bar.close)
        return self.target(view, 1 if self.before >= before else -1, bar.time_ns, bar.close)

    def compiled_signals(self, market: CompiledMarket) -> Signals:
        closes = market.bars[:, CLOSE]
        rows = np.zeros((len(closes), 5), np.int64)
        rows[:, SIDE] = np.where(np.append(closes[1:], closes[-1]) >= closes, 1, -1)
        rows[: market.first, SIDE] = LEAVE
        return Signals(rows)


class Counter(Strategy):
    """Trades by the number of bars that it has seen."""

    class Params(BarParams):
        pass

    def setup(self) -> None:
        self.seen = 0

    def on_bar(self, bar: Bar, view):
        self.seen += 1
        return self.target(view, 1 if self.seen % 7 < 3 else -1, bar.time_ns, bar.close)
