"""What trials came to, kept in a file: nothing that was done is done again, however the process ended.

A line for each trial, behind a first line that says what all of them follow from. The search asks for the same
parameters again after an interruption, since its samplers are seeded, and finds the results here: so a study that was
interrupted ends byte for byte as one that was not. Optuna's own journal writes, syncs and reads several records for
each trial, 12 ms on the machine where this was measured; this one 0.1 ms, and syncs once for a batch.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from app.research.errors import ResearchRefused
from app.research.trial import Evaluate, Figures, Outcome, Refused, Trial
from app.storage import lock


class _Line(msgspec.Struct):
    trial: Trial
    figures: Figures | None = None
    refused: str | None = None


class Results:
    """Answers for trials: from memory, or by having them run."""

    def __init__(self, evaluate: Evaluate, path: Path | None, origin: dict[str, Any]) -> None:
        """Open the file, or begin it.

        Raises:
            ResearchRefused: The file is of another study or of something else, another search has it, or it cannot be
                read or written.
        """
        self._evaluate = evaluate
        self._known: dict[bytes, Outcome] = {}
        self._file: BinaryIO | None = None
        if path is not None:
            try:
                self._file = self._open(path, origin)
            except OSError as error:
                raise ResearchRefused(f"study {path}: {error.strerror}") from error
        self._unused = set(self._known)
        self.resumed = len(self._known)
        """Trials that were known from the file."""

    @property
    def reused(self) -> int:
        """Trials of the file that were asked for, and did not have to run: those of another window are not."""
        return self.resumed - len(self._unused)

    def of(self, trials: Sequence[Trial], on_done: Callable[[], None] = lambda: None) -> list[Outcome]:
        """Return what came of each, having run those that are not known.

        Args:
            trials: In the order in which they are run.
            on_done: Called for each of them.
        """
        keys = [trial.key for trial in trials]
        self._unused.difference_update(keys)
        missing = {key: trial for key, trial in zip(keys, trials, strict=True) if key not in self._known}
        for _ in range(len(keys) - len(missing)):
            on_done()
        found = self._evaluate(list(missing.values()))
        try:
            for (key, trial), outcome in zip(missing.items(), found, strict=True):
                self._known[key] = outcome
                self._append(trial, outcome)
                on_done()
        finally:
            self._sync()
        return [self._known[key] for key in keys]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _open(self, path: Path, origin: dict[str, Any]) -> BinaryIO:
        # Never emptied by opening it: another search may have begun it at this moment.
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")
        try:
            lock(file.fileno(), 0.0)
            self._take_over(path, file, origin)
        except BlockingIOError as error:
            file.close()
            raise ResearchRefused(
                f"study {path}: another search is at work on it: wait, or name another file"
            ) from error
        except BaseException:
            file.close()
            raise
        return file

    def _take_over(self, path: Path, file: BinaryIO, origin: dict[str, Any]) -> None:
        """Read what is there; a last line that a crash cut short is cut off."""
        whole, beginning = 0, msgspec.json.encode(origin) + b"\n"
        for number, line in enumerate(file):
            if not line.endswith(b"\n"):
                if not number and not beginning.startswith(line):
                    raise ResearchRefused(f"study {path}: is no study: name another file")
                break
            try:
                if not number:
                    _compare(path, msgspec.json.decode(line, type=dict[str, Any]), origin)
                else:
                    read = msgspec.json.decode(line, type=_Line)
                    self._known[read.trial.key] = read.figures or Refused(read.refused or "")
            except msgspec.MsgspecError as error:
                raise ResearchRefused(
                    f"study {path}, line {number + 1}: is no line of a study ({error}): name another file"
                ) from error
            whole += len(line)
        file.truncate(whole)
        file.seek(whole)
        if not whole:
            file.write(beginning)

    def _append(self, trial: Trial, outcome: Outcome) -> None:
        if self._file is not None:
            line = _Line(trial, figures=outcome) if isinstance(outcome, Figures) else _Line(trial, refused=outcome.why)
            self._file.write(msgspec.json.encode(line) + b"\n")

    def _sync(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())


def _compare(path: Path, begun: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse results that follow from something else."""
    # As it would be read back: a tuple is a list there.
    given = msgspec.json.decode(msgspec.json.encode(now))
    for name in given:
        if begun.get(name) != given[name]:
            raise ResearchRefused(
                f"study {path} was begun with another {name} ({begun.get(name)}, now {given[name]}): name another file"
            )
