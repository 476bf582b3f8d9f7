"""The venue's dead-man switch: it cancels what rests when nobody has said for a while that the bot gets on."""

import asyncio
from collections.abc import Sequence
from typing import Any

import ccxt
from loguru import logger

from app.exchanges.ccxt.guarded import MS
from app.exchanges.ccxt.limiter import Urgency
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.outcome import in_words
from app.ports.connection import ExchangeUnavailable

REFRESHES = 3
"""In the time after which the venue acts: two may be lost."""


class DeadManSwitch:
    """Refreshed by progress, never by a timer alone: a pump that hangs is a dead man, though its process lives."""

    def __init__(self, client: Any, line: Line, symbols: Sequence[str], after_s: float) -> None:  # noqa: ANN401 - ccxt has no types
        self._client = client
        self._line = line
        self._symbols = symbols
        self._after_s = after_s
        self._progressed = True
        self._armed = False

    def progress(self) -> None:
        """Note that the bot takes its events in."""
        self._progressed = True

    async def run(self) -> None:
        """Refresh until canceled."""
        while True:
            if self._progressed:
                self._progressed = False
                self._armed = await self._set(self._after_s) or self._armed
            else:
                logger.warning("the dead-man switch is not refreshed: no event was taken in")
            await asyncio.sleep(self._after_s / REFRESHES)

    async def disarm(self) -> None:
        """Take it back, for a stop in good order: what the stop policy keeps shall stay."""
        if self._armed:
            await self._set(0)

    async def _set(self, seconds: float) -> bool:
        for symbol in self._symbols:
            request = {"symbol": self._client.market(symbol)["id"], "countdownTime": int(seconds * MS)}
            try:
                await self._line.write(
                    Urgency.CANCEL,
                    lambda request=request: self._client.fapiPrivatePostCountdownCancelAll(request),  # type: ignore[misc] # mypy and defaults
                )
            except (ccxt.BaseError, ExchangeUnavailable) as error:
                logger.warning(f"the dead-man switch of {symbol} could not be set: {in_words(error)}")
                return False
        return True
