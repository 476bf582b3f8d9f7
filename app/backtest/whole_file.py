"""Replaces a file when its successor is complete: a disk that is full leaves the old one, and not half of a new one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SUFFIX = ".unfinished"
"""Of a draft. A process that is killed leaves it behind."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give the place of a draft, which takes the place of ``path`` at the end, and is removed if that is an error.

    What is no file, as a pipe is, is written as it is.

    Raises:
        OSError: It cannot take its place.
    """
    place = path.resolve()  # a link stays one
    if place.exists() and not place.is_file():
        yield place
        return
    # Of this process alone: two that write one draft would make a third thing of it.
    draft = place.with_name(f"{place.name}.{os.getpid()}{SUFFIX}")
    try:
        yield draft
        draft.replace(place)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def remove_drafts(folder: Path, ending: str) -> None:
    """Remove what killed processes have left of files with an ending, such as ``.parquet``.

    Only for who knows that nobody is writing one: he holds a lock that all writers take.
    """
    for draft in folder.glob(f"*{ending}.*{SUFFIX}"):
        with suppress(OSError):
            draft.unlink()
