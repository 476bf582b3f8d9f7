"""Lets the loop come to rest."""

import asyncio

TURNS_MAX = 100
"""No chain of events takes more than ten; what goes on for longer looks at the clock at each turn."""


async def settle():
    """Return when nothing is left to run: the pump has taken in what the exchange was told to say, and what follows.

    Only a timer, a thread or a socket can begin something new then. The loop's own queue tells; a number of turns would
    have to be guessed anew with each part that passes an event on.
    """
    loop = asyncio.get_running_loop()
    for _ in range(TURNS_MAX):
        await asyncio.sleep(0)
        if not loop._ready:
            return
