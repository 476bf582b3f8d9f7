"""What a result follows from: code, settings, seed, data. The same gives the same, byte for byte."""

from collections.abc import Iterable
from functools import cache
from hashlib import file_digest, sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.settings import Settings

APP = Path(__file__).parents[1]


def data_files(settings: Settings) -> list[Path]:
    """Return the recorded files that the settings name."""
    return [path for data in settings.exchange.simulated.data for path in data.files]


def origin_of(settings: Settings) -> dict[str, Any]:
    """Return what a run follows from. Reads every data file once; take it before the run, and it is what ran."""
    return {
        "version": version("perps-bot"),
        "code": code_digest(),
        "seed": settings.exchange.simulated.seed,
        "data": data_digests(data_files(settings)),
        "settings": sha256(settings.model_dump_json().encode()).hexdigest(),
    }


def data_digests(files: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file that is there."""
    return {str(path): _digest(path) for path in files if path.is_file()}


@cache
def code_digest() -> str:
    """Return the SHA-256 of this program's own sources: a version stays the same while they are worked on."""
    total = sha256()
    for path in sorted(APP.rglob("*.py")):
        total.update(f"{path.relative_to(APP).as_posix()}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
