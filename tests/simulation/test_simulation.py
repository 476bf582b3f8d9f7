"""The real bot in a simulated hour: nothing that goes wrong breaks a rule, and a seed is the same run again."""

import os
import subprocess
import sys

import pytest

from app.settings import load_settings
from app.simulation import Fault, FaultKind, Plan, plan_of, run_plan, run_seeds
from app.simulation.faults import FAULTS_MIN, HOUR_S

LOADED = load_settings("simulation", [])
TIMES = (300.0, 1100.0, 2300.0)


@pytest.mark.parametrize("kind", FaultKind)
def test_whatever_goes_wrong_three_times_breaks_no_rule(kind):
    faults = tuple(Fault(kind, at_s, 12.0, 4_711 + place) for place, at_s in enumerate(TIMES))
    outcome = run_plan(Plan(7, faults), LOADED)
    assert outcome.what == ""
    assert outcome.fired[kind] == len(TIMES)
    assert outcome.orders >= 20
    assert outcome.events >= 2000
    assert outcome.virtual_seconds >= HOUR_S


def test_some_seeds_break_no_rule():
    outcomes = list(run_seeds(range(1, 9), LOADED, 1))
    assert [outcome.what for outcome in outcomes] == [""] * 8
    assert min(outcome.faults for outcome in outcomes) >= 3


def test_the_same_seed_is_the_same_run_whatever_the_hash_seed():
    program = (
        "from app.settings import load_settings; from app.simulation import plan_of, run_plan; "
        "print(run_plan(plan_of(5), load_settings('simulation', [])).digest)"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert told == {run_plan(plan_of(5), LOADED).digest + "\n"}


def test_a_plan_follows_from_its_seed():
    assert plan_of(3) == plan_of(3) != plan_of(4)
    plans = [plan_of(seed) for seed in range(200)]
    assert all(len(plan.faults) >= FAULTS_MIN for plan in plans)
    crashing = [plan for plan in plans if any(fault.kind.startswith("crash") for fault in plan.faults)]
    assert len(crashing) >= 0.3 * len(plans)


def test_many_processes_tell_what_one_tells():
    alone = [outcome.digest for outcome in run_seeds(range(20, 23), LOADED, 1)]
    assert [outcome.digest for outcome in run_seeds(range(20, 23), LOADED, 2)] == alone
