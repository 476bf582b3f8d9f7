"""What happened in a run, in order: the evidence that two runs are the same one."""

from collections.abc import Callable
from hashlib import sha256


class Trace:
    """Keeps a digest, and hands each line to whoever wants to read it."""

    def __init__(self, now_s: Callable[[], float], show: Callable[[str], None] | None = None) -> None:
        self._now_s = now_s
        self._show = show
        self._sha = sha256()
        self.lines = 0

    def note(self, what: str) -> None:
        """Take a line in."""
        line = f"{self._now_s():12.6f} {what}"
        self._sha.update(line.encode())
        self._sha.update(b"\n")
        self.lines += 1
        if self._show is not None:
            self._show(line)

    def digest(self) -> str:
        """Return the fingerprint of all lines."""
        return self._sha.hexdigest()
