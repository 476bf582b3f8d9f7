"""Market data is kept sorted, once, and says what is missing."""

import fcntl
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.research.data_folder import DataFolder
from tests.builders import BTC, START_NS

MINUTE_NS = 60_000_000_000


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "market"


def candles(path, minutes, close=100.0):
    rows = [(START_NS + at * MINUTE_NS, close, close + 1, close - 1, close, 2.0) for at in minutes]
    schema = ["ts", "open", "high", "low", "close", "volume"]
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(path)
    return path


def told(*words, code=0):
    result = CliRunner().invoke(app, ["data", *map(str, words)])
    assert result.exit_code == code, result.output
    return result.output


def imported(path, folder, *words):
    return json.loads(told("import", path, "--symbol", BTC, "--folder", folder, "--json", *words))


def test_a_file_is_added_once(tmp_path, folder):
    """Minutes 0 to 4, then 3 to 6: two of the second four were there."""
    assert imported(candles(tmp_path / "a.parquet", range(5)), folder)["added"] == 5
    second = imported(candles(tmp_path / "b.parquet", range(3, 7)), folder)
    assert (second["added"], second["repeated"]) == (2, 2)
    assert (second["contents"]["rows"], second["contents"]["interval_s"], second["contents"]["gaps"]) == (7, 60, 0)


def test_earlier_rows_go_before_later_ones(tmp_path, folder):
    imported(candles(tmp_path / "a.parquet", range(10, 15)), folder)
    contents = imported(candles(tmp_path / "b.parquet", range(5)), folder)["contents"]
    assert (contents["first_ns"], contents["rows"]) == (START_NS, 10)
    assert (contents["gaps"], contents["longest_gap_s"]) == (1, 300)
    assert pl.read_parquet(contents["path"])["ts"].is_sorted()


def test_what_contradicts_is_refused_with_its_row_and_changes_nothing(tmp_path, folder):
    first = imported(candles(tmp_path / "a.parquet", range(5)), folder)
    text = told("import", candles(tmp_path / "b.parquet", [4, 5], 200.0), "--symbol", BTC, "--folder", folder, code=4)
    assert "b.parquet, row 1: open is 200.0, and 100.0 was there" in text
    assert len(pl.read_parquet(first["contents"]["path"])) == 5


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ("with", "has no column volume, which the rows that are there have"),
        ("without", "has a column volume, which the rows that are there have not: give this one another folder"),
    ],
)
def test_no_volume_is_lost_without_a_word(tmp_path, folder, first, why):
    """Candles without a volume are kept, and keep together: partial fills and impact go by the volume."""
    files = {"with": candles(tmp_path / "with.parquet", range(5)), "without": tmp_path / "without.parquet"}
    pl.read_parquet(files["with"]).drop("volume").write_parquet(files["without"])
    kept = imported(files.pop(first), folder)["contents"]["path"]
    [second] = files.values()
    text = told("import", second, "--symbol", BTC, "--folder", folder, code=4)
    assert f"{second.name}: {why}" in text
    assert len(text.splitlines()) == 1
    assert ("volume" in pl.read_parquet(kept).columns) is (first == "with")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no disk that is always full")
def test_a_full_disk_is_a_sentence_and_leaves_what_was_there(tmp_path, folder, monkeypatch):
    # Its draft is the disk, and stays.
    monkeypatch.setattr("app.research.data_folder.remove_drafts", lambda *_: None)
    kept = Path(imported(candles(tmp_path / "a.parquet", range(5)), folder)["contents"]["path"])
    kept.with_name(f"{kept.name}.{os.getpid()}.unfinished").symlink_to("/dev/full")
    text = told("import", candles(tmp_path / "b.parquet", range(5, 9)), "--symbol", BTC, "--folder", folder, code=6)
    assert text.startswith(f"error: data file {kept}: cannot be written (")
    assert "No space left on device" in text
    assert len(text.splitlines()) == 1
    assert len(pl.read_parquet(kept)) == 5
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_an_import_that_was_interrupted_leaves_what_was_there(tmp_path, folder, monkeypatch):
    first = imported(candles(tmp_path / "a.parquet", range(5)), folder)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", interrupted)
        words = ["data", "import", str(candles(tmp_path / "b.parquet", range(9))), "--symbol", BTC]
        assert CliRunner().invoke(app, [*words, "--folder", str(folder)]).exit_code != 0
    again = imported(candles(tmp_path / "b.parquet", range(9)), folder)
    assert (again["added"], again["contents"]["path"]) == (4, first["contents"]["path"])


