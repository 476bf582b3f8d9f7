"""Which settings are secret: those whose type holds ``SecretStr``, wherever a model has one."""

from collections.abc import Iterator, Sequence
from typing import TypeVar, get_args

from pydantic import BaseModel, SecretStr

from app.settings.models import Settings

S = TypeVar("S", bound=BaseModel)


def secret_keys(model: type[BaseModel] = Settings) -> Iterator[str]:
    """Yield the dotted keys of all secrets. A table, or a list, of sections that hold some is one as a whole."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{name}.{key}" for key in secret_keys(field.annotation))
        elif _holds_secret(field.annotation):
            yield name


def may_show_secret(key: str, model: type[BaseModel] = Settings) -> bool:
    """Return whether the value of a dotted key may be a secret, or hold one, however wrong it is."""
    return any(
        f"{secret}.".startswith(f"{key}.") or f"{key}.".startswith(f"{secret}.") for secret in secret_keys(model)
    )


def without_secrets(settings: S) -> S:
    """Return the same settings, with none where a secret was: for files and other machines."""
    for key in secret_keys(type(settings)):
        settings = _blanked(settings, key.split("."))
    return settings


def _blanked(section: S, path: Sequence[str]) -> S:
    name, *rest = path
    return section.model_copy(update={name: _blanked(getattr(section, name), rest) if rest else None})


def _holds_secret(annotation: object) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(True for _ in secret_keys(annotation))
    return annotation is SecretStr or any(map(_holds_secret, get_args(annotation)))
