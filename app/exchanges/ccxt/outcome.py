"""What an error of a request means. One total function; what it does not know it calls unknown."""

import re
from collections.abc import Collection

import ccxt

from app.domain.term import Term
from app.exchanges.ccxt.guarded import TooManyRequests


class Outcome(Term):
    """What is known of a request that ended in an error."""

    REJECTED = "rejected"  # the venue definitely did not do it
    UNKNOWN = "unknown"  # it may have done it
    RETRYABLE = "retryable"  # nothing was to be changed: it may be asked again
    FATAL = "fatal"  # it will never do it: the keys are wrong, or may not


_FATAL = (ccxt.AuthenticationError, ccxt.PermissionDenied, ccxt.AccountNotEnabled, ccxt.AccountSuspended)
_REFUSED = (
    ccxt.InsufficientFunds,
    ccxt.InvalidOrder,
    ccxt.OrderNotFound,
    ccxt.BadRequest,
    ccxt.OperationRejected,
    ccxt.MarketClosed,
    ccxt.NotSupported,
    ccxt.InvalidNonce,  # its time stamp is outside the receive window
    ccxt.RateLimitExceeded,
    TooManyRequests,  # 429 and 418: what was too much was not done
)
"""Errors that a venue raises on purpose, having looked at the request. InvalidNonce and RateLimitExceeded are network
errors to ccxt; that they were not executed is what sets them apart from the others."""


def classify(error: BaseException, *, wrote: bool, duplicate_codes: Collection[str] = ()) -> Outcome:
    """Return what an error means.

    A bare ``ExchangeError`` is what ccxt raises for a code that it does not know: such an order may exist. A connection
    that was reset, a 5xx, an unreadable or an empty answer may have been executed, whatever the error is called.

    Args:
        error: What the request raised; of any type.
        wrote: Whether the request was to change something at the venue.
        duplicate_codes: What the venue says to a client order id in use. Then an order of that id exists.
    """
    if isinstance(error, _FATAL):
        return Outcome.FATAL
    if not wrote:
        return Outcome.REJECTED if _is_refusal(error) else Outcome.RETRYABLE
    if says(error, duplicate_codes):
        return Outcome.UNKNOWN
    return Outcome.REJECTED if _is_refusal(error) else Outcome.UNKNOWN


def says(error: BaseException, codes: Collection[str]) -> bool:
    """Whether an error names one of a venue's codes; not as a part of a longer number, which may be anything."""
    return any(re.search(rf"(?<!\d){code}(?!\d)", str(error)) for code in codes)


def in_words(error: BaseException) -> str:
    """Return an error as one line for people, without the query of a URL, which may hold a signature."""
    text = " ".join(str(error).split())
    words = [word.partition("?")[0] if "://" in word else word for word in text.split(" ")]
    return f"{type(error).__name__}: {' '.join(words)[:WORDS_MAX]}" if text else type(error).__name__


WORDS_MAX = 300
"""Characters of what a venue said; it may answer with a page."""


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, _REFUSED)
