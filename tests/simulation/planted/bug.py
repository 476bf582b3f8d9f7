"""A planted bug: what it does to the bot, and which rule shall notice."""

from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace

import msgspec
import pytest

from app.settings import load_settings
from app.simulation import Outcome, plan_of, run_plan

SEEDS_MAX = 200
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


def search(bug: Bug, seeds: "range | tuple[int, ...]") -> Catch | None:
    """Run seeds until one breaks a rule; None when none does."""
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        for seed in seeds:
            outcome: Outcome = run_plan(plan_of(seed), LOADED)
            if outcome.rule:
                return Catch(seed, outcome.rule, outcome.what)
    return None


def around(patch: pytest.MonkeyPatch, owner: object, name: str, replacement: Callable[..., object]) -> None:
    """Have ``replacement(original, *args)`` called in place of a function or method."""
    original = getattr(owner, name)

    @wraps(original)
    def replaced(*args, **kwargs):
        return replacement(original, *args, **kwargs)

    patch.setattr(owner, name, replaced)


class Veiled:
    """An object of which some attributes are others'."""

    def __init__(self, inner: object, **others: object) -> None:
        self._inner = inner
        self._others = SimpleNamespace(**others)

    def __getattr__(self, name: str) -> object:
        others = self.__dict__["_others"]
        return getattr(others if hasattr(others, name) else self.__dict__["_inner"], name)
