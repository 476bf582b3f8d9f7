"""Tells facts to whoever wants to know."""

from collections.abc import Callable

from loguru import logger


class FactBus:
    """Implements ``Facts``. A subscriber that fails harms no other; its first failure is logged, all are counted."""

    def __init__(self) -> None:
        self._subscribers: list[Callable[[object], None]] = []
        self._failures: dict[Callable[[object], None], int] = {}

    @property
    def failures(self) -> int:
        """How often a subscriber has failed."""
        return sum(self._failures.values())

    def subscribe(self, subscriber: Callable[[object], None]) -> None:
        """Have ``subscriber`` called with each fact."""
        self._subscribers.append(subscriber)

    def publish(self, fact: object) -> None:
        """Tell all subscribers, in the order in which they subscribed."""
        for subscriber in self._subscribers:
            try:
                subscriber(fact)
            except Exception as error:  # noqa: BLE001 - a fact is told to all, whatever one of them does
                if subscriber not in self._failures:
                    logger.bind(fact=type(fact).__name__, error=repr(error)).error("a subscriber of facts failed")
                self._failures[subscriber] = self._failures.get(subscriber, 0) + 1
