"""The second confirmation of what cannot be taken back: a short token over exactly what was shown. Pure."""

from collections.abc import Iterable
from hashlib import sha256

from app.domain.events import ReasonRaised

VALID_S = 60
"""Long enough to read the reasons, too short to find the token in a shell's history."""
TOKEN_LENGTH = 6
REFUSED = (
    f"nothing was resumed: the token is not valid, is older than {VALID_S} s, or what is latched has changed since; "
    "resume without it shows what would be lifted"
)


def token_of(reasons: Iterable[ReasonRaised], at_s: int) -> str:
    """Return the token for lifting ``reasons`` that were shown at ``at_s``, seconds of wall time since the epoch.

    No state is kept for it: it is good before and after a restart, and no longer when a reason came or went. It guards
    against haste, not against an enemy.
    """
    shown = [f"{reason.owner}\0{reason.code}\0{reason.time_ns}\0{reason.detail}" for reason in reasons]
    return sha256("\0".join([str(at_s), *shown]).encode()).hexdigest()[:TOKEN_LENGTH]


def is_confirmed(token: str, reasons: Iterable[ReasonRaised], now_s: int) -> bool:
    """Whether ``token`` was given for exactly these reasons, within the last minute."""
    shown = tuple(reasons)
    return any(token == token_of(shown, now_s - age_s) for age_s in range(VALID_S + 1))


def offer(reasons: Iterable[ReasonRaised]) -> tuple[str, ...]:
    """Return what would be lifted, in words for people."""
    return tuple(f"would be lifted: {words_of(reason)}" for reason in reasons)


def words_of(reason: ReasonRaised) -> str:
    """Return a reason in words, for people."""
    return f"{reason.severity} by {reason.owner}:{reason.code} ({reason.detail})"
