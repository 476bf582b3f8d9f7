"""A search and a simulation on a Dask cluster come to what they come to here, to the byte."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="the cluster's library is not installed: pip install '.[cluster]'")
from app.domain.market import SECOND_NS
from app.workers import ClusterLost, ClusterRefused, cluster, open_cluster
from tests.builders import START_NS
from tests.dask_cluster import dask_cluster

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def candles(tmp_path_factory):
    """Four days of minutes that rise and fall by a hundred every two hours, and funding every eight."""
    folder = tmp_path_factory.mktemp("data")
    rows = ["ts,open,high,low,close,volume"]
    for minute in range(5760):
        price = 30_000 + abs(minute % 240 - 120)
        rows.append(f"{START_NS + minute * 60 * SECOND_NS},{price},{price + 2},{price - 2},{price + 1},5")
    (folder / "candles.csv").write_text("\n".join(rows))
    settled = [f"{START_NS + 8 * 3600 * at * SECOND_NS},0.0001" for at in range(1, 12)]
    (folder / "funding.csv").write_text("\n".join(["ts,funding_rate", *settled]))
    return ["--candles", str(folder / "candles.csv"), "--funding", str(folder / "funding.csv")]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("cluster"), path=[ROOT]) as made:
        yield made


def command(*words, folder, path=""):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{path}", "COLUMNS": "120"}
    return subprocess.Popen(
        [sys.executable, "-m", "app", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment,
    )  # fmt: skip


def told(*words, folder, code=0, path=""):
    process = command(*words, folder=folder, path=path)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    return out, err


@pytest.mark.parametrize("engine", ["event", "compiled"])
def test_a_search_keeps_the_same_results_to_the_byte(candles, running, tmp_path, engine):
    """The files that a study leaves are equal, with each trial's figures in them."""
    if engine == "compiled":
        pytest.importorskip("numba", reason="the compiler is not installed: pip install '.[research]'")
    pytest.importorskip("optuna", reason="the sampler is not installed: pip install '.[research]'")
    words = ("optimize", "--strategy", "trend", "--sampler", "random", "--trials", "10", "--engine", engine, *candles)
    here = json.loads(told(*words, "--workers", "2", "--study", "here.jsonl", "--json", folder=tmp_path)[0])
    there, err = told(*words, "--scheduler", running.address, "--study", "there.jsonl", "--json", folder=tmp_path)
    assert err == ""
    assert (tmp_path / "here.jsonl").read_bytes() == (tmp_path / "there.jsonl").read_bytes()
    changing = {"seconds": None}
    assert json.loads(there) | changing == here | changing


def test_seeds_come_to_the_same(running, tmp_path):
    words = ("simulate", "--seeds", "12", "--json")
    here = json.loads(told(*words, "--workers", "1", folder=tmp_path)[0])
    there = json.loads(told(*words, "--scheduler", running.address, folder=tmp_path)[0])
    changing = {"seeds_per_second": None}
    assert there | changing == here | changing


def test_a_worker_that_dies_is_done_without(candles, tmp_path):
    """One of two is killed while trials run: the other does what is left, and the study is the same."""
    pytest.importorskip("optuna", reason="the sampler is not installed: pip install '.[research]'")
    words = ("optimize", "--strategy", "trend", "--sampler", "random", "--trials", "30", "--engine", "event", *candles)
    told(*words, "--study", "here.jsonl", folder=tmp_path)
    with dask_cluster(tmp_path, path=[ROOT]) as made:
        process = command(*words, "--scheduler", made.address, "--study", "there.jsonl", folder=tmp_path)
        study = tmp_path / "there.jsonl"
        while process.poll() is None and not (study.exists() and study.stat().st_size):
            pass
        made.workers[0].kill()
        _, err = process.communicate(timeout=300)
    # What the cluster's own library says of a worker that is gone is its business.
    ours = [line for line in err.splitlines() if "distributed." not in line]
    assert (process.returncode, ours) == (0, [])
    assert study.read_bytes() == (tmp_path / "here.jsonl").read_bytes()


def test_a_strategy_that_workers_cannot_import_is_refused_before_a_trial(candles, running, tmp_path):
    pytest.importorskip("optuna", reason="the sampler is not installed: pip install '.[research]'")
    (tmp_path / "mine.py").write_text("from app.strategies.trend import Trend\n\n\nclass Mine(Trend): pass\n")
    words = ("optimize", "--strategy", "mine.Mine", "--trials", "4", *candles, "--scheduler", running.address)
    _, err = told(*words, folder=tmp_path, path=tmp_path, code=4)
    assert "cannot run the strategy" in err
    assert "mine" in err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--scheduler", "tcp://127.0.0.1:9"), 4, "the cluster at tcp://127.0.0.1:9 does not answer"),
        (("--scheduler", "no address"), 4, "the cluster at no address has no address: write it as tcp://HOST:8786"),
        (("--scheduler", "tcp://127.0.0.1:9", "--workers", "2"), 2, "a cluster given with --scheduler has its own"),
    ],
)
def test_what_is_wrong_is_one_sentence(candles, tmp_path, words, code, sentence):
    _, err = told("optimize", "--strategy", "trend", "--trials", "2", *candles, *words, folder=tmp_path, code=code)
    assert sentence in err
    assert "Traceback" not in err


def test_without_the_extra_it_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['distributed'] = None; from app.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "simulate", "--scheduler", "tcp://127.0.0.1:9"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    sentence = "error: --scheduler needs distributed: pip install '.[cluster]'\n"
    assert (done.returncode, done.stderr) == (3, sentence)


def test_workers_with_other_code_are_refused(running):
    with (
        pytest.raises(ClusterRefused, match="has 2 workers with other code"),
        open_cluster(running.address, os.getpid),  # which no two processes share
    ):
        raise AssertionError("it was opened")


def test_a_cluster_without_workers_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 1.0)
    with (
        dask_cluster(tmp_path, workers=0, path=[ROOT]) as made,
        pytest.raises(ClusterRefused, match="has no worker: dask worker"),
        open_cluster(made.address, os.getcwd),
    ):
        raise AssertionError("it was opened")


def halved(divisor, numbers):
    """Return what the numbers are divided; zero ends the process, as a crash does."""
    if not divisor:
        os._exit(1)
    return [number / divisor for number in numbers]


def test_parts_come_back_in_their_order_however_many_there_are(running):
    with open_cluster(running.address, str) as opened:
        found = list(opened.in_order(halved, 2, ([at, at + 1] for at in range(0, 200, 2))))
    assert found == [at / 2 for at in range(200)]


def test_what_no_worker_survives_ends_the_work(tmp_path):
    with dask_cluster(tmp_path, path=[ROOT]) as made, open_cluster(made.address, str) as opened:
        made.scheduler.kill()
        with pytest.raises(ClusterLost, match="does not go on"):
            list(opened.in_order(halved, 2, [[1]]))
