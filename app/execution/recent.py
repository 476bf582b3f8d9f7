"""What was seen last, for comparison with what is told again."""

from typing import Generic, TypeVar

T = TypeVar("T")

KEPT_MAX = 1_000
"""An exchange tells something again within minutes; the books themselves know far older trade ids."""


class Recent(Generic[T]):
    """By a key; the oldest are forgotten."""

    __slots__ = ("_kept", "find")

    def __init__(self) -> None:
        self._kept: dict[str, T] = {}
        self.find = self._kept.get
        """Return what was added under a key; None when there is nothing, or it was long ago."""

    def add(self, key: str, value: T) -> None:
        """Keep ``value``."""
        kept = self._kept
        kept[key] = value
        if len(kept) > KEPT_MAX:
            del kept[next(iter(kept))]
