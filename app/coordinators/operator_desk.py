"""Takes the operator's commands: halts at once, puts each command on the stream, and says what came of it."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence

from app.domain.confirmation import REFUSED, is_confirmed, offer, token_of, words_of
from app.domain.events import FlattenCommand, HaltCommand, OperatorCommand, ResumeCommand, Severity
from app.domain.money import plain
from app.domain.position import Position
from app.domain.reasons import HALT, OPERATOR
from app.lifecycle import CoordinatorContext
from app.lifecycle.deadlines import now_s
from app.ports.control import Reply, Request
from app.ports.exit_codes import ExitCode

POLL_S = 0.02
"""Between looks at whether the exchange has confirmed."""
SHOWN_MAX = 20
"""Orders and positions named in a reply: it is one line of bounded length."""
COMMANDS = frozenset({HaltCommand, ResumeCommand, FlattenCommand})
"""The facts by which the desk knows that a command has been acted on."""
NOT_TAKEN = "the bot did not take the command from its stream: look at its log; Ctrl-C stops it"


class OperatorDesk:
    """Execution acts on the commands; here they begin, and their outcome is waited for."""

    def __init__(
        self,
        context: Callable[[], CoordinatorContext],
        post: Callable[[OperatorCommand], None],
        command: Callable[[str], str],
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._context = context
        self._post = post
        self._command = command
        self._wall_s = wall_s
        self._pending: list[OperatorCommand] = []

    def halt(self, reason: str) -> None:
        """Let nothing grow any more. The trading state binds when this returns, whatever the store does.

        The command, and with it the cancels, come next on the stream.
        """
        context = self._context()
        # Posting only appends; the state changes before anything is written, and nothing waits in between.
        self._post(HaltCommand(context.clock.now_ns, reason))
        context.trading_state.raise_reason(OPERATOR, HALT, Severity.HALTED, reason, latched=True)

    async def answer(self, request: Request) -> Reply:
        """Carry a request out; return what came of it within the time that it allows."""
        if request.command == "halt":
            return await self._halt(request)
        if request.command == "resume":
            return await self._resume(request)
        return await self._flatten(request)

    def on_fact(self, fact: object) -> None:
        """Note that a command has been acted on."""
        self._pending = [command for command in self._pending if command is not fact]

    async def _halt(self, request: Request) -> Reply:
        self.halt(request.reason or "halted by hand")
        execution = self._context().execution
        lines = [f"trading is halted: nothing grows until {self._command('resume')}"]
        is_recorded = self._promise()
        await _until(lambda: not execution.growing() and is_recorded(), request.wait_s)
        left, failure = execution.growing(), self._context().journal.failure
        lines += _list("still working, and asked for again until the exchange confirms", left)
        lines += _list(f"kept; {self._command('flatten')} closes them", self._kept())
        if failure is not None:
            lines.append(f"this halt is not on record and ends with the process: {failure}")
        elif not is_recorded():
            lines.append("this halt is not on record yet: should the process die now, halt its next start")
        is_done = not left and failure is None and is_recorded()
        return Reply(ExitCode.CLEAN if is_done else ExitCode.UNCLEAN_STOP, tuple(lines))

    def _promise(self) -> Callable[[], bool]:
        """Return what says whether all that was put on record up to now survives the process, or never will.

        An operator who was told that trading is halted must find it halted after a crash in the very next moment.
        """
        journal = self._context().journal
        ticket = journal.ticket()
        # That somebody waits makes a journal that gathers records commit.
        ticket.when_durable(lambda: None)
        return lambda: ticket.durable or journal.failure is not None

    async def _resume(self, request: Request) -> Reply:
        trading_state, wall_s = self._context().trading_state, int(self._wall_s())
        latched = trading_state.current.latched
        if not latched:
            return Reply(ExitCode.CLEAN, ("nothing is latched: there is nothing to resume", *self._holding()))
        if request.token is None:
            return Reply(ExitCode.UNCLEAN_STOP, offer(latched), token_of(latched, wall_s))
        if not is_confirmed(request.token, latched, wall_s):
            return Reply(ExitCode.UNCLEAN_STOP, (REFUSED,))
        command = ResumeCommand(self._context().clock.now_ns, tuple((r.owner, r.code) for r in latched))
        if not await self._taken(command, request.wait_s):
            return Reply(ExitCode.UNCLEAN_STOP, (NOT_TAKEN,))
        now = trading_state.current
        again = now.latched
        return Reply(
            ExitCode.UNCLEAN_STOP if again else ExitCode.CLEAN,
            (
                *(f"lifted: {words_of(reason)}" for reason in latched if not now.holds(reason.owner, reason.code)),
                *(f"raised again, its limit is still passed: {words_of(reason)}" for reason in again),
                *self._holding(),
            ),
        )

    async def _flatten(self, request: Request) -> Reply:
        context, listed = self._context(), tuple(self._context().instruments)
        symbols = listed if request.symbol is None else (request.symbol,)
        if not set(symbols) <= set(listed):
            return Reply(ExitCode.USAGE, (f"{request.symbol} is not traded here: use one of {', '.join(listed)}",))
        began = now_s()
        if not await self._taken(FlattenCommand(context.clock.now_ns, symbols), request.wait_s):
            return Reply(ExitCode.UNCLEAN_STOP, (NOT_TAKEN,))
        await _until(lambda: not self._unflat(symbols), request.wait_s - (now_s() - began))
        left, held = self._unflat(symbols), self._held(symbols)
        where = "" if request.symbol is None else f" in {request.symbol}"
        lines = _list("left; the bot goes on closing it", left) or _list("stays, for it is less than a lot", held)
        lines = lines or [f"flat{where}: nothing is held, nothing that can grow works"]
        lines += _list("still held", self._held(set(listed) - set(symbols)))
        return Reply(ExitCode.UNCLEAN_STOP if left or held else ExitCode.CLEAN, (*lines, *self._holding()))

    async def _taken(self, command: OperatorCommand, wait_s: float) -> bool:
        """Put a command on the stream; return whether it was acted on in time."""
        self._pending.append(command)
        self._post(command)
        try:
            return await _until(lambda: all(pending is not command for pending in self._pending), wait_s)
        finally:
            self.on_fact(command)

    def _unflat(self, symbols: Collection[str]) -> Sequence[str]:
        """Return what the bot can still close or cancel, in words."""
        execution = self._context().execution
        return [*self._held([name for name in symbols if execution.tradable(name)]), *execution.growing(symbols)]

    def _held(self, symbols: Collection[str]) -> Sequence[str]:
        """Return the positions of some symbols in words."""
        return [_words_of(position) for position in self._context().portfolio.positions if position.symbol in symbols]

    def _kept(self) -> Sequence[str]:
        """Return all positions in words, with what protects them."""
        context = self._context()
        protection = context.execution.protection_of
        return [f"{_words_of(position)}, {protection(position.symbol)}" for position in context.portfolio.positions]

    def _holding(self) -> Sequence[str]:
        """Return what trading is now, and what holds it there."""
        state = self._context().trading_state.current
        return (f"trading is {state.level}", *(words_of(reason) for reason in state.reasons))


async def _until(is_so: Callable[[], bool], wait_s: float) -> bool:
    """Wait until something is so; return whether it is."""
    ends = now_s() + wait_s
    while not is_so():
        if now_s() >= ends:
            return False
        await asyncio.sleep(POLL_S)
    return True


def _words_of(position: Position) -> str:
    return f"{plain(position.contracts)} {position.symbol}"


def _list(what: str, items: Sequence[str]) -> list[str]:
    shown = [f"{what}: {item}" for item in items[:SHOWN_MAX]]
    return [*shown, f"and {len(items) - SHOWN_MAX} more"] if len(items) > SHOWN_MAX else shown
