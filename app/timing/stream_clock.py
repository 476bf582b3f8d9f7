"""The clock of simulation and replay: the stream moves it."""


class StreamClock:
    """The time of the latest event that the pump has handed on. Never runs backwards.

    >>> clock = StreamClock(5)
    >>> clock.advance_to(9), clock.advance_to(7), clock.now_ns
    (None, None, 9)
    """

    __slots__ = ("now_ns",)

    def __init__(self, start_ns: int = 0) -> None:
        self.now_ns = start_ns
        """The current time, in nanoseconds since the epoch."""

    def advance_to(self, time_ns: int) -> None:
        """Move on to ``time_ns``; an event from before now (another venue's, a late one) moves nothing."""
        if time_ns > self.now_ns:  # noqa: PLR1730 - asked at every moment of the stream, and max() takes longer
            self.now_ns = time_ns

    def follow(self, time_ns: int) -> None:
        """Begin where the exchange's data does."""
        self.advance_to(time_ns)
