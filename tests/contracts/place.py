"""A bot at a venue on loopback, in this process: started, stopped, and started again where it was."""

import asyncio

from dependency_injector import providers

from app.container import Container
from app.settings import load_settings

PATIENCE_S = 10


class Place:
    """A venue on loopback, and a bot at it, without any strategy."""

    def __init__(self, venue, profile, adapter):
        self.venue, self.adapter = venue, adapter
        self._profile = profile

    async def start(self):
        self._container = Container(loaded=load_settings(str(self._profile), []))
        self._container.strategies.override(providers.Object(()))
        await self._container.init_resources()
        self.bot = self._container.bot()

    async def stop(self):
        await self._container.shutdown_resources()

    @property
    def held(self):
        return self.bot.execution.stage.books.portfolio.position(self.venue.symbol).contracts

    async def go_to(self, price, is_so):
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                self.venue.step(price)
                await asyncio.sleep(0.1)

    async def pass_by(self, *prices):
        for price in prices:
            self.venue.step(price)
            await asyncio.sleep(0.1)
