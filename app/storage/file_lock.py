"""One writer at a time. The kernel holds the lock and lets go when the process dies, however it dies."""

import fcntl
import time

LOOK_EVERY_S = 0.1


def lock(file: int, wait_s: float) -> None:
    """Take an open file or folder for this process alone, until it is closed.

    Args:
        file: Its descriptor.
        wait_s: For how long another process may still have it.

    Raises:
        BlockingIOError: It has it for longer.
    """
    ends = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= ends:
                raise
            time.sleep(LOOK_EVERY_S)
        else:
            return
