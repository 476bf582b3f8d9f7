"""Minutes of the real bot in real time: a generated market, the journal in a file, the health file, the socket."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from app.container import Container
from app.settings import load_settings
from tests.soak.vitals import Vitals, look

SAMPLES = 40
EVENTS_A_VIRTUAL_S = 9.0
"""What the generated market of three symbols tells, nearly."""


async def soak(minutes: float, rate: float, folder: Path, show: Callable[[Vitals], None]) -> list[Vitals]:
    """Run for ``minutes`` at nearly ``rate`` events a second; return what the process held meanwhile."""
    words = (f"exchange.simulated.speed={rate / EVENTS_A_VIRTUAL_S}", f"storage.folder={folder}")
    container = Container(loaded=load_settings("simulated", words))
    bot = container.bot()
    began, samples = monotonic(), []

    async def sample() -> None:
        for _ in range(SAMPLES):
            await asyncio.sleep(minutes * 60 / SAMPLES)
            samples.append(look(monotonic() - began, bot.runtime.events))
            show(samples[-1])
        bot.stop("the soak is over")

    sampling: list[asyncio.Task] = []
    result = await bot.run(lambda: sampling.append(asyncio.ensure_future(sample())))
    if result.exit_code:
        raise RuntimeError(f"the bot ended with code {result.exit_code}: {result.errors}")
    return samples
