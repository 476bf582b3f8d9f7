"""Profiles: TOML files by name in the settings folder, or anywhere by path."""

import tomllib
from pathlib import Path
from typing import Any

from app.settings.errors import MalformedFile, UnknownProfile

PACKAGE = Path(__file__).resolve().parent
DEFAULT_PROFILE = "simulated"


def profile_folder() -> Path:
    """Return the folder of the profiles: inside the package when installed, beside it in a clone."""
    shipped = PACKAGE / "profiles"
    return shipped if shipped.is_dir() else PACKAGE.parent.parent / "settings"


def profile_path(name: str) -> Path:
    """Return the file of a profile.

    Raises:
        UnknownProfile: There is no such name and no such file.
    """
    given = Path(name)
    if given.suffix == ".toml" or given.parent != Path():
        if given.is_file():
            return given
        raise UnknownProfile(name, profile_names())
    path = profile_folder() / f"{name}.toml"
    if path.is_file():
        return path
    raise UnknownProfile(name, profile_names())


def profile_word(path: Path) -> str:
    """Return what names the profile of a file, in whatever folder it is said."""
    return path.stem if path.parent == profile_folder() else str(path.absolute())


def profile_names() -> list[str]:
    """Return the names of the profiles that are shipped."""
    return sorted(path.stem for path in profile_folder().glob("*.toml"))


def read_profile(path: Path) -> dict[str, Any]:
    """Return what a profile says.

    Raises:
        MalformedFile: It is no TOML, or cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise MalformedFile(path, str(error)) from error
