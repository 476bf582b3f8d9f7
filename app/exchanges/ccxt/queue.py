"""The adapter's end of the one stream: bounded, and plain about what happens when it is full."""

import asyncio
from collections import deque

from app.domain.events import StreamEvent
from app.domain.market import FundingRate, MarkPrice, Quote

NEWEST_WINS = Quote | MarkPrice | FundingRate
FACTS_MAX = 10_000
"""Facts that wait; who reads the socket waits beyond it, for a fact of the account is never dropped."""


class EventQueue:
    """Quotes and marks are replaced while they wait: the newest is the only one that is true."""

    def __init__(self) -> None:
        self._events: deque[StreamEvent | tuple[type, str]] = deque()
        self._newest: dict[tuple[type, str], Quote | MarkPrice | FundingRate] = {}
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    def put(self, event: StreamEvent) -> None:
        """Take an event in."""
        if isinstance(event, NEWEST_WINS):
            key = (type(event), event.symbol)
            if key not in self._newest:
                self._events.append(key)
            self._newest[key] = event
        else:
            self._events.append(event)
        self._filled.set()

    def take(self) -> StreamEvent | None:
        """Return the next event; None when there is none."""
        if not self._events:
            return None
        event = self._events.popleft()
        if len(self._events) < FACTS_MAX:
            self._emptied.set()
        return self._newest.pop(event) if isinstance(event, tuple) else event

    def wake(self) -> None:
        """Let ``wait`` return: something other than an event is to be looked at."""
        self._filled.set()

    async def wait(self) -> None:
        """Return when there may be something to take."""
        if not self._events:
            self._filled.clear()
            await self._filled.wait()

    async def room(self) -> None:
        """Return when there is room again: called by whoever reads a socket, so that the peer is slowed down."""
        while len(self._events) >= FACTS_MAX:
            self._emptied.clear()
            await self._emptied.wait()
