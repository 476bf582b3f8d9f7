"""The clock of live trading."""

from app.lifecycle.wall_time import utc_ns


class WallClock:
    """UTC, which nobody turns back while the bot runs; the exchange's, as soon as that is known.

    Ages of prices, and from when on fills are asked for, are differences between stamps of the exchange and this clock:
    a machine whose time is off by minutes would find everything fresh, or miss what it asks for.
    """

    def __init__(self) -> None:
        self._offset_ns = 0

    @property
    def now_ns(self) -> int:
        """The current time, in nanoseconds since the epoch."""
        return utc_ns() + self._offset_ns

    def advance_to(self, time_ns: int) -> None:
        """Take no notice: the wall moves by itself."""

    def follow(self, time_ns: int) -> None:
        """Go by the exchange's clock from now on."""
        self._offset_ns = time_ns - utc_ns()
