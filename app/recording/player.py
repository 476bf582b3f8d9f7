"""Plays a record to a bot: speaks what came in, line by line, and compares what goes out.

Everything keeps the order of the record: an event is handed out only when the record has come to it, and so is an
answer, and so is the news that the store has an intent. Where the bot does something else than the record says, the
first such line is named, and the replay is over.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from app.domain.events import HaltCommand, ReasonCleared, ReasonRaised, StreamEvent
from app.domain.order import Order
from app.domain.reasons import MONITOR
from app.lifecycle.deadlines import now_s
from app.ports.connection import Capabilities, ExchangeUnavailable
from app.ports.trading_state import TradingStatePort
from app.recording.final import Final, first_difference
from app.recording.played import PlayedClock
from app.recording.played_account import PlayedAccount
from app.recording.recorder import OUTSIDE, is_stopping
from app.recording.tape import (
    Answer,
    Canceled,
    Cut,
    Durable,
    End,
    Handed,
    Head,
    Line,
    Memory,
    Posted,
    Submitted,
    UnreadableTape,
)

STALL_S = 3600.0
"""Virtual time in which the bot must do what the record says next. Its timers jump there at once."""
RESOLUTION_S = 1e-9
"""Sums of floats differ by less."""
SHOWN_MAX = 400
"""Characters shown of a line."""
ERRORS: dict[str, type[Exception]] = {"ExchangeUnavailable": ExchangeUnavailable, "TimeoutError": TimeoutError}


class Difference(msgspec.Struct, frozen=True):
    """Where a replay and its record part."""

    line: int
    what: str


class _Operated(msgspec.Struct, frozen=True):
    """How the player reaches the bot for what came from outside."""

    post: Callable[[StreamEvent], None]
    halt: Callable[[str], None]
    stop: Callable[[], None]
    restrict: Callable[[ReasonRaised | ReasonCleared], None]


class Player(PlayedAccount):
    """Implements all four ports of an exchange, out of a record."""

    def __init__(self, head: Head, lines: Iterable[tuple[int, Line]]) -> None:
        self.is_virtual = head.is_virtual
        self._refuses_late_orders = head.refuses_late_orders
        self._holds_trailing_stops = head.holds_trailing_stops
        self.clock = PlayedClock(head.now_ns, is_virtual=head.is_virtual)
        self.memories: dict[str, bytes] = {}
        self._lines = self._without_memories(iter(lines))
        self._number = 1
        self._head: Line = head
        self._changed = asyncio.Event()
        self._speaks = asyncio.Event()
        self._questions: dict[str, deque[asyncio.Future[Answer]]] = {}
        self._promised: dict[str, Callable[[], None]] = {}
        self._operated: _Operated | None = None
        self._stops = False
        self._began_s = now_s()
        self._connected_ns = head.now_ns
        self.played = 0
        """Lines played or compared."""
        self.difference: Difference | None = None
        self.cut: str | None = None
        self.unreadable: UnreadableTape | None = None
        """Why it cannot be read on. Not raised where it is read: that is within the bot, which would swallow it."""
        self.over = asyncio.Event()
        self.final: Callable[[], Final] | None = None
        """Says what the replayed bot has come to."""
        self._advance()

    # -- the record ----------------------------------------------------------------------------------------------

    def _without_memories(self, lines: Iterator[tuple[int, Line]]) -> Iterator[tuple[int, Line]]:
        """Yield the lines, with the memories that are next taken in before: they are read whenever the bot likes."""
        for number, line in lines:
            if isinstance(line, Memory):
                self.memories[line.owner] = line.payload
            else:
                yield number, line

    def _advance(self) -> None:
        self.played += 1
        try:
            following = next(self._lines, None)
        except UnreadableTape as error:
            self.unreadable = error
            self.over.set()
            following = None
        if following is None:
            self._head = Cut("it has no end: the bot was killed, or still runs")
        else:
            self._number, self._head = following
        if isinstance(self._head, Cut):
            self.cut = self._head.why
            self.over.set()
        self._speaks.clear()
        if isinstance(self._head, Handed) and self._is_due:
            self._speaks.set()
        self._changed.set()

    @property
    def _waits_s(self) -> float:
        """Seconds until the next line is due: the bot's own timers go by the same loop, and keep their places."""
        at_s = getattr(self._head, "at_s", 0.0)
        return 0.0 if self.is_virtual else max(0.0, at_s - (now_s() - self._began_s))

    @property
    def _is_due(self) -> bool:
        return self._waits_s <= RESOLUTION_S

    def differ(self, what: str) -> None:
        """Note the first difference: whatever comes after it follows from it."""
        if not self.over.is_set():
            self.difference = Difference(self._number, what)
        self._speaks.clear()
        self.over.set()
        self._changed.set()

    def _compare(self, done: Line) -> None:
        """Go on if the bot does what the record says."""
        if self.over.is_set():
            return
        if self._head == done:
            self._advance()
        else:
            self.differ(f"the bot did {_text(done)}, the record has {_text(self._head)}")

    # -- what the bot does ---------------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        """Compare an order with the record; what became of it is on the record, too."""
        self._compare(Submitted(order))

    def cancel(self, order: Order, reason: str) -> None:
        """Compare a cancel with the record."""
        del reason
        self._compare(Canceled(order.client_order_id))

    def on_post(self, event: StreamEvent) -> None:
        """Compare an event that the bot puts on its stream."""
        head = self._head
        if isinstance(head, Posted) and isinstance(event, OUTSIDE):
            self.clock.step(head.now_ns)
        at_s = head.at_s if isinstance(head, Posted) else 0.0
        self._compare(Posted(at_s, self.clock.now_ns, event))

    # -- what comes in -------------------------------------------------------------------------------------------

    def operate(self, **reach: Callable[..., None]) -> None:
        """Say how the bot that is up is reached: ``post``, ``halt``, ``stop``, ``restrict``."""
        self._operated = _Operated(**reach)
        self._changed.set()

    @staticmethod
    def restrict(trading_state: TradingStatePort, change: ReasonRaised | ReasonCleared) -> None:
        """Change the trading state as the machine's monitor did."""
        if isinstance(change, ReasonRaised):
            trading_state.raise_reason(change.owner, change.code, change.severity, change.detail)
        else:
            trading_state.clear_reason(change.owner, change.code)

    async def play(self) -> None:
        """Bring what neither waits for the pump nor is asked for, until the record is over."""
        while not self.over.is_set():
            self._changed.clear()
            waits_s = self._waits_s
            if waits_s <= RESOLUTION_S and self._bring():
                continue
            try:
                async with asyncio.timeout(waits_s if waits_s > RESOLUTION_S else STALL_S):
                    await self._changed.wait()
            except TimeoutError:
                if waits_s <= RESOLUTION_S:
                    self.differ(f"the bot does not go on to {_text(self._head)}")

    def _bring(self) -> bool:
        """Play the next line if it is one that is brought; whether it was."""
        head = self._head
        if isinstance(head, Handed):
            self._speaks.set()
            return False
        if isinstance(head, Durable) and not head.at_once:
            callback = self._promised.pop(head.client_order_id, None)
            if callback is None:
                return False
            self.clock.step(head.now_ns)
            self._advance()
            callback()
            return True
        if isinstance(head, Answer):
            return self._answer(head)
        return isinstance(head, Posted) and self._post(head.event)

    def _answer(self, answer: Answer) -> bool:
        waiting = self._questions.get(answer.question)
        if not waiting:
            return False
        self.clock.step(answer.now_ns)
        # Who asked goes on before the pump does.
        waiting.popleft().set_result(answer)
        self._advance()
        return True

    def _post(self, event: StreamEvent) -> bool:
        operated = self._operated
        if operated is None:
            return False
        if isinstance(event, HaltCommand):
            operated.halt(event.reason)
        elif isinstance(event, OUTSIDE):
            operated.post(event)
        elif is_stopping(event) and not self._stops:
            self._stops = True
            operated.stop()
        elif isinstance(event, ReasonRaised | ReasonCleared) and event.owner == MONITOR:
            # It raises reasons by what the machine is like: they come from outside.
            operated.restrict(event)
        else:
            return False
        return True

    # -- Connection ----------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """As recorded."""
        return Capabilities(
            name="replay",
            is_virtual=self.is_virtual,
            refuses_late_orders=self._refuses_late_orders,
            holds_trailing_stops=self._holds_trailing_stops,
        )

    @property
    def now_ns(self) -> int:
        """The exchange's time when it was connected."""
        return self._connected_ns

    @property
    def ended(self) -> bool:
        """Never: a stop is on the record like everything else."""
        return False

    async def connect(self) -> None:
        """Connect when the record does."""
        self._connected_ns = await self.ask("connect", int)

    async def close(self) -> None:
        """Compare what the run has come to."""
        if self.over.is_set() or self.final is None:
            return
        if isinstance(self._head, End):
            found = first_difference(self._head.final, self.final())
            if found is not None:
                self.differ(found)
        else:
            self.differ(f"the bot has stopped, the record goes on with {_text(self._head)}")
        self.over.set()
        self._changed.set()

    def next_event(self) -> StreamEvent | None:
        """Return the next event, if the record has come to one."""
        head = self._head
        if not isinstance(head, Handed) or self.over.is_set() or not self._is_due:
            self._speaks.clear()
            return None
        self.clock.step(head.now_ns)
        self._advance()
        return head.event

    async def wait(self) -> None:
        """Return when the record has come to an event, or upon ``wake``."""
        await self._speaks.wait()

    def wake(self) -> None:
        """Have a ``wait`` return; ``next_event`` finds out whether there is anything."""
        self._speaks.set()

    # -- questions -----------------------------------------------------------------------------------------------

    async def ask(self, question: str, kind: Any) -> Any:  # noqa: ANN401 - a type expression for msgspec, and its value
        """Return the answer of the record, once it has come to it."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        waiting = self._questions.setdefault(question, deque())
        waiting.append(future)
        self._changed.set()
        try:
            answer = await future
        except asyncio.CancelledError:
            # It waits no longer; in the record it did so, too, or the question came too early and is asked again.
            waiting.remove(future)
            head = self._head
            if isinstance(head, Answer) and head.question == question and head.error_type == TimeoutError.__name__:
                self.clock.step(head.now_ns)
                self._advance()
            raise
        if answer.error_type:
            raise ERRORS.get(answer.error_type, RuntimeError)(answer.error)
        return msgspec.json.decode(answer.value, type=kind)

    # -- the store -----------------------------------------------------------------------------------------------

    def is_durable(self, client_order_id: str) -> bool:
        """Whether the store had an intent at once."""
        head = self._head
        if not isinstance(head, Durable) or not head.at_once or head.client_order_id != client_order_id:
            return False
        self.clock.step(head.now_ns)
        self._advance()
        return True

    def promise(self, client_order_id: str, callback: Callable[[], None]) -> None:
        """Call ``callback`` when the store has an intent."""
        self._promised[client_order_id] = callback
        self._changed.set()


def _text(line: Line) -> str:
    text = msgspec.json.encode(line).decode()
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…"
