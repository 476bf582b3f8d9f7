"""The line to a venue: whoever asks waits for a turn, and an error comes back as what it means."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import ccxt

from app.exchanges.ccxt.errors import KeysRefused
from app.exchanges.ccxt.guarded import TooManyRequests
from app.exchanges.ccxt.limiter import Limiter, Urgency
from app.exchanges.ccxt.outcome import Outcome, classify, in_words
from app.exchanges.ccxt.readable import UNREADABLE
from app.lifecycle.patience import note_answer
from app.ports.connection import ExchangeUnavailable

T = TypeVar("T")


class Line:
    """Requests of one client."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - ccxt has no types
        venue: str,
        limiter: Limiter,
        on_skew: Callable[[], None],
    ) -> None:
        self.client = client
        """Of ccxt: what is asked of it goes through ``read`` and ``write``."""
        self._venue = venue
        self._limiter = limiter
        self._on_skew = on_skew
        """Called when the venue says that our clock is wrong."""

    @property
    def banned_s(self) -> float:
        """Seconds until the venue listens again; zero when it does."""
        return self._limiter.banned_s

    async def read(
        self, ask: Callable[[], Awaitable[Any]], translate: Callable[[Any], T], urgency: Urgency = Urgency.READ
    ) -> T:
        """Return the translated answer to a question.

        Raises:
            ExchangeUnavailable: There is none, or it cannot be read: nothing may be concluded.
            KeysRefused: There never will be one.
            ccxt.OrderNotFound: The venue definitely does not know the order.
        """
        await self._limiter.turn(urgency)
        try:
            with self.reading():
                answer = await ask()
                note_answer()
                return translate(answer)
        except ccxt.OrderNotFound:
            raise
        except ccxt.BaseError as error:
            self._note(error)
            if classify(error, wrote=False) is Outcome.FATAL:
                raise KeysRefused(self._venue, in_words(error)) from None
            raise ExchangeUnavailable(f"{self._venue}: {in_words(error)}") from None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Make sense of an answer.

        Raises:
            ExchangeUnavailable: There is none in it.
        """
        try:
            yield
        except UNREADABLE as error:
            raise ExchangeUnavailable(f"{self._venue} gave an unreadable answer: {in_words(error)}") from None

    async def write(self, urgency: Urgency, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to a request that changes something; its error is for the caller to classify.

        Raises:
            NotSent: It did not get its turn, or ``ask`` would not send it any more when it had.
        """
        await self._limiter.turn(urgency)
        try:
            return await ask()
        except ccxt.BaseError as error:
            self._note(error)
            raise

    def _note(self, error: ccxt.BaseError) -> None:
        """Draw the consequences of an error for the requests to come."""
        if isinstance(error, TooManyRequests):
            self._limiter.ban(error.retry_after_s)
        elif isinstance(error, ccxt.InvalidNonce):
            self._on_skew()
