"""Where the state of a run lies: its folder, and its journal."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from platformdirs import user_state_path

from app.ports.journal import Journal
from app.settings import Settings
from app.storage import MemoryJournal, Place, ServerPlace, StateFolderLock, open_journal, schema_of

if TYPE_CHECKING:
    from app.storage.sql_journal import SqlJournal


def state_folder(settings: Settings) -> Path | None:
    """Return the folder that the run's state lies in; None when it keeps none."""
    if not settings.storage.keeps_state:
        return None
    default = user_state_path("perps-bot") / settings.profile
    if settings.storage.backend == "postgres":
        # The folder holds no more than the health file; accounts that share a database shall not share that.
        default /= settings.account.id
    return settings.storage.folder or default


def journal_place(settings: Settings, folder: Path) -> Place:
    """Return where the journal lies: in the state folder, or on a server in a schema of the account's own."""
    storage = settings.storage
    if storage.backend != "postgres" or storage.url is None:
        return folder
    return ServerPlace(
        url=storage.url,
        schema=schema_of(settings.account.id),
        lease_s=storage.lease_s,
        renew_every_s=storage.lease_renew_every_s,
        wait_s=storage.lease_wait_s,
    )


async def journal_of(settings: Settings, folder: Path | None, new_instance: str) -> AsyncIterator[Journal]:
    """Open the journal; close it at the end."""
    if folder is None:
        yield MemoryJournal(new_instance)
        return
    place = journal_place(settings, folder)
    # On a server the journal has a lease of its own; the folder is still that of one bot, with its health file.
    with nullcontext() if place == folder else StateFolderLock(folder, settings.profile):
        opening = partial(
            open_journal,
            place,
            settings.account.id,
            # In simulation the order of commits must not depend on how fast a disk is.
            threaded=settings.exchange.adapter != "simulated",
            busy_timeout_s=settings.storage.busy_timeout_s,
            profile=settings.profile,
            new_instance=new_instance,
        )
        journal = await _opened_beside(opening) if isinstance(place, ServerPlace) else opening()
        try:
            yield journal
        finally:
            journal.close()


async def _opened_beside(opening: Callable[..., "SqlJournal"]) -> "SqlJournal":
    """Open a journal on a thread of its own: while another bot holds its lease, no signal and no deadline waits."""
    given_up = Event()
    thread = ThreadPoolExecutor(1, thread_name_prefix="journal-opening")
    opened = thread.submit(opening, given_up=given_up)
    thread.shutdown(wait=False)
    try:
        return await asyncio.wrap_future(opened)
    except asyncio.CancelledError:
        given_up.set()
        # Had it been opened in this very moment, its lease would be nobody's to give back.
        opened.add_done_callback(_close_unwanted)
        raise


def _close_unwanted(opened: "Future[SqlJournal]") -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()
