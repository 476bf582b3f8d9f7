"""One life of the bot's process in a simulated world: the real container, its edges replaced."""

import asyncio
from random import Random
from typing import cast

from app.bot import PerpsBot
from app.container import Container
from app.container_lifecycle import LifecycleContainer
from app.domain.market import SECOND_NS
from app.lifecycle import CoordinatorContext, HealthReport
from app.lifecycle.deadlines import now_s
from app.settings import LoadedSettings
from app.simulation.link import Link
from app.simulation.store import SimulatedJournal
from app.simulation.venue import START_NS
from app.telemetry import RunFigures

BURIALS_MAX = 100
"""Rounds in which the tasks of a dead process may end."""


class LoopClock:
    """Implements ``Clock`` by the event loop's time, which is virtual."""

    @property
    def now_ns(self) -> int:
        """The current time."""
        return START_NS + int(now_s() * SECOND_NS)

    def advance_to(self, time_ns: int) -> None:
        """Take no notice: the loop moves by itself."""

    def follow(self, time_ns: int) -> None:
        """Take no notice: the exchange's clock is the loop, too."""


class StrategyBroke(Exception):
    """What a strategy raises when the plan says so."""


class Life:
    """From a start of the process to its end, clean or not."""

    def __init__(
        self,
        loaded: LoadedSettings,
        link: Link,
        journal: SimulatedJournal,
        figures: RunFigures,
        random: Random,
    ) -> None:
        self.link = link
        self.journal = journal
        self.container = Container(loaded=loaded)
        # A declarative container gives an object of its ``instance_type``.
        self._lifecycle = cast("LifecycleContainer", self.container)
        self.container.exchange.override(link)
        self.container.journal.override(journal)
        self.container.clock.override(LoopClock())
        self.container.figures.override(figures)
        self.container.folder.override(None)
        self.container.random.override(random)
        self._before = asyncio.all_tasks()

    @property
    def bot(self) -> PerpsBot:
        """The bot."""
        bot: PerpsBot = self.container.bot()
        return bot

    @property
    def context(self) -> CoordinatorContext:
        """What the coordinators share at this moment."""
        return self._lifecycle.registry.context

    async def health(self) -> HealthReport:
        """Return what the bot says of itself."""
        return await self._lifecycle.health()

    async def begin(self) -> None:
        """Start; raises as ``init_resources`` does."""
        self.container.stop_request().renew()
        await self._lifecycle.init_resources()

    async def end(self) -> list[Exception]:
        """Stop cleanly; return everything that went wrong."""
        try:
            await self._lifecycle.shutdown_resources()
        except ExceptionGroup as group:
            return [error for error in group.exceptions if isinstance(error, Exception)]
        return []

    async def die(self) -> None:
        """End as a process ends that is killed: nothing that it does from here on reaches the world."""
        self.link.die()
        self.journal.die()
        for _ in range(BURIALS_MAX):
            left = asyncio.all_tasks() - self._before - {asyncio.current_task()}
            if not left:
                return
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1.0)

    def break_strategy(self, number: int) -> None:
        """Have one of the strategies raise at whatever it sees next."""
        strategies = self.bot.strategy.strategies
        strategy = strategies[number % len(strategies)]

        def broken(*_: object) -> None:
            raise StrategyBroke("planned")

        strategy._handlers = dict.fromkeys(strategy._handlers, broken)  # noqa: SLF001 - what is broken has no handle for it
