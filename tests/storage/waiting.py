"""Waiting for another thread, with a bound."""

import asyncio


async def until(condition, timeout_s=5):
    """Return once ``condition`` holds. Another thread makes it hold, and tells nobody: so ask."""
    for _ in range(timeout_s * 1000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise TimeoutError