def test_candles_of_another_length_are_refused_as_what_they_are(tmp_path, folder):
    """Hours among minutes: where they overlap their prices would differ, and later they would be minutes with gaps."""
    kept = Path(imported(candles(tmp_path / "a.parquet", range(130)), folder)["contents"]["path"])
    for first in (0, 600):
        hours = candles(tmp_path / "hours.parquet", range(first, first + 240, 60), 200.0)
        text = " ".join(told("import", hours, "--symbol", BTC, "--folder", folder, code=4).split())
        assert text == (
            f"error: data file {hours}: holds candles of 3600 s, and {kept} those of 60 s: "
            "one folder keeps one length, give this one another with --folder"
        )
    assert len(pl.read_parquet(kept)) == 130


@pytest.mark.parametrize("minutes", [[200], [200, 205], [200, 205, 211, 217, 223, 230], [200, 201, 202, 260]])
def test_minutes_with_gaps_are_minutes(tmp_path, folder, minutes):
    imported(candles(tmp_path / "a.parquet", range(130)), folder)
    assert imported(candles(tmp_path / "b.parquet", minutes), folder)["added"] == len(minutes)


def test_what_a_killed_import_has_left_is_removed_by_the_next_one_in_its_folder(tmp_path, folder):
    kept = Path(imported(candles(tmp_path / "a.parquet", range(5)), folder)["contents"]["path"])
    for name in ("candles.parquet.4711.unfinished", "mark.parquet.1.unfinished", "notes.unfinished"):
        (kept.parent / name).write_text("half")
    imported(candles(tmp_path / "b.parquet", range(9)), folder)
    assert sorted(path.name for path in kept.parent.iterdir()) == ["candles.parquet", "notes.unfinished"]


def test_imports_at_once_lose_nothing(tmp_path, folder):
    """Five at once of ten minutes each, and a sixth of all of them: as many rows as there are minutes."""
    parts = [candles(tmp_path / f"{at}.parquet", range(at * 10, at * 10 + 10)) for at in range(5)]
    parts.append(candles(tmp_path / "all.parquet", range(50)))
    together = threading.Barrier(len(parts))

    def add(path):
        together.wait()
        return DataFolder(folder).add(path, BTC, "candles").added

    with ThreadPoolExecutor(len(parts)) as pool:
        added = sum(pool.map(add, parts))
    (contents,) = DataFolder(folder).contents()
    assert (added, contents.rows, contents.gaps) == (50, 50, 0)


