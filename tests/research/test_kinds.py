"""The kinds of data stand in one table; the command line, which imports nothing heavy, says the same."""

import inspect
import re

import pytest

from app.cli.commands.data import data_download, data_import
from app.cli.options import files_of
from app.research.kinds import DOWNLOADED, KINDS, PLAYED


@pytest.mark.parametrize(("command", "kinds"), [(data_import, KINDS), (data_download, DOWNLOADED)])
def test_the_help_names_the_kinds_that_there_are(command, kinds):
    [option] = inspect.signature(command).parameters["kind"].annotation.__metadata__
    assert set(re.findall("[a-z]+", option.help)) - {"or"} == set(kinds)


def test_the_files_of_a_backtest_are_the_kinds_that_are_played():
    assert set(files_of(None, None, None)) == set(PLAYED)
