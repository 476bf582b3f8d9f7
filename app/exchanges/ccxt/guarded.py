"""What is taken away from a client of ccxt: what a bot with somebody's money may not have.

It writes no request and no answer into any log, and takes no unreadable answer for good.
"""

from typing import Any

import ccxt

MS = 1000
HTTP_ERROR = 400
BANNED_S = {418: 120.0, 429: 10.0}
"""Seconds without requests, where the venue does not say how many (binance bans for two minutes at first, 2026-11)."""


class TooManyRequests(ccxt.DDoSProtection):  # type: ignore[misc] # ccxt has no types
    """The venue wants to hear nothing for a while."""

    def __init__(self, status: int, retry_after_s: float) -> None:
        super().__init__(f"{status}: nothing may be sent for {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class OpenedAnew(ccxt.NetworkError):  # type: ignore[misc] # as above
    """We closed the socket ourselves, to open another at once."""


class Guarded:
    """Stands before the venue's own class of ccxt."""

    origins: tuple[tuple[str, str], ...] = ()
    """Addresses that stand in for the venue's, and what they stand for."""
    valid_ms: int = 0
    """How long a request that changes something is valid, where the venue lets each say so."""

    @property
    def verbose(self) -> bool:
        """Never: it would print keys and signatures."""
        return False

    @verbose.setter
    def verbose(self, value: object) -> None:
        if value:
            raise ValueError("ccxt's verbose mode prints keys and signatures: it cannot be switched on here")

    def __repr__(self) -> str:
        return f"<client of {type(self).__name__}>"

    def handle_errors(self, code: int, reason: str, url: str, method: str, headers: Any, *rest: Any) -> Any:  # noqa: ANN401 - as ccxt calls it
        """Raise what an answer means; ccxt picks the table of codes by the venue's own address.

        Raises:
            TooManyRequests: With how long to be silent, which ccxt does not say.
            ccxt.BadResponse: It was taken for good, and is unreadable: ccxt would make an account without positions of
                it, or an order without an id.
        """
        if code in BANNED_S:
            raise TooManyRequests(code, _retry_after_s(headers, BANNED_S[code]))
        for origin, original in self.origins:
            if url.startswith(origin):
                url = original + url.removeprefix(origin)
                break
        handled = super().handle_errors(code, reason, url, method, headers, *rest)  # type: ignore[misc] # the venue's class
        answer, asked = rest[1], rest[3]
        # No code at all: ccxt asks this of messages of a websocket too.
        if 0 < code < HTTP_ERROR and self.says_nothing(method, url, answer, asked):
            raise ccxt.BadResponse(f"{code}, and an answer that says nothing")
        return handled

    def says_nothing(self, method: str, url: str, answer: Any, asked: Any) -> bool:  # noqa: ANN401 - a venue's JSON
        """Whether an answer that came as it should is none, and ccxt would make something of it all the same."""
        del url, asked
        return answer is None or (method == "GET" and answer == {})


def _retry_after_s(headers: Any, default: float) -> float:  # noqa: ANN401 - ccxt's headers
    for name, value in dict(headers or {}).items():
        if name.lower() == "retry-after":
            try:
                return max(1.0, float(value))
            except ValueError:
                return default
    return default
