"""Commands on the settings."""

import json
from collections.abc import Iterator

from app.ports.exit_codes import ExitCode
from app.preflight import check_before_start
from app.settings import Settings, load_settings
from app.strategies import create_all


def show(profile: str | None, overrides: list[str], *, as_json: bool) -> int:
    """Print every setting and where its value came from."""
    loaded = load_settings(profile, overrides)
    rows = [(key, value, loaded.origin(key)) for key, value in _leaves(loaded.settings.model_dump(mode="json"))]
    if as_json:
        print(json.dumps({key: {"value": value, "from": origin} for key, value, origin in rows}, indent=2))
        return ExitCode.CLEAN
    width = max(len(key) for key, _, _ in rows)
    for key, value, origin in rows:
        print(f"{key:<{width}} = {json.dumps(value)}  ({origin})")
    return ExitCode.CLEAN


def check(profile: str | None, overrides: list[str]) -> int:
    """Check settings, strategies and parameters."""
    loaded = load_settings(profile, overrides)
    check_before_start(loaded.settings)
    strategies = create_all(loaded.settings.strategies)
    print(f"settings of profile {loaded.settings.profile} are valid: {len(strategies)} strategies would run")
    return ExitCode.CLEAN


def schema() -> int:
    """Print the JSON schema."""
    print(json.dumps(Settings.model_json_schema(), indent=2))
    return ExitCode.CLEAN


def _leaves(tree: dict[str, object], path: str = "") -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
