"""Reads one stream for as long as the bot runs: a deadline for silence, a capped wait with jitter between attempts."""

import asyncio
from collections.abc import Awaitable, Callable
from random import random
from typing import Any

from app.exchanges.ccxt.guarded import OpenedAnew
from app.exchanges.ccxt.outcome import Outcome, classify, in_words

BACKOFF_S = 0.25
BACKOFF_S_MAX = 30.0


class Watch:
    """One stream of a client of ccxt."""

    def __init__(
        self,
        name: str,
        ask: Callable[[], Awaitable[Any]],
        take: Callable[[Any], None],
        *,
        silence_s_max: float | None,
        room: Callable[[], Awaitable[None]],
        on_break: Callable[["Watch", str], Awaitable[None]],
        on_silence: Callable[[], Awaitable[None]] | None = None,
        on_fatal: Callable[[Exception], None],
    ) -> None:
        self.name = name
        self._ask = ask
        self._take = take
        self._silence_s_max = silence_s_max
        self._room = room
        self._on_break = on_break
        self._on_silence = on_silence
        self._on_fatal = on_fatal
        self._failures = 0

    async def run(self) -> None:
        """Read until canceled, or until the venue refuses the keys."""
        clock = asyncio.get_running_loop().time
        while True:
            began_s = clock()
            try:
                async with asyncio.timeout(self._silence_s_max):
                    said = await self._ask()
                self._take(said)
                self._failures = 0
                await self._room()
            except OpenedAnew as error:
                await self._on_break(self, f"{self.name}: {error}")
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Nobody canceled us: ccxt cancels what waits for a socket that it closes.
                await self._broken(f"{self.name}: its socket was closed")
            except TimeoutError:
                if self._on_silence is not None:
                    await self._on_silence()
                await self._broken(f"{self.name}: nothing for {self._silence_s_max:g} s")
            except Exception as error:  # noqa: BLE001 - whatever ccxt or a venue's message raises, the stream goes on
                if classify(error, wrote=False) is Outcome.FATAL:
                    self._on_fatal(error)
                    return
                if clock() - began_s > BACKOFF_S_MAX:
                    # It held for long, though nothing was told: this is another outage.
                    self._failures = 0
                await self._broken(f"{self.name}: {in_words(error)}")

    async def _broken(self, why: str) -> None:
        await self._on_break(self, why)
        delay_s = min(BACKOFF_S_MAX, BACKOFF_S * 2 ** min(self._failures, 10))
        self._failures += 1
        # Half of it is chance: after an outage of the venue, not everybody comes back in the same moment.
        await asyncio.sleep(delay_s * (0.5 + random() / 2))  # noqa: S311 - no secret is made of it
