"""Builds the container from the command line's words."""

from rich.console import Console

from app.container import Container
from app.settings import load_settings


def build_container(profile: str | None, overrides: list[str], console: Console | None = None) -> Container:
    """Return the container of a run. Nothing has started yet.

    Raises:
        SettingsRefused: The settings cannot be used.
    """
    container = Container(loaded=load_settings(profile, overrides))
    if console is not None:
        container.console.override(console)
    return container
