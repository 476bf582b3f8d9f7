from app.storage.errors import (
    ConnectionLost,
    DatabaseMissing,
    DriverMissing,
    JournalInUse,
    JournalLocked,
    JournalMissing,
    JournalTooNew,
    JournalTooOld,
    JournalUnreadable,
    JournalUnwritable,
    ServerRefused,
    ServerUnreachable,
    StateFolderInUse,
    StateFolderUnusable,
    StorageError,
)
from app.storage.file_lock import lock
from app.storage.folder_lock import StateFolderLock, is_held, read_holder
from app.storage.holder import Holder
from app.storage.memory_journal import MemoryJournal
from app.storage.opening import open_journal, open_stopped, read_summary, rebuild_projections
from app.storage.place import Place, ServerPlace, schema_of
from app.storage.summary import Summary

__all__ = [
    "ConnectionLost",
    "DatabaseMissing",
    "DriverMissing",
    "Holder",
    "JournalInUse",
    "JournalLocked",
    "JournalMissing",
    "JournalTooNew",
    "JournalTooOld",
    "JournalUnreadable",
    "JournalUnwritable",
    "MemoryJournal",
    "Place",
    "ServerPlace",
    "ServerRefused",
    "ServerUnreachable",
    "StateFolderInUse",
    "StateFolderLock",
    "StateFolderUnusable",
    "StorageError",
    "Summary",
    "is_held",
    "lock",
    "open_journal",
    "open_stopped",
    "read_holder",
    "read_summary",
    "rebuild_projections",
    "schema_of",
]
