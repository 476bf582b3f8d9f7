"""A day of the real bot in virtual time, on the simulator's venue, which tells as many events a second as wanted."""

import asyncio
from collections.abc import Callable
from random import Random

from dependency_injector import providers

from app.container import Container
from app.exchanges.simulated.translate import instrument_from
from app.lifecycle.deadlines import now_s
from app.settings import load_settings
from app.simulation.life import LoopClock
from app.simulation.link import VenueLink
from app.simulation.venue import Venue
from app.storage import MemoryJournal
from tests.soak.vitals import Vitals, look

SAMPLES = 48
KEPT = 500
"""Fills and ended orders that the venue keeps: the account is asked for minutes, never for the day."""
SETTINGS = ("strategies.restless.params.every=300", "risk.consecutive_losses_max=100000000")


async def soak(hours: float, rate: float, show: Callable[[Vitals], None]) -> list[Vitals]:
    """Run for ``hours`` of virtual time at ``rate`` events a second; return what the process held meanwhile."""
    loaded = load_settings("simulation", SETTINGS)
    settings = loaded.settings
    instruments = {item.symbol: instrument_from(item) for item in settings.exchange.simulated.instruments}
    venue = Venue(Random(1), settings, instruments)
    link = VenueLink(venue, Random(2), lambda *_: None, settings.execution.request_valid_s)
    container = Container(loaded=loaded)
    for provider, given in ((container.exchange, link), (container.journal, MemoryJournal())):
        provider.override(providers.Object(given))
    container.clock.override(providers.Object(LoopClock()))
    container.folder.override(providers.Object(None))
    await container.init_resources()
    market = asyncio.ensure_future(_trade(venue, len(instruments) / rate))
    samples = []
    for _ in range(SAMPLES):
        await asyncio.sleep(hours * 3600 / SAMPLES)
        samples.append(look(now_s(), container.bot().runtime.events))
        show(samples[-1])
    report = await container.health()
    market.cancel()
    await container.shutdown_resources()
    if not report.ready:
        raise RuntimeError(f"the bot was not ready in the end: {report}")
    return samples


async def _trade(venue: Venue, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        venue.step()
        del venue.fills[:-KEPT]
        while len(venue.known) > KEPT:
            del venue.known[next(iter(venue.known))]
        if len(venue.arrived) > KEPT:
            venue.arrived.clear()
