"""One rate limiter for all requests: cancels first, then what reduces, then new orders, then questions."""

import asyncio
import heapq
from enum import IntEnum
from itertools import count

from app.lifecycle.deadlines import now_s
from app.ports.connection import ExchangeUnavailable


class NotSent(ExchangeUnavailable):
    """A request that never left, and never will: nothing has come of it."""


class Urgency(IntEnum):
    """Who goes first."""

    CANCEL = 0
    REDUCE = 1
    GROW = 2
    READ = 3


ROUNDING = 1e-9
"""What a token may lack by the rounding of time: to wait for that is to wait for nothing, again and again."""
WAITING_MAX = 1000
"""Requests in the queue. More than that come of a loop, and none of them would be sent in time."""


class Limiter:
    """A token bucket with a queue in the order of urgency, and a stop for as long as the venue bans us."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._filled_s = 0.0
        self._banned_until_s = 0.0
        self._number = count()
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def banned_s(self) -> float:
        """Seconds until the venue listens again; zero when it does."""
        return max(0.0, self._banned_until_s - now_s())

    def ban(self, seconds: float) -> None:
        """Send nothing for so long: whoever goes on asking is banned for longer."""
        self._banned_until_s = max(self._banned_until_s, now_s() + seconds)
        self._serve()

    async def turn(self, urgency: Urgency) -> None:
        """Return when a request may be sent.

        Raises:
            NotSent: Too many wait already.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise NotSent(f"{WAITING_MAX} requests wait to be sent")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency, next(self._number), turn))
        self._serve()
        await turn

    def close(self) -> None:
        """Let go of everybody who waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for _, _, turn in self._waiting:
            turn.cancel()
        self._waiting.clear()

    def _serve(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at_s = now_s()
        self._tokens = min(float(self._burst), self._tokens + (at_s - self._filled_s) * self._per_second)
        self._filled_s = at_s
        while self._waiting:
            if self._waiting[0][2].cancelled():
                heapq.heappop(self._waiting)
                continue
            lacking = 1.0 - self._tokens
            delay_s = max(self.banned_s, lacking / self._per_second if lacking > ROUNDING else 0.0)
            if delay_s > 0:
                self._timer = asyncio.get_running_loop().call_later(delay_s, self._serve)
                return
            self._tokens -= 1.0
            heapq.heappop(self._waiting)[2].set_result(None)
