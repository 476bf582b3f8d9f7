"""Reads the settings from all their layers, and remembers where each value came from.

Layers, each over the one before: defaults < profile < .env < environment < secrets files < command line.
"""

import os
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from operator import attrgetter
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NestedSecretsSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from app.settings.errors import MalformedFile, SettingsRefused, UnknownSetting, UnnamedStrategy, WrongValue
from app.settings.models import Settings
from app.settings.profiles import DEFAULT_PROFILE, profile_path, profile_word, read_profile
from app.settings.secrets import may_show_secret, without_secrets
from app.settings.simulated import SimulatedSettings

PREFIX = "APP__"
DELIMITER = "__"
PROFILE_VARIABLE = "APP_PROFILE"
SECRETS_VARIABLE = "APP_SECRETS_DIR"
ENV_FILE = Path(".env")
TEXTS = frozenset({str, SecretStr, Path})
ADDRESS = ("profile", "account.id", "storage.backend", "storage.folder")
"""Settings by which a bot is found: where its state lies, and whose it is."""

Layer = dict[str, Any]


class _Sources(Settings, BaseSettings):
    """Gives pydantic-settings' sources the shape of our settings; it is never instantiated."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=DELIMITER, extra="forbid", frozen=True)


class LoadedSettings:
    """The settings of a run, and where each value came from."""

    def __init__(self, settings: Settings, layers: Sequence[tuple[str, Layer]], files: tuple[Path, ...]) -> None:
        self.settings = settings
        self.files = files
        self._layers = layers

    def origin(self, key: str) -> str:
        """Return the layer that the value of a dotted key came from."""
        return _origin(key, self._layers)

    def command(self, name: str) -> str:
        """Return what a person types, in whatever folder and shell, for a command to reach the bot of these settings.

        What the command line or the environment gave is said again: the shell of an emergency is another one.

        >>> load_settings("simulated").command("resume")
        'python -m app resume'
        """
        words = ["python", "-m", "app", name]
        profile = profile_word(self.files[0]) if self.files else DEFAULT_PROFILE
        if profile != DEFAULT_PROFILE or PROFILE_VARIABLE in os.environ:
            words += ["--profile", profile]
        for key in ADDRESS:
            if not self.origin(key).startswith(("default", "profile")):
                value = attrgetter(key)(self.settings)
                words += ["--set", f"{key}={value.absolute() if isinstance(value, Path) else value}"]
        if self.origin("storage.url") == "the command line":
            # It holds a password, so what is left out is a word that is refused: no other bot is reached.
            words += ["--set", "storage.url=URL"]
        return shlex.join(words)

    def with_strategy(self, strategy_id: str) -> "LoadedSettings":
        """Return the same settings with one of the strategies alone."""
        kept = {strategy_id: self.settings.strategies[strategy_id]}
        return self.with_settings(self.settings.model_copy(update={"strategies": kept}))

    def without_secrets(self) -> "LoadedSettings":
        """Return the same settings without keys, passwords, and the layers that they came from: for other machines."""
        return LoadedSettings(without_secrets(self.settings), (), self.files)

    def with_simulated(self, simulated: SimulatedSettings) -> "LoadedSettings":
        """Return the same settings with another simulated exchange."""
        exchange = self.settings.exchange.model_copy(update={"simulated": simulated})
        return self.with_settings(self.settings.model_copy(update={"exchange": exchange}))

    def with_settings(self, settings: Settings) -> "LoadedSettings":
        """Return other settings that were made of these."""
        return LoadedSettings(settings, self._layers, self.files)


def _origin(key: str, layers: Sequence[tuple[str, Layer]]) -> str:
    for source, layer in reversed(layers):
        found: Any = layer
        for part in key.split("."):
            if isinstance(found, list | tuple):
                # A list comes from one layer, as a whole.
                return source
            if not isinstance(found, Mapping) or part not in found:
                break
            found = found[part]
        else:
            return source
    return "default"


def load_settings(profile: str | None = None, overrides: Sequence[str] = ()) -> LoadedSettings:
    """Return the settings of a run.

    Args:
        profile: Name or path; None takes ``APP_PROFILE``, or the default profile.
        overrides: ``SECTION.KEY=VALUE`` from the command line.

    Raises:
        SettingsRefused: One sentence that says which key, which value, from where, and why.
    """
    path = profile_path(profile or os.environ.get(PROFILE_VARIABLE) or DEFAULT_PROFILE)
    layers = [(f"profile {path.name}", {"profile": path.stem} | read_profile(path))]
    files = [path]
    if ENV_FILE.is_file():
        files.append(ENV_FILE)
        layers.append((f"file {ENV_FILE}", _from_env_file(ENV_FILE)))
    layers.append(("the environment", _from_environment()))
    folder = os.environ.get(SECRETS_VARIABLE)
    if folder:
        layers.append((f"secrets in {folder}", _from_secrets(Path(folder))))
    layers.append(("the command line", _from_command_line(overrides)))
    merged: Layer = {}
    for source, layer in layers:
        _check_keys(layer, source)
        merged = _merge(merged, layer)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise _refusal(error, layers, merged) from error
    return LoadedSettings(settings, layers, tuple(files))


def verdict_on(loaded: LoadedSettings) -> str:
    """Return whether the files of a run, as they are now, would be accepted; nothing is applied."""
    try:
        load_settings(str(loaded.files[0]))
    except SettingsRefused as error:
        return f"refused: {error}"
    return "valid, restart to apply"


# -- layers ------------------------------------------------------------------------------------------------------


def _from_environment() -> Layer:
    _check_variables(os.environ, "the environment")
    return _read(EnvSettingsSource(_Sources), "the environment")


def _from_env_file(path: Path) -> Layer:
    _check_variables({name: value or "" for name, value in dotenv_values(path).items()}, f"file {path}")
    return _read(DotEnvSettingsSource(_Sources, env_file=path), f"file {path}")


def _from_secrets(folder: Path) -> Layer:
    if not folder.is_dir():
        raise MalformedFile(folder, f"{SECRETS_VARIABLE} names no folder")
    source = NestedSecretsSettingsSource(
        SecretsSettingsSource(_Sources, secrets_dir=folder),
        secrets_dir=folder,
        secrets_prefix="",
        secrets_nested_delimiter=DELIMITER,
    )
    return _read(source, f"secrets in {folder}")


def _read(source: EnvSettingsSource, name: str) -> Layer:
    try:
        return dict(source())
    except SettingsError as error:
        raise MalformedFile(name, f"{error}; a list or a table must be JSON") from error


def _from_command_line(overrides: Sequence[str]) -> Layer:
    layer: Layer = {}
    for override in overrides:
        key, found, text = override.partition("=")
        if not found or not key:
            raise WrongValue(override, "the command line", override, "write SECTION.KEY=VALUE")
        path = key.strip().split(".")
        nested: Any = _value(text, _annotation(Settings, path))
        for part in reversed(path):
            nested = {part: nested}
        layer = _merge(layer, nested)
    return layer


def _value(text: str, annotation: object) -> object:
    """Return what was meant: text as it is where text is wanted, and a list of it where several are."""
    value = _literal(text)
    if not isinstance(value, str) and _is_text(annotation):
        # A hex address is a number to TOML, and a profile may be called true.
        return text
    if get_origin(annotation) is tuple and isinstance(value, str) and _is_text(get_args(annotation)[0]):
        return [part.strip() for part in text.split(",")]
    return value


def _is_text(annotation: object) -> bool:
    if get_origin(annotation) in {Union, UnionType, Annotated}:
        return any(_is_text(each) for each in get_args(annotation))
    return annotation in TEXTS


def _annotation(model: type[BaseModel], path: Sequence[str]) -> object:
    """Return the type of the setting at a path; None where there is none, or it is a strategy's own."""
    field = model.model_fields.get(path[0])
    if field is None or len(path) == 1:
        return None if field is None else field.annotation
    section, keyed = _section(field.annotation)
    rest = path[2:] if keyed else path[1:]
    return None if section is None or not rest else _annotation(section, rest)


