"""A report that could not be written is refused before anything runs."""

import os

import pytest

from app.cli.failures import UsageRefused
from app.cli.report_path import check_report
from app.settings import load_settings

pytest.importorskip("plotly")

CANDLES = "candles.csv"


@pytest.fixture
def loaded(tmp_path):
    """Settings of a run on one file."""
    (tmp_path / CANDLES).touch()
    return load_settings("backtest", [f"exchange.simulated.candles={tmp_path / CANDLES}"])


@pytest.fixture
def read_only(monkeypatch):
    """Have one place refuse to be written, as it would to everybody but root."""

    def refuse(place):
        access = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: path != place and access(path, mode))

    return refuse


def test_a_page_may_be_new_or_there(tmp_path, loaded):
    check_report(None, loaded)
    check_report(tmp_path / "new.html", loaded)
    (tmp_path / "old.html").touch()
    check_report(tmp_path / "old.html", loaded)


@pytest.mark.parametrize("what", ["", "page.html"])
def test_a_folder_or_a_page_that_refuses_is_refused(tmp_path, loaded, read_only, what):
    (tmp_path / "page.html").touch()
    read_only(tmp_path / what)
    with pytest.raises(UsageRefused, match="cannot be written there"):
        check_report(tmp_path / "page.html", loaded)


def test_a_pipe_needs_no_folder_that_can_be_written(tmp_path, loaded, read_only):
    os.mkfifo(tmp_path / "pipe")
    read_only(tmp_path)
    check_report(tmp_path / "pipe", loaded)


def test_no_page_takes_the_place_of_a_folder(tmp_path, loaded):
    with pytest.raises(UsageRefused, match="cannot be written there"):
        check_report(tmp_path, loaded)
    with pytest.raises(UsageRefused, match="there is no folder"):
        check_report(tmp_path / "nowhere" / "page.html", loaded)


@pytest.mark.parametrize("spelling", [CANDLES, f"../{{folder}}/{CANDLES}", "link", "hard_link", "study"])
def test_no_page_takes_the_place_of_what_the_run_needs(tmp_path, loaded, spelling):
    """Nor of the study, which is not there yet."""
    (tmp_path / "link").symlink_to(tmp_path / CANDLES)
    (tmp_path / "hard_link").hardlink_to(tmp_path / CANDLES)
    page = tmp_path / spelling.format(folder=tmp_path.name)
    with pytest.raises(UsageRefused, match="which is the same file: name another one"):
        check_report(page, loaded, study=tmp_path / "study")


def test_no_page_takes_the_place_of_the_settings(tmp_path, loaded):
    with pytest.raises(UsageRefused, match="which is the same file"):
        check_report(loaded.files[0], loaded)
