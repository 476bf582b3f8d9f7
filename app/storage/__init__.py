from app.storage.errors import (
    JournalLocked,
    JournalMissing,
    JournalTooNew,
    JournalTooOld,
    JournalUnreadable,
    JournalUnwritable,
    StateFolderInUse,
    StateFolderUnusable,
    StorageError,
)
from app.storage.folder_lock import Holder, StateFolderLock, read_holder
from app.storage.memory_journal import MemoryJournal
from app.storage.opening import open_journal, open_stopped, read_summary, rebuild_projections
from app.storage.summary import Summary

__all__ = [
    "Holder",
    "JournalLocked",
    "JournalMissing",
    "JournalTooNew",
    "JournalTooOld",
    "JournalUnreadable",
    "JournalUnwritable",
    "MemoryJournal",
    "StateFolderInUse",
    "StateFolderLock",
    "StateFolderUnusable",
    "StorageError",
    "Summary",
    "open_journal",
    "open_stopped",
    "read_holder",
    "read_summary",
    "rebuild_projections",
]
