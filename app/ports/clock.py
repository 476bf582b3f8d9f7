"""The time of the market, which the stream drives in simulation and the wall clock drives live."""

from typing import Protocol


class Clock(Protocol):
    """UTC time in nanoseconds since the epoch."""

    @property
    def now_ns(self) -> int:
        """The current time."""

    def advance_to(self, time_ns: int) -> None:
        """Tell the clock that an event of ``time_ns`` is being handled. A wall clock takes no notice."""

    def follow(self, time_ns: int) -> None:
        """Tell the clock what time it is at the exchange, once connected: whose prices, fills and deadlines count."""
