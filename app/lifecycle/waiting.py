"""Waiting that ends: with a bound, or with what must be finished, whoever cancels.

``asyncio.wait_for`` waits as long as a task that swallows its cancellation wishes; ``asyncio.wait`` does not.
"""

import asyncio
from collections.abc import Awaitable, Collection, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from app.lifecycle.errors import DeadlineExceeded, StepCancelled

GRACE_S = 0.1
"""For a cancelled step to clean up after itself, before it is abandoned."""

T = TypeVar("T")


async def bounded(step: Awaitable[T], seconds: float, what: str) -> T:
    """Return the result of ``step``, or cancel it.

    Raises:
        DeadlineExceeded: It did not end in time. If it ignored its cancellation too, it is abandoned.
        StepCancelled: The step was cancelled, but not the caller.
        CancelledError: The caller was cancelled, and the step with it. If it ignored that, a note says so.
    """
    task = asyncio.ensure_future(step)
    try:
        late = await late_of([task], seconds)
    except asyncio.CancelledError as cancelled:
        if not task.done():
            cancelled.add_note(f"{what} ignored its cancellation and was abandoned")
        raise
    if late:
        raise DeadlineExceeded(what, seconds, abandoned=not task.done())
    if task.cancelled():
        raise StepCancelled(what)
    return task.result()


async def late_of(tasks: Collection["asyncio.Future[T]"], seconds: float) -> Collection["asyncio.Future[T]"]:
    """Wait for all tasks together; cancel those that do not end in time, and return them.

    When the caller is cancelled, all are.
    """
    try:
        _, late = await asyncio.wait(tasks, timeout=seconds)
    except asyncio.CancelledError:
        with suppress(asyncio.CancelledError):
            await finish(_give_up(tasks))
        raise
    if late:
        await finish(_give_up(late))
    return late


async def _give_up(tasks: Collection["asyncio.Future[T]"]) -> None:
    for task in tasks:
        task.cancel()
        task.add_done_callback(look_at)
    await asyncio.wait(tasks, timeout=GRACE_S)


def look_at(ended: "asyncio.Future[T]") -> None:
    """Retrieve the error that nobody waits for any more, or asyncio complains about it."""
    if not ended.cancelled():
        ended.exception()


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
        look_at(task)
        raise cancelled
    return task.result()