def _literal(text: str) -> object:
    """Return a TOML value, or the text itself where it is none: a path needs no quotes."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    # Times are written as text in the settings; on a command line nobody quotes them.
    return text if isinstance(value, date | time) else value


def _merge(low: Layer, high: Layer) -> Layer:
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


# -- unknown keys ------------------------------------------------------------------------------------------------


def _check_variables(variables: Mapping[str, str], source: str) -> None:
    """Refuse a variable with our prefix that names no setting; pydantic-settings would pass over it in silence."""
    for name in variables:
        if name.upper().startswith(PREFIX):
            nested: Any = ""
            for part in reversed(name[len(PREFIX) :].lower().split(DELIMITER)):
                nested = {part: nested}
            _check_keys(nested, f"{source} ({name})")


def _check_keys(layer: Layer, source: str) -> None:
    for path, model, key in _unknown(layer, Settings, ()):
        prefix = ".".join(path) + "." if path else ""
        raise UnknownSetting(f"{prefix}{key}", source, [f"{prefix}{known}" for known in model.model_fields])


def _unknown(
    layer: Layer, model: type[BaseModel], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], type[BaseModel], str]]:
    for key, value in layer.items():
        field = model.model_fields.get(key)
        if field is None:
            yield path, model, key
            continue
        section, keyed = _section(field.annotation)
        if section is None or not isinstance(value, dict):
            continue
        if keyed:
            for name, inner in value.items():
                if isinstance(inner, dict):
                    yield from _unknown(inner, section, (*path, key, name))
        else:
            yield from _unknown(value, section, (*path, key))


def _section(annotation: object) -> tuple[type[BaseModel] | None, bool]:
    """Return the section model of a field, and whether the field is a table of such sections by name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    arguments = get_args(annotation)
    if get_origin(annotation) in {dict, Mapping} and isinstance(arguments[1], type):
        return (arguments[1], True) if issubclass(arguments[1], BaseModel) else (None, False)
    return None, False


# -- refused values ----------------------------------------------------------------------------------------------


def _refusal(error: ValidationError, layers: Sequence[tuple[str, Layer]], merged: Layer) -> SettingsRefused:
    first = error.errors(include_url=False)[0]
    why = first["msg"].removeprefix("Value error, ")
    if why[1:2].islower():
        why = why[0].lower() + why[1:]
    if first["type"] == "tuple_type":
        why = 'it is a list: write ["…", "…"]'
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing" and first["loc"][0] == "strategies" and first["loc"][-1] == "strategy":
        named = [name for name, section in merged["strategies"].items() if "strategy" in section]
        return UnnamedStrategy(str(first["loc"][1]), named)
    if not key:
        return SettingsRefused(f"the settings are refused: {why}")
    if first["type"] == "missing":
        return SettingsRefused(f"setting {key} is missing: it has no default, so give it a value")
    # What is too wrong to be a secret may hold one all the same.
    value = None if may_show_secret(key) else first["input"]
    return WrongValue(key, _origin(key, layers), value, why)
