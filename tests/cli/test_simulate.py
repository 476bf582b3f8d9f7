"""The command that looks for seeds that break a rule: its figures, its codes, and what it explains."""

import json

import pytest

from app.cli import main
from app.cli.simulate import simulate
from app.coordinators.execution import ExecutionCoordinator
from app.simulation import Fault, FaultKind, Plan
from app.simulation import faults as planning

KEYS = {"seeds", "violations", "failing_seeds", "events", "virtual_seconds", "seeds_per_second"}


def called(monkeypatch, capsys, *args):
    """Return exit code, output and errors of ``python -m app simulate``."""
    monkeypatch.setattr("sys.argv", ["perps-bot", "simulate", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    return ended.value.code or 0, told.out, told.err


@pytest.fixture
def drains_nothing(monkeypatch):
    async def drain(execution):
        del execution

    monkeypatch.setattr(ExecutionCoordinator, "drain", drain)


@pytest.fixture
def one_stop(monkeypatch):
    """Have every seed consist of six faults, of which one stop is what matters."""
    faults = tuple(Fault(FaultKind.STRANGE_FILL, at_s, 1.0, 7) for at_s in (100.0, 200.0, 300.0, 400.0, 450.0))
    stops = tuple(Fault(FaultKind.STOP, at_s, 1.0, 7) for at_s in (500.0, 900.0, 1300.0))
    for module in ("app.cli.simulate", "app.simulation.fleet"):
        monkeypatch.setattr(f"{module}.plan_of", lambda seed: Plan(seed, (*faults, *stops)))


def test_two_seeds_as_json(monkeypatch, capsys):
    code, out, _ = called(monkeypatch, capsys, "--seeds", "2", "--workers", "1", "--json")
    document = json.loads(out)
    assert code == 0
    assert document.keys() >= KEYS
    assert document["seeds"] == 2
    assert document["violations"] == 0
    assert document["failing_seeds"] == {}
    assert document["virtual_seconds"] >= 2 * planning.HOUR_S
    assert document["seeds_per_second"] > 0


def test_a_broken_rule_is_explained_by_the_faults_that_it_needs(monkeypatch, capsys, drains_nothing, one_stop):
    code, out, _ = called(monkeypatch, capsys, "--seeds", "1", "--workers", "1")
    assert code == 1
    assert "1 seeds, 1 with a broken rule" in out
    assert "stop_leaves_nothing" in out
    assert "needs 1 faults" in out or "needs 0 faults" in out
    assert "python -m app simulate --seed 1 --trace" in out


def test_what_shows_a_broken_rule_again_is_the_same_bot(monkeypatch, capsys, drains_nothing, one_stop):
    words = ("--set", "storage.save_every_s=7", "--set", "account.id=a-b")
    _, out, _ = called(monkeypatch, capsys, "--seed", "1", "--profile", "simulation", *words)
    assert out.splitlines()[-1] == (
        "  see it: python -m app simulate --profile simulation --set storage.save_every_s=7 --set account.id=a-b "
        "--seed 1 --trace"
    )


@pytest.mark.parametrize(
    ("word", "code", "why"),
    [
        ("exchange.adapter=nope.Nope", 2, "simulate runs an exchange of its own, and exchange.adapter is nope.Nope: "),
        ("strategies.restless.strategy=nope.Nope", 3, "nope"),
        ("strategies.restless.params.evry=1", 3, "evry"),
        ("strategies.restless.symbols=XRP/USDT:USDT", 3, "XRP/USDT:USDT"),
    ],
)
def test_what_no_seed_could_run_is_refused_before_any_is(monkeypatch, capsys, word, code, why):
    ended, out, err = called(monkeypatch, capsys, "--seeds", "5", "--set", word)
    assert (ended, out) == (code, "")
    assert why in err
    assert len(err.splitlines()) == 1


def test_a_replay_needs_no_data_for_a_market_that_is_made(capsys):
    assert simulate("replay", [], 1, 1, 1, None, trace=False, as_json=True, scheduler=None) == 0
    assert json.loads(capsys.readouterr().out)["seeds"] == 1


def test_a_broken_rule_as_json(monkeypatch, capsys, drains_nothing, one_stop):
    code, out, _ = called(monkeypatch, capsys, "--seed", "1", "--json")
    document = json.loads(out)
    assert code == 1
    assert document["violations"] == 1
    assert document["failing_seeds"]["1"].startswith("stop_leaves_nothing")


def test_the_trace_shows_events_and_faults(monkeypatch, capsys, one_stop):
    code, out, _ = called(monkeypatch, capsys, "--seed", "3", "--trace")
    assert code == 0
    assert "fault strange_fill" in out
    assert "event Fill" in out
    assert "seed 3: no rule was broken" in out


@pytest.mark.parametrize("args", [("--seeds", "0"), ("--workers", "0"), ("--trace",), ("--seeds", "x")])
def test_a_wrong_call_ends_with_2(monkeypatch, capsys, args):
    code, _, err = called(monkeypatch, capsys, *args)
    assert code == 2
    assert err


def test_a_profile_of_ones_own_is_simulated(tmp_path, capsys):
    profile = tmp_path / "mine.toml"
    profile.write_text('[strategies.mine]\nstrategy = "trend"\nsymbols = ["BTC/USDT:USDT"]\n', encoding="utf-8")
    assert simulate(str(profile), [], 1, 1, None, 1, trace=False, as_json=True, scheduler=None) == 0
    assert json.loads(capsys.readouterr().out)["violations"] == 0
