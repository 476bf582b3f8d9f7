"""The clock of live trading."""

import time


class WallClock:
    """UTC as the machine tells it. Not monotonic: a correction of the machine's time shows here, as it should."""

    @property
    def now_ns(self) -> int:
        """The current time, in nanoseconds since the epoch."""
        return time.time_ns()

    def advance_to(self, time_ns: int) -> None:
        """Take no notice: the wall moves by itself."""
