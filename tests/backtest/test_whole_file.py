"""A page, or whatever is kept, is there as a whole or not at all."""

import os

import pytest

from app.backtest import whole_file


def test_the_draft_takes_the_place_at_the_end(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with whole_file(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def fill_the_disk(path):
    with whole_file(path) as draft:
        draft.write_text("half a pa")
        raise OSError("full")


def test_a_draft_that_fails_is_removed_and_the_old_one_stays(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(OSError, match="full"):
        fill_the_disk(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    with whole_file(link) as draft:
        draft.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_what_is_no_file_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with whole_file(pipe) as place:
        assert place == pipe.resolve()
    assert pipe.is_fifo()
