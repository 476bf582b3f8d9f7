"""Runs the event loop to its end, and no longer than that."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

LEFT_OVER_S = 0.5
"""For tasks that are still there at the end to take their cancellation."""

T = TypeVar("T")


def run_loop(main: Coroutine[Any, Any, T]) -> tuple[T, bool]:
    """Run ``main``; return its result, and whether tasks are left that ignored their cancellation.

    ``asyncio.run`` would wait for those for ever.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    result = loop.run_until_complete(main)
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        _, left = loop.run_until_complete(asyncio.wait(left, timeout=LEFT_OVER_S))
    if not left:
        loop.close()
    return result, bool(left)
