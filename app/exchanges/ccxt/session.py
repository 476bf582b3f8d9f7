"""A session with a venue: its clients, its tasks, its clock and the one queue of events; released together."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from app.domain.events import StreamEvent
from app.domain.market import MS_NS, SECOND_NS
from app.exchanges.ccxt.client import close_client, open_client
from app.exchanges.ccxt.errors import KeysRefused, VenueRefused
from app.exchanges.ccxt.limiter import Limiter
from app.exchanges.ccxt.line import Line
from app.exchanges.ccxt.outcome import in_words
from app.exchanges.ccxt.queue import EventQueue
from app.exchanges.ccxt.venues import VENUES, Venue
from app.lifecycle.wall_time import utc_ns
from app.settings.ccxt import CcxtSettings


class Session:
    """Shared by whoever asks the venue, listens to it, or sends to it."""

    def __init__(self, settings: CcxtSettings, *, valid_s: float) -> None:
        self.settings = settings
        self.venue: Venue = VENUES[settings.venue]
        self.queue = EventQueue()
        self.fatal: BaseException | None = None
        """What ends the bot: raised to whoever asks for the next event."""
        self.valid_s = valid_s
        """How long a request that changes something is valid, in seconds."""
        self._limiter = Limiter(settings.requests_per_s_max, int(settings.requests_per_s_max))
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = AsyncExitStack()
        """What a close must release."""
        self._offset_ns = 0

    @property
    def now_ns(self) -> int:
        """The venue's clock, as of the last comparison with ours."""
        return utc_ns() + self._offset_ns

    @property
    def offset_s(self) -> float:
        """How far the venue's clock is before ours, in seconds."""
        return self._offset_ns / SECOND_NS

    def begin(self) -> None:
        """Make ready to ask. Nothing is sent yet.

        Raises:
            VenueRefused: The venue is not proven, and nobody has said that it may be tried.
        """
        if not self.venue.is_proven and not self.settings.experimental:
            raise VenueRefused(
                f"{self.venue.name} was never tried against a venue that speaks its protocol: "
                "set exchange.ccxt.experimental = true if you know what that means"
            )
        self._opened.callback(self._limiter.close)

    def open(self, *, with_keys: bool, on_skew: Callable[[], None] = lambda: None) -> Line:
        """Return the line of another client of the venue, which is closed with the session.

        Args:
            with_keys: False for market data alone.
            on_skew: Called when the venue says that our clock is wrong.
        """
        client = open_client(self.settings, valid_s=self.valid_s, with_keys=with_keys)
        self._opened.push_async_callback(close_client, client)
        return Line(client, self.venue.name, self._limiter, on_skew)

    async def close(self) -> None:
        """Release everything."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._opened.aclose()

    def next_event(self) -> StreamEvent | None:
        """Return the next event of the stream.

        Raises:
            VenueRefused: There will be none any more.
        """
        event = self.queue.take()
        if event is None and self.fatal is not None:
            raise self.fatal
        return event

    async def wait(self) -> None:
        """Return when there may be an event."""
        if self.fatal is None:
            await self.queue.wait()

    def spawn(self, work: Awaitable[None], name: str) -> None:
        """Run something until it ends or the session is closed."""
        task = asyncio.ensure_future(work)
        if isinstance(task, asyncio.Task):
            task.set_name(f"exchange.{name}")
            self._tasks.add(task)
            task.add_done_callback(self._on_done)

    def refuse(self, error: Exception) -> None:
        """End the stream: the venue does not take the keys any more."""
        self.fatal = KeysRefused(self.venue.name, in_words(error))
        self.queue.wake()

    async def measure_clock(self, line: Line) -> None:
        """Compare our clock with the venue's. What is known of it is kept where the answer does not contradict it."""
        if not line.client.has.get("fetchTime"):
            return
        began_ns = utc_ns()
        theirs_ns = await line.read(line.client.fetch_time, int) * MS_NS
        # Somewhere between here and there it was told: the slower the answer, the less it says.
        least_ns, most_ns = theirs_ns - utc_ns(), theirs_ns + MS_NS - began_ns
        if not least_ns <= self._offset_ns <= most_ns:
            self._offset_ns = (least_ns + most_ns) // 2

    def _on_done(self, task: asyncio.Task[None]) -> None:
        """Forget a task; one that nobody foresaw to fail ends the bot aloud, for what it did is not done any more."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.fatal = self.fatal or error
            self.queue.wake()
