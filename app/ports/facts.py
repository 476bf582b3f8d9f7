"""Facts: what has happened, for whoever wants to know. One subscriber that fails harms no other."""

from collections.abc import Callable, Collection
from typing import Any, Protocol


class Facts(Protocol):
    """Decisions are calls; facts are events."""

    def publish(self, fact: object) -> None:
        """Tell all who want to know, in the order in which they subscribed."""

    def subscribe(self, subscriber: Callable[[Any], None], kinds: Collection[type] | None = None) -> None:
        """Have ``subscriber`` called with each fact of some kinds; of all without ``kinds``."""
