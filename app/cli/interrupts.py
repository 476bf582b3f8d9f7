"""Ctrl-C: the first interrupts a command, the second ends the process."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.ports.abort import abort


@contextmanager
def second_aborts() -> Iterator[None]:
    """Have a first Ctrl-C raise KeyboardInterrupt inside the block, as Python does, and a second one end the process.

    Python would raise again, and what the first one has begun to clean up, as a pool that waits for its workers, would
    be waited for once more by the interpreter itself.
    """
    if threading.current_thread() is not threading.main_thread() or _is_handled():
        yield
        return
    interrupted = False

    def on_interrupt(number: int, frame: object) -> None:
        nonlocal interrupted
        del number, frame
        if interrupted:
            abort()
        interrupted = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_handled() -> bool:
    """Whether Ctrl-C means something else than to Python: a shell's background job, for one, ignores it."""
    return signal.getsignal(signal.SIGINT) is not signal.default_int_handler
