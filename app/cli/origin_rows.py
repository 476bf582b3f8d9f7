"""What a result follows from, as rows of a page: the same inputs give the same figures."""

from collections.abc import Iterator, Mapping
from typing import Any


def origin_rows(origin: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each thing by its name: files and settings with their digests."""
    for name, value in origin.items():
        yield name, "; ".join(f"{key} {text}" for key, text in value.items()) if isinstance(value, dict) else str(value)
