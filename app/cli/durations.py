"""Durations as people write them."""

import re

from app.cli.failures import UsageRefused

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")


def parse_duration(text: str) -> float:
    """Return seconds; a number without a unit is seconds.

    Raises:
        UsageRefused: It is no duration, or not more than zero.

    >>> parse_duration("90"), parse_duration("1.5h"), parse_duration("2d")
    (90.0, 5400.0, 172800.0)
    """
    found = PATTERN.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise UsageRefused(f"{text!r} is no duration: write 30s, 10m, 2h or 1d")
    return float(found[1]) * SECONDS[found[2] or "s"]
