"""Counters and gauges, for people and for monitoring."""

from collections.abc import Mapping
from typing import Protocol


class Metrics(Protocol):
    """Cheap to write at any time; read by the health surfaces."""

    def count(self, name: str, increment: int = 1) -> None:
        """Add to a counter."""

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""

    def read(self) -> Mapping[str, float]:
        """Return all values by name."""
