"""Where the state of a run lies: its folder, and its journal."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from platformdirs import user_state_path

from app.ports.journal import Journal
from app.settings import Settings
from app.storage import MemoryJournal, Place, ServerPlace, StateFolderLock, open_journal, schema_of


def state_folder(settings: Settings) -> Path | None:
    """Return the folder that the run's state lies in; None when it keeps none."""
    if not settings.storage.keeps_state:
        return settings.storage.folder
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


def journal_of(settings: Settings, folder: Path | None, new_instance: str) -> Iterator[Journal]:
    """Open the journal; close it at the end."""
    if not settings.storage.keeps_state or folder is None:
        yield MemoryJournal(new_instance)
        return
    place = journal_place(settings, folder)
    # On a server the journal has a lease of its own; the folder is still that of one bot, with its health file.
    with nullcontext() if place == folder else StateFolderLock(folder, settings.profile):
        journal = open_journal(
            place,
            settings.account.id,
            # In simulation the order of commits must not depend on how fast a disk is.
            threaded=settings.exchange.adapter != "simulated",
            busy_timeout_s=settings.storage.busy_timeout_s,
            profile=settings.profile,
            new_instance=new_instance,
        )
        try:
            yield journal
        finally:
            journal.close()
