"""What an examination before a run finds, and the port of an exchange that can be examined."""

import msgspec

from app.domain.term import Term


class Verdict(Term):
    """How a finding stands."""

    OK = "ok"
    WARNING = "warning"
    UNKNOWN = "unknown"  # it cannot be told: whoever runs the bot must accept it by name
    FAILED = "failed"


ACCEPTABLE = frozenset({"position_mode", "stops", "withdrawals"})
"""Names of what a venue may not be able to tell."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    """One word: what ``--accept`` takes."""
    verdict: Verdict
    detail: str
    advice: str = ""
    """What to do about it; empty when nothing is."""
