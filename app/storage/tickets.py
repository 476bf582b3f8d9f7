"""Tickets that need no waiting."""

from collections.abc import Callable


class DurableTicket:
    """A ticket for records that are durable already."""

    __slots__ = ()
    durable = True
    """Always."""

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` at once."""
        callback()


DURABLE = DurableTicket()
"""The one instance: it has no state, and making one for each order would cost a benchmark more than it tells."""
