"""A report that could not be written is refused before anything runs."""

import os

import pytest

from app.cli.failures import UsageRefused
from app.cli.report_path import check_report

pytest.importorskip("plotly")


@pytest.fixture
def read_only(monkeypatch):
    """Have one place refuse to be written, as it would to everybody but root."""

    def refuse(place):
        access = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: path != place and access(path, mode))

    return refuse


def test_a_page_may_be_new_or_there(tmp_path):
    check_report(None)
    check_report(tmp_path / "new.html")
    (tmp_path / "old.html").touch()
    check_report(tmp_path / "old.html")


@pytest.mark.parametrize("what", ["", "page.html"])
def test_a_folder_or_a_page_that_refuses_is_refused(tmp_path, read_only, what):
    (tmp_path / "page.html").touch()
    read_only(tmp_path / what)
    with pytest.raises(UsageRefused, match="cannot be written there"):
        check_report(tmp_path / "page.html")


def test_a_pipe_needs_no_folder_that_can_be_written(tmp_path, read_only):
    os.mkfifo(tmp_path / "pipe")
    read_only(tmp_path)
    check_report(tmp_path / "pipe")


def test_no_page_takes_the_place_of_a_folder(tmp_path):
    with pytest.raises(UsageRefused, match="cannot be written there"):
        check_report(tmp_path)
    with pytest.raises(UsageRefused, match="there is no folder"):
        check_report(tmp_path / "nowhere" / "page.html")
