"""Which line of a strategy an error came from, for people."""

import ast
from pathlib import Path
from traceback import extract_tb

_OURS = Path(__file__).parents[1]
_PYTHONS = Path(ast.__file__).parent
"""The folder of the standard library."""
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def place_of(error: BaseException) -> str:
    """Return the last line of its author's code that an error went through; nothing when it went through none.

    A package that was installed is the author's only where nothing else is.
    """
    written, installed = [], []
    for frame in extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if _OURS in path.parents or frame.filename.startswith("<"):
            continue
        if not _INSTALLED.isdisjoint(path.parts):
            installed.append(frame)
        elif _PYTHONS not in path.parents:
            written.append(frame)
    return "".join(f" ({Path(frame.filename).name}, line {frame.lineno})" for frame in (written or installed)[-1:])
