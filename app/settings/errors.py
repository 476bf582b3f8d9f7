"""Why settings are refused. One sentence each; the exit code is 3.

SettingsRefused
├── UnknownSetting    a key that no section has
├── UnknownProfile    a profile that is not there
├── MalformedFile     a file that cannot be read
├── WrongValue        a value of the wrong type or out of range
└── ExtraMissing      what is wanted needs a package that is not installed
"""

from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches


class SettingsRefused(Exception):
    """The settings cannot be used; nothing was started."""


class UnknownSetting(SettingsRefused):
    """A key that no section has."""

    def __init__(self, key: str, source: str, known: Iterable[str]) -> None:
        self.key = key
        self.source = source
        near = nearest(key, known)
        hint = f": did you mean {near}?" if near else ": see `python -m app settings schema`"
        super().__init__(f"unknown setting {key} in {source}{hint}")


class UnknownProfile(SettingsRefused):
    """A profile that is neither a name in the settings folder nor a file."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        known = sorted(known)
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else f"use {', '.join(known)}, or the path of a TOML file"
        super().__init__(f"there is no profile {name}: {hint}")


class MalformedFile(SettingsRefused):
    """A settings file that is no TOML, or cannot be read."""

    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"cannot read settings from {path}: {why}")


class WrongValue(SettingsRefused):
    """A value of the wrong type or out of range."""

    def __init__(self, key: str, source: str, value: object, why: str) -> None:
        self.key = key
        self.source = source
        shown = f" = {value!r}" if isinstance(value, str | int | float | Decimal) else ""
        super().__init__(f"setting {key}{shown} from {source} is refused: {why}")


class ExtraMissing(SettingsRefused):
    """What is wanted, by a setting or an option, needs a package that is not installed."""

    def __init__(self, what: str, package: str, extra: str = "research") -> None:
        self.package = package
        super().__init__(f"{what} needs {package}: pip install '.[{extra}]'")


class UnnamedStrategy(SettingsRefused):
    """A section of a strategy that does not say which: its name is that of no other section, as a rule."""

    def __init__(self, section: str, known: Iterable[str]) -> None:
        self.section = section
        known = sorted(known)
        near = nearest(section, known)
        hint = f"did you mean strategies.{near}?" if near else f"those that do are {', '.join(known) or 'none'};"
        super().__init__(f"strategies.{section} names no strategy: {hint} else set strategies.{section}.strategy")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the most similar of the known names; None when none is similar."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return found[0] if found else None
