"""No command runs without a search for garbage, whoever writes it."""

import gc
import inspect

import pytest
from typer.main import get_command

from app.cli import garbage
from app.cli.main import app


def commands(group, words=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), inspect.unwrap(command.callback)


@pytest.mark.parametrize(("words", "command"), [pytest.param(*each, id=each[0]) for each in commands(get_command(app))])
def test_every_command_ends_as_commands_do(words, command):
    """By then the search begins: a bot that forgot it would run for months without."""
    assert "end_with" in command.__code__.co_names, words


@pytest.fixture
def as_before():
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.usefixtures("as_before")
def test_what_is_loaded_is_set_aside_and_the_search_begins():
    garbage.put_off()
    assert not gc.isenabled()
    garbage.begin()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000
