"""A planted bug: what it does to the bot, and which rule shall notice."""

import inspect
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace

import msgspec
import pytest

from app.settings import load_settings
from app.simulation import Outcome, plan_of, run_plan

SEEDS_MAX = 200
MISFITS = ("AttributeError", "NameError", "TypeError")
"""What a planted bug raises that does not fit the bot: none of them is meant to."""
LOADED = load_settings("simulation", [])


class Bug(msgspec.Struct, frozen=True):
    """What is planted is always the bot's own code; the simulated world is never touched."""

    rule: str
    """The rule that it breaks first of all; a consequence may be noticed sooner, by another one."""
    plant: Callable[[pytest.MonkeyPatch], None]
    why: str
    """What goes wrong, as a phrase."""


class Catch(msgspec.Struct, frozen=True):
    """The seed, counted from 1, and the rule that noticed."""

    seed: int
    rule: str
    what: str = ""


class PlantedWrongly(Exception):
    """The bot has moved on, and what is planted into it fails: it would be noticed for that."""


def search(bug: Bug, seeds: "range | tuple[int, ...]") -> Catch | None:
    """Run seeds until one breaks a rule; None when none does.

    Raises:
        PlantedWrongly: What is planted does not fit the bot any more.
    """
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        for seed in seeds:
            outcome: Outcome = run_plan(plan_of(seed), LOADED)
            if any(name in outcome.what for name in MISFITS):
                raise PlantedWrongly(f"{bug.why}: {outcome.what}")
            if outcome.rule:
                return Catch(seed, outcome.rule, outcome.what)
    return None


def around(patch: pytest.MonkeyPatch, owner: object, name: str, replacement: Callable[..., object]) -> None:
    """Have ``replacement(original, *args)`` called in place of a function or method.

    Raises:
        TypeError: It takes other arguments than the original: it would be noticed for that, and not for what it does.
    """
    original = getattr(owner, name)
    _must_take(replacement, original)

    @wraps(original)
    def replaced(*args, **kwargs):
        return replacement(original, *args, **kwargs)

    patch.setattr(owner, name, replaced)


def _must_take(replacement: Callable[..., object], original: Callable[..., object]) -> None:
    """Raise TypeError unless ``replacement`` takes all that ``original`` does, by place or by name."""
    given = inspect.signature(original).parameters.values()
    places = [each.name for each in given if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    names = [each.name for each in given if each.kind is inspect.Parameter.KEYWORD_ONLY]
    takes = inspect.signature(replacement)
    try:
        takes.bind(original, *places, **dict.fromkeys(names))
    except TypeError:
        takes.bind(original, *places[:1], **dict.fromkeys(places[1:] + names))


class Veiled:
    """An object of which some attributes are others'."""

    def __init__(self, inner: object, **others: object) -> None:
        self._inner = inner
        self._others = SimpleNamespace(**others)

    def __getattr__(self, name: str) -> object:
        others = self.__dict__["_others"]
        return getattr(others if hasattr(others, name) else self.__dict__["_inner"], name)
