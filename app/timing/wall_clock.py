"""The clock of live trading."""

from app.lifecycle.wall_time import utc_ns


class WallClock:
    """UTC, which nobody turns back while the bot runs."""

    @property
    def now_ns(self) -> int:
        """The current time, in nanoseconds since the epoch."""
        return utc_ns()

    def advance_to(self, time_ns: int) -> None:
        """Take no notice: the wall moves by itself."""
