"""What the operator asks of a running bot, and what it answers: one line each way."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, Protocol

import msgspec

from app.ports.exit_codes import ExitCode

REASON_LENGTH_MAX = 200
WAIT_S_MAX = 300.0
"""The longest that an answer may be waited for."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command of the operator."""

    command: Literal["halt", "resume", "flatten"]
    reason: Annotated[str, msgspec.Meta(max_length=REASON_LENGTH_MAX)] = ""
    """Why, for ``halt``."""
    token: str | None = None
    """What confirms ``resume``; without it nothing is resumed, and the reply has one."""
    symbol: str | None = None
    """Which, for ``flatten``; None is every one."""
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=WAIT_S_MAX)] = 2.0
    """How long the bot may wait for the outcome before it answers. What was commanded holds all the same."""


class Reply(msgspec.Struct, frozen=True):
    """What became of it."""

    code: ExitCode
    """CLEAN: done. UNCLEAN_STOP: not, or not fully. USAGE: the request means nothing here."""
    lines: tuple[str, ...]
    """For people."""
    token: str | None = None
    """Confirms what the lines say, for a minute."""
    busy: bool = False
    """Whether nothing was looked at: too many ask at once."""


Answer = Callable[[Request], Awaitable[Reply]]


class ControlSurface(Protocol):
    """Somewhere that the operator reaches the bot: a socket."""

    async def serve(self, answer: Answer) -> None:
        """Have each request answered by ``answer``, until cancelled. No client can harm another, or the bot."""
