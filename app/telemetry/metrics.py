"""Counters and gauges in memory."""

from collections.abc import Mapping
from types import MappingProxyType


class MetricStore:
    """Implements ``Metrics``."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}

    def count(self, name: str, increment: int = 1) -> None:
        """Add to a counter."""
        self._values[name] = self._values.get(name, 0) + increment

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        self._values[name] = value

    def read(self) -> Mapping[str, float]:
        """Return all values by name."""
        return MappingProxyType(self._values)
