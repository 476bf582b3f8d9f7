"""Writes a record on a thread of its own: the trading path hands a line over and goes on."""

import threading
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

import msgspec

from app.recording.tape import Cut, Line

WAITING_MAX = 100_000
"""Lines that may wait for the disk. More means that it hangs: the record is cut, and trading goes on."""
CLOSE_S = 5.0
KEPT_SUFFIX = ".1"
"""The record of the run before is kept under the name with this at its end."""
MB = 1_000_000


class UnwritableTape(Exception):
    """A place where no record can be."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"the record {path} cannot be written ({why}): set telemetry.record_stream to another file, or to none"
        )


class TapeWriter:
    """Bounded in size and in what waits. Once it is cut, for whatever reason, nothing more is taken."""

    def __init__(self, path: Path, mb_max: int) -> None:
        """Open a new file; the one of the run before is kept.

        Raises:
            UnwritableTape: It cannot be.
        """
        self._path = path
        self._bytes_left = mb_max * MB
        self._encode = msgspec.json.Encoder().encode
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self.cut_because: str | None = None
        self._file = _new_file(path)
        # A daemon, or a disk that hangs would keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="tape-writer", daemon=True)
        self._thread.start()

    def put(self, line: Line) -> None:
        """Take a line. Never waits, never raises: a record must not disturb what it records."""
        if self.cut_because is not None:
            return
        text = self._encode(line) + b"\n"
        self._bytes_left -= len(text)
        if self._bytes_left < 0:
            self.cut("it has reached telemetry.record_mb_max")
        elif self._queue.qsize() >= WAITING_MAX:
            self.cut("the disk does not keep up")
        else:
            self._queue.put(text)

    def cut(self, why: str) -> None:
        """End the record here, and say in it why."""
        if self.cut_because is None:
            self.cut_because = why
            self._queue.put(self._encode(Cut(why)) + b"\n")

    def close(self) -> None:
        """Write what waits, and close the file; a disk that hangs is not waited for longer than some seconds."""
        self.cut_because = self.cut_because or "closed"
        self._queue.put(None)
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        with self._file as file:
            try:
                while (text := self._queue.get()) is not None:
                    file.write(text)
                    if self._queue.empty():
                        file.flush()
            except OSError as error:
                self.cut_because = f"it cannot be written: {error}"


def _new_file(path: Path) -> BinaryIO:
    if path.is_dir():
        # It would be renamed, as a record of an earlier run is.
        raise UnwritableTape(path, "it is a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.replace(path.with_name(path.name + KEPT_SUFFIX))
        return path.open("xb")
    except OSError as error:
        raise UnwritableTape(path, error.strerror or str(error)) from error
