"""One state folder, one bot."""

import fcntl
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from app.storage.errors import StateFolderInUse, StateFolderUnusable
from app.storage.file_lock import lock
from app.storage.holder import Holder

LOCK_FILE = "bot.lock"
LOOK_S = 0.1
"""By then whoever only looks whether the folder is held is done."""


class StateFolderLock:
    """An exclusive lock on a state folder.

    The kernel holds it (``flock``) and lets go when the process dies, however it dies: a stale lock file locks nobody
    out. What the file says is only for people, so the file stays when the lock is released: to delete it would let two
    bots lock two files of the same name.
    """

    def __init__(self, folder: Path, profile: str = "") -> None:
        self.path = folder / LOCK_FILE
        self._profile = profile
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the folder."""
        return self._file is not None

    def acquire(self) -> None:
        """Take the folder, which is created if need be. No waiting for another bot.

        Raises:
            StateFolderUnusable: It cannot be created, or not be written.
            StateFolderInUse: Another bot holds it; the message says who.
        """
        folder = self.path.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is traded is nobody else's business
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise StateFolderUnusable(folder, "a file is in its place") from error
        except OSError as error:
            raise StateFolderUnusable(folder, error.strerror or str(error)) from error
        try:
            lock(file, LOOK_S)
            self._sign(file)
        except BlockingIOError:
            os.close(file)
            holder = read_holder(folder)
            raise StateFolderInUse(folder, str(holder or "another bot"), holder.pid if holder else None) from None
        except OSError as error:
            os.close(file)
            raise StateFolderUnusable(folder, error.strerror or str(error)) from error
        self._file = file

    def release(self) -> None:
        """Let go of the folder; a no-op when it is not held."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _sign(self, file: int) -> None:
        holder = Holder(os.getpid(), datetime.now(UTC).replace(microsecond=0), self._profile)
        os.ftruncate(file, 0)
        os.pwrite(file, msgspec.json.encode(holder), 0)


def is_held(folder: Path) -> bool:
    """Return whether a process holds the folder, by the word of the kernel: a number of a process may be another's now.

    To ask is to take a share of the lock for a moment, which ``acquire`` waits out.

    Raises:
        StateFolderUnusable: The lock file cannot be read.
    """
    try:
        with (folder / LOCK_FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise StateFolderUnusable(folder, error.strerror or str(error)) from error
    return False


def read_holder(folder: Path) -> Holder | None:
    """Return who signed the lock file last; None when nobody has, or it cannot be read.

    It does not say whether that bot still runs: ``is_held`` does.
    """
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((folder / LOCK_FILE).read_bytes(), type=Holder)
    return None
