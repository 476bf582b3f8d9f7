"""A plan that fails is shrunk to the faults that it takes."""

from types import SimpleNamespace

from app.simulation import Fault, FaultKind, Plan, plan_of, run_plan, shrink
from app.simulation.faults import CERTAIN_KINDS, CERTAIN_MIN
from app.simulation.shrink import RUNS_MAX
from tests.simulation.planted.bug import LOADED
from tests.simulation.planted.catalogue import PLANTED

HARMLESS = (FaultKind.PRICE_SHOCK, FaultKind.STRANGE_FILL, FaultKind.EVENT_TWICE, FaultKind.ORDER_REJECTED)


def test_a_planted_bug_is_shrunk_to_the_one_fault_that_shows_it(monkeypatch):
    """Of five faults only the stream that breaks shows that a dead pump calls itself ready."""
    PLANTED["a_dead_pump_is_ready"].plant(monkeypatch)
    guilty = Fault(FaultKind.STREAM_BREAKS, 150.0, 1.0, 1)
    others = [Fault(kind, 70.0 + 10 * place, 1.0, 4_711) for place, kind in enumerate(HARMLESS)]
    plan = Plan(7, (*others, guilty))

    outcome = run_plan(plan, LOADED)
    least = shrink(plan, outcome.rule, lambda tried: run_plan(tried, LOADED))

    assert outcome.rule == "health_is_true"
    assert least == Plan(7, (guilty,))


def test_a_bug_that_needs_no_fault_is_shrunk_to_none(monkeypatch):
    PLANTED["intents_are_not_written"].plant(monkeypatch)
    plan = Plan(7, (Fault(FaultKind.PRICE_SHOCK, 70.0, 1.0, 1), Fault(FaultKind.CRASH, 90.0, 1.0, 1)))

    assert shrink(plan, "intent_before_bytes", lambda tried: run_plan(tried, LOADED)).faults == ()


def test_shrinking_is_bounded():
    """Were every fault needed beside all others, it would still end."""
    plan = Plan(1, tuple(Fault(FaultKind.HALT, float(at), 0.0, at) for at in range(300)))
    runs = []

    def run(tried):
        runs.append(tried)
        return SimpleNamespace(rule="")

    assert shrink(plan, "broken", run) == plan
    assert len(runs) <= RUNS_MAX + len(plan.faults)


def test_every_plan_has_faults_that_are_certain_to_happen():
    for seed in range(200):
        kinds = [fault.kind for fault in plan_of(seed).faults]
        assert sum(kind in CERTAIN_KINDS for kind in kinds) >= CERTAIN_MIN
