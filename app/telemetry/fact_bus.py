"""Tells facts to whoever wants to know."""

from collections.abc import Callable, Collection
from typing import Any

from loguru import logger


class FactBus:
    """Implements ``Facts``. A subscriber that fails harms no other; its first failure is logged, all are counted."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[Callable[[Any], None], Collection[type] | None]] = []
        self._told: dict[type, tuple[Callable[[Any], None], ...]] = {}
        """Who is told of a kind, found out at its first fact: most facts of a run are of no interest to anybody."""
        self._failures: dict[Callable[[Any], None], int] = {}

    @property
    def failures(self) -> int:
        """How often a subscriber has failed."""
        return sum(self._failures.values())

    def subscribe(self, subscriber: Callable[[Any], None], kinds: Collection[type] | None = None) -> None:
        """Have ``subscriber`` called with each fact of some kinds; of all without ``kinds``."""
        self._subscribers.append((subscriber, kinds))
        self._told.clear()

    def publish(self, fact: object) -> None:
        """Tell all who want to know, in the order in which they subscribed."""
        kind = type(fact)
        told = self._told.get(kind)
        if told is None:
            told = self._told[kind] = tuple([who for who, kinds in self._subscribers if kinds is None or kind in kinds])
        for subscriber in told:
            try:
                subscriber(fact)
            except Exception as error:  # noqa: BLE001 - a fact is told to all, whatever one of them does
                if subscriber not in self._failures:
                    logger.bind(fact=type(fact).__name__, error=repr(error)).error("a subscriber of facts failed")
                self._failures[subscriber] = self._failures.get(subscriber, 0) + 1
