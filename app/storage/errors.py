"""What can go wrong with the state folder, one type for each thing a person would do differently.

StorageError
├── StateFolderUnusable    cannot be created, or not be written
├── StateFolderInUse       another bot holds it
├── JournalMissing         nothing to read: no bot has run here yet
├── JournalUnreadable      corrupt, or no journal at all
├── JournalTooNew          written by a newer version of this code
├── JournalTooOld          to be read only, but written by an older version
├── JournalLocked          another program is writing to the database
└── JournalUnwritable      disk full, read-only, out of file handles

While a bot runs, the store's failure is ``app.ports.journal.JournalFailed`` instead, with the same sentence.
"""

from pathlib import Path


class StorageError(Exception):
    """The state folder, or the journal in it, cannot be used. The message says what to do."""

    def __init__(self, path: Path, message: str) -> None:
        self.path = path
        super().__init__(message)


class StateFolderUnusable(StorageError):
    """The state folder cannot be created, or not be written."""

    def __init__(self, path: Path, why: str) -> None:
        self.why = why
        super().__init__(
            path, f"the state folder {path} cannot be used ({why}): make it writable, or set storage.folder to another"
        )


class StateFolderInUse(StorageError):
    """Another bot holds the state folder."""

    def __init__(self, path: Path, holder: str, pid: int | None = None) -> None:
        self.holder = holder
        self.pid = pid
        super().__init__(
            path, f"the state folder {path} is in use by {holder}: stop that bot, or set storage.folder to another"
        )


class JournalMissing(StorageError):
    """There is no journal to read."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, f"there is no journal at {path}: start the bot once, or set storage.folder to where it ran"
        )


class JournalUnreadable(StorageError):
    """The database is corrupt, or not a journal."""

    def __init__(self, path: Path, why: str) -> None:
        self.why = why
        super().__init__(
            path,
            f"the journal {path} cannot be read ({why}): put a backup in its place, or move it away and start anew; "
            "positions and orders are then taken from the exchange",
        )


class JournalTooNew(StorageError):
    """The database was written by a newer version of this code."""

    def __init__(self, path: Path, found: str, head: str) -> None:
        self.found = found
        self.head = head
        super().__init__(
            path,
            f"the journal {path} has schema {found}, this version knows up to {head}: "
            "run the version that wrote it, or set storage.folder to another",
        )


class JournalTooOld(StorageError):
    """The database was written by an older version and is not to be changed by a reader."""

    def __init__(self, path: Path, found: str, head: str) -> None:
        self.found = found
        self.head = head
        super().__init__(
            path, f"the journal {path} has schema {found}, this version reads {head}: start the bot once to bring it up"
        )


class JournalLocked(StorageError):
    """Another program keeps the database locked."""

    def __init__(self, path: Path, waited_s: float) -> None:
        self.waited_s = waited_s
        super().__init__(
            path,
            f"the journal {path} was locked by another program for {waited_s:g} s: "
            "close what has it open (a database browser, a backup) and start again",
        )


class JournalUnwritable(StorageError):
    """The database can be read but not written."""

    def __init__(self, path: Path, why: str) -> None:
        self.why = why
        super().__init__(
            path, f"the journal {path} cannot be written ({why}): make room or make it writable, then restart"
        )
