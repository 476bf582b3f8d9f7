"""``optimize`` as a person meets it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.domain.market import SECOND_NS
from tests.builders import START_NS

ROOT = Path(__file__).parents[2]
WORDS = (
    "--strategy",
    "trend",
    "--sampler",
    "random",
    "--trials",
    "12",
    "--workers",
    "2",
    "--json",
    "--engine",
    "event",
)


@pytest.fixture(scope="module")
def candles(tmp_path_factory):
    """Four days of minutes that rise and fall by a hundred every two hours."""
    path = tmp_path_factory.mktemp("data") / "candles.csv"
    rows = ["ts,open,high,low,close,volume"]
    for minute in range(5760):
        price = 30_000 + abs(minute % 240 - 120)
        rows.append(f"{START_NS + minute * 60 * SECOND_NS},{price},{price + 2},{price - 2},{price + 1},5")
    path.write_text("\n".join(rows))
    return path


def started(*words, folder):
    return subprocess.Popen(
        [sys.executable, "-m", "app", "optimize", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"},
    )


def told_by(*words, folder):
    process = started(*words, folder=folder)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def lines_of(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_search_that_was_ended_goes_on_and_ends_as_one_that_was_not(candles, tmp_path, number):
    words = (*WORDS, "--candles", str(candles), "--prune")
    _, undisturbed, _ = told_by(*words, folder=tmp_path)
    study = tmp_path / "study"
    process = started(*words, "--study", "study", folder=tmp_path)
    deadline = time.monotonic() + 60
    while lines_of(study) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert (process.returncode, err) == (6, "interrupted: the same command goes on\n")
    code, resumed, _ = told_by(*words, "--study", "study", folder=tmp_path)
    assert code == 0
    first, second = json.loads(undisturbed), json.loads(resumed)
    assert second.pop("known_before") > first.pop("known_before") == 0
    assert second.pop("in_study") >= first.pop("in_study") == 0
    assert (first.pop("seconds") > 0, second.pop("seconds") > 0) == (True, True)
    assert first == second


def test_a_page_says_what_it_follows_from(candles, tmp_path):
    pytest.importorskip("plotly", reason="the drawing library is not installed: pip install '.[research]'")
    words = (*WORDS, "--candles", str(candles), "--walk-forward", "2d:1d", "--report", "page.html")
    code, out, err = told_by(*words, folder=tmp_path)
    page, document = (tmp_path / "page.html").read_text(encoding="utf-8"), json.loads(out)
    assert (code, err) == (0, f"report in {tmp_path / 'page.html'}\n")
    assert "Mean sharpe by fast and slow" in page
    assert "Walk-forward" in page
    assert '<script src="http' not in page
    for digest in (*document["reproduce"]["data"].values(), document["reproduce"]["code"]):
        assert digest in page
    assert document["engines"] == {"event": 24}
    assert len(document["walk_forward"]) == 2


def test_the_best_of_a_walk_is_seen_again_on_its_own_window(candles, tmp_path):
    """The command that it names gives its figures; and results of windows are not called reused by a search of all."""
    words = (*WORDS, "--candles", str(candles), "--study", "study", "--json")
    code, out, err = told_by(*words, "--walk-forward", "2d:1d", folder=tmp_path)
    assert code == 0, err
    walked = json.loads(out)
    again = shlex.split(walked["backtest"])
    assert [again[again.index("--from") + 1], again[again.index("--to") + 1]] == walked["window"]
    done = subprocess.run(
        [sys.executable, *again[1:], "--json"],
        capture_output=True, text=True, check=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert json.loads(done.stdout)["statistics"] == walked["best"][0]["statistics"]
    whole = json.loads(told_by(*words, folder=tmp_path)[1])
    assert (whole["in_study"], whole["known_before"]) == (walked["trials"] + len(walked["walk_forward"]), 0)


def test_the_result_says_which_engine_ran_and_why(candles, tmp_path):
    pytest.importorskip("numba", reason="the compiler is not installed: pip install '.[research]'")
    words = ("--candles", str(candles), *WORDS[:-2], "--set", "risk.position_notional_max=1")
    code, out, err = told_by(*words, folder=tmp_path)
    document = json.loads(out)
    assert (code, err, document["engines"]) == (0, "", {"event": 12})
    assert document["handed_on"] == {"a limit or a guard might bind": 12}
    late = ("--set", "exchange.simulated.latency_ms=50")
    code, out, err = told_by(*words, *late, folder=tmp_path)
    assert (code, err) == (0, "the event engine runs all trials: latency is not modelled\n")
    assert json.loads(out)["not_compiled"] == "latency is not modelled"
    code, _, err = told_by(*words, *late, "--engine", "compiled", folder=tmp_path)
    assert code == 2
    assert "the compiled engine cannot do this run: latency is not modelled; use --engine event" in err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--trials", "0"), 2, "--trials and --workers must be at least 1"),
        (("--sampler", "luck"), 2, "there is no sampler 'luck': use random, qmc, tpe"),
        (("--engine", "luck"), 2, "there is no engine 'luck': use auto, event, compiled"),
        (("--objective", "luck"), 2, "there is no objective 'luck'"),
        (("--walk-forward", "30d"), 2, "write TRAIN:TEST"),
        (("--walk-forward", "30d:1d"), 2, "the data is 4.0 days long"),
        (("--set", "strategies.trend.params.interval_s=90"), 2, "bars of 90 s cannot be built from bars of 60 s"),
        (("--funding", "nowhere.csv"), 4, "there is no such file"),
        (("--candles", "nowhere.csv"), 2, "of which symbol is"),
    ],
)
def test_what_is_wrong_is_one_sentence(candles, tmp_path, words, code, sentence):
    found, _, err = told_by("--strategy", "trend", "--candles", str(candles), *words, folder=tmp_path)
    assert (found, "Traceback" in err) == (code, False)
    assert sentence in err
