"""Stands at the edges of a bot and writes down what crosses them. The bot notices nothing but a clock that has steps.

While a run is recorded, its time stands still between two things that come in: a replay can then show each decision the
same time, without a line for every look at the clock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from app.domain.events import FlattenCommand, HaltCommand, ReasonRaised, ResumeCommand, StreamEvent, Timer
from app.domain.reasons import LIFECYCLE, STOPPING
from app.lifecycle.deadlines import now_s
from app.lifecycle.errors import LifecycleError
from app.recording.edges import Edges
from app.recording.final import Final
from app.recording.recorded import RecordedClock, RecordedExchange, RecordedJournal
from app.recording.tape import TAPE_VERSION, Answer, End, Head, Posted
from app.recording.writer import TapeWriter

OUTSIDE = (Timer, HaltCommand, ResumeCommand, FlattenCommand)
"""What comes onto the bot's own stream from outside."""
T = TypeVar("T")


def is_stopping(event: StreamEvent) -> bool:
    """Whether a stop begins with an event."""
    return isinstance(event, ReasonRaised) and (event.owner, event.code) == (LIFECYCLE, STOPPING)


class Recorder:
    """Gives the edges of a bot, each of which records."""

    def __init__(
        self,
        writer: TapeWriter,
        edges: Edges,
        settings: dict[str, Any],
        final: Callable[[], Final],
    ) -> None:
        self._writer = writer
        self._final = final
        self._stops = False
        self._ended = False
        self._began_s = now_s()
        capabilities = edges.exchange.capabilities
        self.clock = RecordedClock(edges.clock, is_virtual=capabilities.is_virtual)
        self.put = writer.put
        self.put(
            Head(
                version=TAPE_VERSION,
                settings=settings,
                is_virtual=capabilities.is_virtual,
                refuses_late_orders=capabilities.refuses_late_orders,
                holds_trailing_stops=capabilities.holds_trailing_stops,
                now_ns=self.clock.now_ns,
                recovered=edges.journal.recovered(),
            )
        )
        self.edges = Edges(
            RecordedExchange(self, edges.exchange), self.clock, RecordedJournal(self, edges.journal), self.on_post
        )

    @property
    def at_s(self) -> float:
        """Seconds of the event loop since the record began."""
        return now_s() - self._began_s

    def on_post(self, event: StreamEvent) -> None:
        """Take down an event of the bot's own; time moves with those that come from outside."""
        now_ns = self.clock.step() if moves_time(event) else self.clock.now_ns
        self._stops = self._stops or is_stopping(event)
        self.put(Posted(self.at_s, now_ns, event))

    def cut(self, why: str) -> None:
        """End the record before the run."""
        self._writer.cut(why)

    def end(self) -> None:
        """Take down what the run has come to, once nothing moves any more."""
        if self._ended:
            return
        self._ended = True
        try:
            final = self._final()
        except LifecycleError:
            self.cut("the bot did not come up")
        else:
            self.put(End(final))

    async def ask(self, question: str, answer: Awaitable[T]) -> T:
        """Take down what the exchange answers, at the moment at which the bot learns it."""
        try:
            value = await answer
        except asyncio.CancelledError:
            # Nobody waits any more: the question has timed out. During a stop everybody is canceled.
            if not self._stops:
                self.put(Answer(self.at_s, self.clock.step(), question, error="not in time", error_type="TimeoutError"))
            raise
        except Exception as error:
            self.put(Answer(self.at_s, self.clock.step(), question, error=str(error), error_type=type(error).__name__))
            raise
        self.put(Answer(self.at_s, self.clock.step(), question, msgspec.Raw(msgspec.json.encode(value))))
        return value


def moves_time(event: StreamEvent) -> bool:
    """Whether an event on the bot's own stream comes from outside: a timer, a command."""
    return isinstance(event, OUTSIDE)