def test_an_import_that_never_gets_its_turn_is_refused_and_changes_nothing(tmp_path, folder, monkeypatch):
    kept = Path(imported(candles(tmp_path / "a.parquet", range(5)), folder)["contents"]["path"])
    monkeypatch.setattr("app.research.data_folder.TURN_S", 0.2)
    draft = kept.with_name("candles.parquet.1.unfinished")
    draft.write_text("of the other")
    other = os.open(kept.parent, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    words = ("import", candles(tmp_path / "b.parquet", range(9)), "--symbol", BTC, "--folder", folder)
    assert f"another import has been at work in {kept.parent} for 0.2 s" in told(*words, code=6)
    assert len(pl.read_parquet(kept)) == 5
    assert draft.exists()
    os.close(other)
    told(*words)
    assert len(pl.read_parquet(kept)) == 9
    assert not draft.exists()


@pytest.mark.parametrize(
    ("kind", "columns", "what"),
    [
        ("funding", {"funding_rate": [0.0001, 7.0]}, "row 2: funding_rate is 7.0, not a rate"),
        ("trades", {"price": [1.0, -1.0], "contracts": [1.0, 1.0]}, "row 2: price is -1.0, not a positive number"),
        ("trades", {"price": 1.0, "contracts": 1.0, "side": ["buy", "banana"]}, "row 2: side is banana, neither buy"),
        ("funding", {"funding_rate": ["0.0001", "abc"]}, "row 2: column funding_rate is String, not a number"),
        (
            "candles",
            {"open": 1.0, "high": 2.0, "low": 1.0, "close": 1.0, "volume": [1.0, -5.0]},
            "row 2: volume is -5.0, neither a volume nor missing",
        ),
        ("mark", {"close": [1.0, 1.0]}, "has no column open, high, low"),
    ],
)
def test_a_bad_row_is_named(tmp_path, folder, kind, columns, what):
    path = tmp_path / "bad.csv"
    pl.DataFrame({"ts": [START_NS, START_NS + 1], **columns}).write_csv(path)
    assert what in told("import", path, "--symbol", BTC, "--kind", kind, "--folder", folder, code=4)


def test_a_list_says_what_is_there(tmp_path, folder):
    assert "there is no data" in told("list", "--folder", folder)
    imported(candles(tmp_path / "a.parquet", [0, 1, 2, 5]), folder)
    path = tmp_path / "funding.csv"
    pl.DataFrame({"ts": [START_NS, START_NS + 480 * MINUTE_NS], "funding_rate": [0.0001, -0.0002]}).write_csv(path)
    imported(path, folder, "--kind", "funding")
    found = json.loads(told("list", "--folder", folder, "--json"))
    assert [(item["symbol"], item["kind"], item["rows"], item["gaps"]) for item in found] == [
        (BTC, "candles", 4, 1),
        (BTC, "funding", 2, 0),
    ]
    assert "candles" in told("list", "--folder", folder)


def test_what_was_imported_can_be_backtested(tmp_path, folder):
    path = imported(candles(tmp_path / "a.parquet", range(100)), folder)["contents"]["path"]
    ran = CliRunner().invoke(app, ["backtest", "--candles", path, "--strategy", "trend", "--json"])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["bars"] == 100


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--symbol", "BTC"], "is no symbol"),
        (["--symbol", BTC, "--kind", "quotes"], "there is no kind 'quotes': use candles, mark, trades, funding"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, words, what):
    assert what in told("import", candles(tmp_path / "a.parquet", range(2)), *words, code=2)


def test_trades_may_share_a_moment(tmp_path, folder):
    """Three at one time, one later; told again with one more: the moments that are there are complete."""
    path = tmp_path / "trades.csv"
    rows = [(START_NS, 100.0), (START_NS, 100.0), (START_NS, 101.0), (START_NS + 5, 99.0), (START_NS + 9, 98.0)]
    for known in (4, 5):
        frame = pl.DataFrame(
            [(at, price, 1.0) for at, price in rows[:known]], ["ts", "price", "contracts"], orient="row"
        )
        frame.write_csv(path)
        done = imported(path, folder, "--kind", "trades")
    assert (done["added"], done["repeated"], done["contents"]["rows"]) == (1, 4, 5)


def test_a_check_names_every_gap_and_goes_on_behind_a_file_that_cannot_be_used(tmp_path, folder):
    """Minutes 0 to 2 and 5: three and four are missing. The other file is no Parquet."""
    imported(candles(tmp_path / "a.parquet", [0, 1, 2, 5]), folder)
    broken = folder / "ETH_USDT-USDT" / "candles.parquet"
    broken.parent.mkdir()
    broken.write_text("no")
    text = told("check", "--folder", folder, code=4)
    assert "nothing from 2026-01-01T00:03:00Z to 2026-01-01T00:05:00Z" in text
    assert f"data file {broken}: cannot be read" in text
    found = json.loads(told("check", "--folder", folder, "--json", code=4))
    assert [(item["symbol"], len(item["gaps"]), item["wrong"] is None) for item in found] == [
        (BTC, 1, True),
        ("ETH/USDT:USDT", 0, False),
    ]


def test_a_check_of_a_file_with_many_gaps_shows_the_first(tmp_path, folder):
    imported(candles(tmp_path / "a.parquet", [0, 1, 2, 3, *[at for at in range(5, 200) if at % 5]]), folder)
    text = told("check", "--folder", folder)
    assert text.count("nothing from") == 20
    assert "and 19 gaps more" in text
