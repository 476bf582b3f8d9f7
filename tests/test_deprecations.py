"""The timeline of deprecated names is true, and nobody forgets it."""

import re
import tomllib
from pathlib import Path

import pytest

from app.bot import DEPRECATED_NAMES

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"\| `bot\.(\w+)` \| `bot\.(\w+)` \| ([\d.]+) \| ([\d.]+) \|")


def timeline():
    return ROW.findall((ROOT / "docs" / "deprecations.md").read_text(encoding="utf-8"))


def version(text):
    return tuple(int(part) for part in text.split("."))


def test_the_table_names_what_the_code_has():
    assert {name: replacement for name, replacement, _, _ in timeline()} == DEPRECATED_NAMES


def test_nothing_is_overdue():
    now = version(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
    overdue = [name for name, _, _, removed in timeline() if version(removed) <= now]
    assert not overdue


@pytest.mark.parametrize(("name", "replacement"), DEPRECATED_NAMES.items())
async def test_an_old_name_works_and_warns(bot, name, replacement):
    with pytest.warns(DeprecationWarning, match=f"bot.{name} is deprecated: use bot.{replacement}"):
        old = getattr(bot, name)
    assert old is getattr(bot, replacement)


def test_a_name_that_never_was_is_no_name(container):
    with pytest.raises(AttributeError, match="has no attribute 'colour'"):
        _ = container.bot().colour
