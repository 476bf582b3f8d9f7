"""The venue's dead-man switch: it cancels what rests when nobody has said for a while that the bot gets on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import ccxt
from loguru import logger

from app.exchanges.ccxt.guarded import MS
from app.exchanges.ccxt.limiter import Urgency
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.outcome import in_words
from app.ports.connection import ExchangeUnavailable

CancelAfter = Callable[[str, int], Awaitable[Any]]
"""Has the venue cancel what rests of a symbol after so many milliseconds, unless it is told again; 0 is never."""
REFRESHES = 3
"""In the time after which the venue acts: two may be lost."""


class DeadManSwitch:
    """Refreshed by progress, never by a timer alone: a pump that hangs is a dead man, though its process lives."""

    def __init__(self, cancel_after: CancelAfter, line: Line, symbols: Sequence[str], after_s: float) -> None:
        self._cancel_after = cancel_after
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
        """Take it back, once, for a stop in good order: what the stop policy keeps shall stay."""
        armed, self._armed = self._armed, False
        if armed:
            await self._set(0)

    async def _set(self, seconds: float) -> bool:
        for symbol in self._symbols:
            try:
                await self._line.write(Urgency.CANCEL, partial(self._cancel_after, symbol, int(seconds * MS)))
            except (ccxt.BaseError, ExchangeUnavailable) as error:
                logger.warning(f"the dead-man switch of {symbol} could not be set: {in_words(error)}")
                return False
        return True
