"""A strategy whose process gets a signal while it is at work."""

import os
import signal
import time

from app.domain.market import Bar
from app.strategies import BarParams, Strategy

SLOW_BARS = 500


class Signalled(Strategy):
    """Changes sides every ten bars; at one bar a signal comes, and at a later one again, if at all.

    Bars are counted over all runs of the process.
    """

    seen = 0

    class Params(BarParams):
        at: int = 300
        again: int = 0
        signal: str = "SIGINT"

    def on_bar(self, bar: Bar, view):
        Signalled.seen += 1
        if Signalled.seen in {self.params.at, self.params.again}:
            os.kill(os.getpid(), signal.Signals[self.params.signal])
        if self.params.at <= Signalled.seen < self.params.at + SLOW_BARS:
            # Long enough for the event loop to look up from its events, as it does now and then.
            time.sleep(0.001)
        return self.target(view, 1 if bar.time_ns // 600_000_000_000 % 2 else -1, bar.time_ns, bar.close)
