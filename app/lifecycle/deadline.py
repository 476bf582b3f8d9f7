"""Waiting with a bound, and finishing what must be finished.

``asyncio.wait_for`` waits as long as a task that swallows its cancellation wishes; ``asyncio.wait`` does not.
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from app.lifecycle.errors import DeadlineExceeded

GRACE_S = 0.1
"""For a cancelled step to clean up after itself, before it is abandoned."""

T = TypeVar("T")


async def bounded(step: Awaitable[T], seconds: float, what: str) -> T:
    """Return the result of ``step``, or cancel it.

    Raises:
        DeadlineExceeded: It did not end in time. If it ignored its cancellation too, it is abandoned.
        CancelledError: The caller was cancelled; the step has been cancelled as well.
    """
    task = asyncio.ensure_future(step)
    try:
        await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        await _give_up(task)
        raise
    if task.done():
        return task.result()
    await _give_up(task)
    raise DeadlineExceeded(what, seconds, abandoned=not task.done())


async def _give_up(task: "asyncio.Future[T]") -> None:
    task.cancel()
    # Somebody must look at what it ends with, or asyncio complains about an exception that nobody retrieved.
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    await asyncio.wait({task}, timeout=GRACE_S)


async def finish(cleanup: Coroutine[Any, Any, T]) -> T:
    """Run ``cleanup`` to its end, however often the caller is cancelled; then let the cancellation through."""
    task = asyncio.ensure_future(cleanup)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()
        raise cancelled
    return task.result()
