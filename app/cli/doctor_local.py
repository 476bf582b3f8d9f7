"""Examines what a run needs on this machine: keys, state folder, disk, lock and journal. Changes nothing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from app.adapters import ccxt_adapters
from app.domain.confirmation import words_of
from app.domain.errors import DomainError
from app.domain.trading_state import TradingState
from app.ports.examination import Finding, Verdict
from app.settings import LoadedSettings, Settings
from app.settings.load import ENV_FILE, SECRETS_VARIABLE
from app.settings.secrets import secret_keys
from app.state import journal_place, state_folder
from app.storage import StateFolderLock, StorageError, read_summary
from app.storage.errors import JournalMissing

OTHERS_MAY = 0o007
"""Permission bits of those who are neither the owner nor of the group."""
MEGABYTE = 1_000_000


def examine_here(loaded: LoadedSettings) -> Iterator[Finding]:
    """Yield what was found."""
    settings = loaded.settings
    if settings.exchange.adapter == "ccxt":
        yield from _keys(loaded)
    folder = state_folder(settings)
    if folder is None:
        yield Finding("state", Verdict.OK, "kept in memory only")
        return
    yield from _folder(settings, folder)
    yield from _journal(loaded, folder)


def _keys(loaded: LoadedSettings) -> Iterator[Finding]:
    """See that the keys are there, and that nobody else can read them."""
    ccxt = loaded.settings.exchange.ccxt
    wanted: tuple[str, ...] = ccxt_adapters(loaded.settings).credentials_of(ccxt.venue)
    missing = [name for name in wanted if not getattr(ccxt, name)]
    if missing:
        yield Finding(
            "keys",
            Verdict.FAILED,
            f"no exchange.ccxt.{', exchange.ccxt.'.join(missing)}",
            f"give {', '.join(f'APP__EXCHANGE__CCXT__{name.upper()}' for name in missing)} "
            "by the environment or a secrets folder; then the account is examined, too",
        )
        return
    for name in secret_keys(type(ccxt)):
        origin = loaded.origin(f"exchange.ccxt.{name}")
        if getattr(ccxt, name) is not None and origin.startswith(("profile", "the command line")):
            yield Finding(
                "keys",
                Verdict.FAILED,
                f"exchange.ccxt.{name} comes from {origin}",
                "give it by the environment instead",
            )
            return
    readable = [path for path in _files_of_keys() if path.stat().st_mode & OTHERS_MAY]
    if readable:
        yield Finding("keys", Verdict.FAILED, f"everybody can read {readable[0]}", f"chmod o-rwx {readable[0]}")
    else:
        yield Finding("keys", Verdict.OK, "given, and not readable by everybody")


def _files_of_keys() -> Iterator[Path]:
    folder = os.environ.get(SECRETS_VARIABLE)
    if folder and Path(folder).is_dir():
        yield from sorted(path for path in Path(folder).iterdir() if path.is_file())
    if ENV_FILE.is_file():
        yield ENV_FILE


def _folder(settings: Settings, folder: Path) -> Iterator[Finding]:
    there = folder
    while not there.exists():
        there = there.parent
    if not os.access(there, os.W_OK):
        yield Finding("state", Verdict.FAILED, f"{there} cannot be written", "set storage.folder to another one")
        return
    yield Finding("state", Verdict.OK, f"{folder}{'' if folder.exists() else ' will be created'}")
    free_mb = shutil.disk_usage(there).free // MEGABYTE
    if free_mb < settings.monitor.disk_free_mb_min:
        yield Finding("disk", Verdict.FAILED, f"{free_mb} MB are free", "make room, or move storage.folder")
    else:
        yield Finding("disk", Verdict.OK, f"{free_mb} MB are free")
    if not folder.exists():
        return
    try:
        with StateFolderLock(folder, settings.profile):
            yield Finding("lock", Verdict.OK, "no other bot runs here")
    except StorageError as error:
        yield Finding("lock", Verdict.FAILED, str(error), "stop the other bot first")


def _journal(loaded: LoadedSettings, folder: Path) -> Iterator[Finding]:
    settings = loaded.settings
    try:
        summary = read_summary(journal_place(settings, folder), settings.account.id)
    except JournalMissing:
        yield Finding("journal", Verdict.OK, "none yet: a first start")
        return
    except (StorageError, DomainError) as error:
        yield Finding("journal", Verdict.FAILED, str(error))
        return
    yield Finding("journal", Verdict.OK, f"readable; {summary.epoch} starts of account {summary.account_id}")
    for reason in TradingState(summary.reasons).latched:
        yield Finding("held_back", Verdict.WARNING, words_of(reason), f"{loaded.command('resume')} lifts it")
