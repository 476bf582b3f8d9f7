"""A clock that the test moves."""

from app.domain.market import SECOND_NS


class FakeClock:
    """Stands still until it is told the time."""

    def __init__(self, now_ns: int = 0) -> None:
        self.now_ns = now_ns

    def advance_to(self, time_ns: int) -> None:
        self.now_ns = time_ns

    def follow(self, time_ns: int) -> None:
        self.now_ns = time_ns

    def pass_s(self, seconds: float) -> None:
        """Let time go by."""
        self.now_ns += int(seconds * SECOND_NS)
