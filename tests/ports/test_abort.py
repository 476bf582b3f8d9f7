"""The end of a process whose user does not want to wait."""

import os

import pytest

from app.ports.abort import LEAVE_VIEW, abort
from app.ports.exit_codes import ExitCode


class Ended(Exception):
    """Instead of the end of the process."""


@pytest.mark.parametrize(
    ("left", "is_terminal", "said"),
    [
        ("", False, "aborted\n"),
        ("2 orders work", False, "aborted: 2 orders work\n"),
        ("2 orders work", True, f"{LEAVE_VIEW}aborted: 2 orders work\n"),
    ],
)
def test_an_abort_says_what_is_left_and_gives_the_terminal_back(mocker, capsys, left, is_terminal, said):
    ended = mocker.patch.object(os, "_exit", side_effect=Ended)
    mocker.patch("sys.stderr.isatty", return_value=is_terminal)
    with pytest.raises(Ended):
        abort(left)
    ended.assert_called_once_with(ExitCode.ABORTED)
    assert capsys.readouterr().err == said
