"""What can go wrong with the state folder or the server, one type for each thing a person would do differently.

StorageError
├── StateFolderUnusable    cannot be created, or not be written
├── StateFolderInUse       another bot holds it
├── JournalInUse           another bot holds the lease of a journal on a server
├── JournalMissing         nothing to read: no bot has run here yet
├── JournalUnreadable      corrupt, or no journal at all
├── JournalTooNew          written by a newer version of this code
├── JournalTooOld          to be read only, but written by an older version
├── JournalLocked          another program is writing to the database
├── JournalUnwritable      disk full, read-only, no permission, out of file handles
├── DriverMissing          PostgreSQL is chosen, and its driver is not installed
├── ServerUnreachable      nobody answers there
├── ServerRefused          it answers, and lets us not in: password, rights, too many connections
├── DatabaseMissing        it lets us in, and has no such database
└── ConnectionLost         it was there, and is gone; what it did with the last commit nobody knows

While a bot runs, the store's failure is ``app.ports.journal.JournalFailed`` instead, with the same sentence.
"""

from pathlib import Path

from app.storage.holder import Holder
from app.storage.place import Place


class StorageError(Exception):
    """The state folder, or the journal in it or on a server, cannot be used. The message says what to do."""

    def __init__(self, place: Place, message: str) -> None:
        self.place = place
        super().__init__(message)


def _setting(place: Place) -> str:
    return "storage.folder" if isinstance(place, Path) else "storage.url"


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


class JournalInUse(StorageError):
    """Another bot holds the lease of the journal, and went on renewing it."""

    def __init__(self, place: Place, holder: Holder, waited_s: float) -> None:
        self.holder = holder
        self.waited_s = waited_s
        super().__init__(
            place,
            f"the journal {place} is in use by {holder}; waited {waited_s:g} s for its lease: "
            "stop that bot, or set account.id to another",
        )


class JournalMissing(StorageError):
    """There is no journal to read."""

    def __init__(self, place: Place) -> None:
        super().__init__(
            place, f"there is no journal at {place}: start the bot once, or set {_setting(place)} to where it ran"
        )


class JournalUnreadable(StorageError):
    """The database is corrupt, or not a journal."""

    def __init__(self, place: Place, why: str) -> None:
        self.why = why
        super().__init__(
            place,
            f"the journal {place} cannot be read ({why}): put a backup in its place, or move it away and start anew; "
            "positions and orders are then taken from the exchange",
        )


class JournalTooNew(StorageError):
    """The database was written by a newer version of this code."""

    def __init__(self, place: Place, found: str, head: str) -> None:
        self.found = found
        self.head = head
        super().__init__(
            place,
            f"the journal {place} has schema {found}, this version knows up to {head}: "
            f"run the version that wrote it, or set {_setting(place)} to another",
        )


class JournalTooOld(StorageError):
    """The database was written by an older version and is not to be changed by a reader."""

    def __init__(self, place: Place, found: str, head: str) -> None:
        self.found = found
        self.head = head
        super().__init__(
            place,
            f"the journal {place} has schema {found}, this version reads {head}: start the bot once to bring it up",
        )


class JournalLocked(StorageError):
    """Another program keeps the database locked."""

    def __init__(self, place: Place, waited_s: float) -> None:
        self.waited_s = waited_s
        super().__init__(
            place,
            f"the journal {place} was locked by another program for {waited_s:g} s: "
            "close what has it open (a database browser, a backup) and start again",
        )


class JournalUnwritable(StorageError):
    """The database can be read but not written."""

    def __init__(self, place: Place, why: str) -> None:
        self.why = why
        super().__init__(
            place, f"the journal {place} cannot be written ({why}): make room or make it writable, then restart"
        )


class DriverMissing(StorageError):
    """PostgreSQL is chosen, and its driver does not import."""

    def __init__(self, place: Place, why: str) -> None:
        self.why = why
        super().__init__(
            place,
            f"storage.backend = postgres needs a driver that is not installed ({why}): pip install '.[postgres]'",
        )


class ServerUnreachable(StorageError):
    """Nobody answers at the address."""

    def __init__(self, place: Place, why: str) -> None:
        self.why = why
        super().__init__(
            place, f"the database server of {place} cannot be reached ({why}): start it, or set storage.url to another"
        )


class ServerRefused(StorageError):
    """The server answers, and lets us not in."""

    def __init__(self, place: Place, why: str) -> None:
        self.why = why
        super().__init__(
            place,
            f"the database server of {place} refused the connection ({why}): "
            "correct user and password in storage.url, or let the user in at the server",
        )


class DatabaseMissing(StorageError):
    """The server has no such database."""

    def __init__(self, place: Place, why: str) -> None:
        self.why = why
        super().__init__(
            place, f"the database of {place} is not there ({why}): create it with createdb, or correct storage.url"
        )


class ConnectionLost(StorageError):
    """The connection broke while it was used."""

    def __init__(self, place: Place, why: str) -> None:
        self.why = why
        super().__init__(
            place,
            f"the connection to the journal {place} was lost ({why}), and whether its last commit was carried out is "
            "not known: see to the database server, then restart; the journal is then read as it is",
        )
