"""Feeds a record of a run to a fresh bot, and says whether it does and becomes the same."""

import asyncio
from pathlib import Path
from typing import cast

import msgspec
from loguru import logger

from app.cli.failures import UsageRefused
from app.container import Container
from app.container_lifecycle import LifecycleContainer
from app.lifecycle import StartFailed
from app.ports.exit_codes import ExitCode
from app.recording import Difference, Edges, Head, PlayedJournal, Player, UnreadableTape, final_of, read_tape
from app.settings import LoadedSettings, Settings
from app.storage import MemoryJournal
from app.timing import run_virtual

NEVER_S = 1e9


class Replayed(msgspec.Struct, frozen=True):
    """What came of a replay."""

    lines: int
    """Of the record, that were played or compared."""
    difference: Difference | None
    cut: str | None
    """Why the record ends before the run did; None when it does not."""


def replay(path: Path) -> int:
    """Print what came of replaying a file; return 0 if the replay is equal, else 1."""
    logger.remove()
    try:
        replayed = replay_file(path)
    except UnreadableTape as error:
        raise UsageRefused(str(error)) from error
    if replayed.difference is not None:
        print(f"not equal: {path}, line {replayed.difference.line}: {replayed.difference.what}")
        return ExitCode.BUG
    if replayed.cut is not None:
        print(f"equal as far as the record goes, {replayed.lines} lines: {replayed.cut}")
    else:
        print(f"equal: {replayed.lines} lines, orders and fills, and the final state, byte for byte")
    return ExitCode.CLEAN


def replay_file(path: Path) -> Replayed:
    """Replay a file in a loop of its own, whose time is virtual: it takes no longer than the bot needs to decide.

    Raises:
        UnreadableTape: The file is no record, or not to its end.
    """
    lines = read_tape(path)
    first = next(lines, None)
    if first is None or not isinstance(first[1], Head):
        raise UnreadableTape(path, "it is empty")
    head = first[1]

    async def run() -> Replayed:
        player = Player(head, lines)
        await _play(head, player)
        if player.unreadable is not None:
            raise player.unreadable
        return Replayed(player.played, player.difference, player.cut)

    return run_virtual(run())


async def _play(head: Head, player: Player) -> None:
    container = _container_of(head, player)
    registry = container.registry
    player.final = lambda: final_of(registry.context)
    playing = asyncio.ensure_future(player.play())
    living = asyncio.ensure_future(_live(container, player))
    await asyncio.wait({playing, living}, return_when=asyncio.ALL_COMPLETED)
    playing.result()
    living.result()


async def _live(container: LifecycleContainer, player: Player) -> None:
    """Live a life of the bot, from its start to where the record ends."""
    starting = asyncio.ensure_future(container.init_resources())
    over = asyncio.ensure_future(player.over.wait())
    stopping = asyncio.Event()
    try:
        await asyncio.wait({starting, over}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
        await asyncio.wait({starting})
        try:
            starting.result()
        except (StartFailed, asyncio.CancelledError) as error:
            player.differ(f"the bot does not come up: {error}")
            return
        bot = container.bot()
        player.operate(
            post=bot.runtime.post,
            halt=bot.halt,
            stop=stopping.set,
            restrict=lambda change: player.restrict(container.registry.context.trading_state, change),
        )
        asked = asyncio.ensure_future(stopping.wait())
        await asyncio.wait({asked, over}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        try:
            await container.shutdown_resources()
        except ExceptionGroup:
            # A stop that was not clean is on the record as it was.
            return
    finally:
        over.cancel()


def _container_of(head: Head, player: Player) -> LifecycleContainer:
    settings = Settings.model_validate(head.settings)
    # The machine is watched no more: what was seen of it is on the record.
    monitor = settings.monitor.model_copy(update={"check_every_s": NEVER_S})
    settings = settings.model_copy(update={"monitor": monitor})
    container = Container(loaded=LoadedSettings(settings, (), ()))
    journal = PlayedJournal(MemoryJournal(), head.recovered, player)
    edges = Edges(player, player.clock, journal, player.on_post, ticks=False)
    container.journal.override(journal)
    container.edges.override(edges)
    container.folder.override(None)
    # A declarative container gives an object of its ``instance_type``.
    return cast("LifecycleContainer", container)
