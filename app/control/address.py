"""Where the control socket lies: in the state folder, however long the folder's path is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKET_FILE = "control.sock"
PATH_BYTES_MAX = 103
"""What every system takes: 108 bytes with the closing zero on Linux, 104 on the BSDs and macOS."""
OPEN_FOLDERS = Path("/proc/self/fd")


class SocketPathTooLong(OSError):
    """The state folder's path leaves no room for a unix socket in it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the path {path} has {len(os.fsencode(path))} bytes, a unix socket may have {PATH_BYTES_MAX}: "
            "set storage.folder to a shorter one, or there is no halt, resume and flatten while the bot runs"
        )


@contextmanager
def socket_address(folder: Path) -> Iterator[str]:
    """Give an address of the socket to bind or connect to, good within the block.

    Where the path is too long, Linux takes a short one through the opened folder.

    Raises:
        SocketPathTooLong: It is, and there is no way around it here.
        OSError: The folder cannot be opened.
    """
    path = folder / SOCKET_FILE
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        yield str(path)
        return
    if not OPEN_FOLDERS.is_dir():
        raise SocketPathTooLong(path)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield str(OPEN_FOLDERS / str(handle) / SOCKET_FILE)
    finally:
        os.close(handle)
