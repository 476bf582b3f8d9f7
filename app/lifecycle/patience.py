"""How long one waits for the exchange: for each of its answers, however many a question takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar

_waiting: ContextVar[tuple[asyncio.Timeout, float] | None] = ContextVar("waiting", default=None)


@asynccontextmanager
async def each_answer_within(seconds: float) -> AsyncIterator[None]:
    """Bound what is done inside: it may take so long from one answer that is noted to the next.

    Raises:
        TimeoutError: There was none for so long.
    """
    async with asyncio.timeout(seconds) as deadline:
        before = _waiting.set((deadline, seconds))
        try:
            yield
        finally:
            _waiting.reset(before)


def note_answer() -> None:
    """Say that the exchange has answered a part of what was asked. Nothing where nobody's patience is bounded."""
    waiting = _waiting.get()
    if waiting is None:
        return
    deadline, seconds = waiting
    with suppress(RuntimeError):  # it has passed, or a task that was begun meanwhile has outlived it
        deadline.reschedule(asyncio.get_running_loop().time() + seconds)
