"""The real bot over the real adapter and the real ccxt: nothing that goes wrong breaks a rule, and bugs are noticed."""

import pytest

from app.simulation.faults import HOUR_S
from tests.simulation.ccxt.harness import run_seed
from tests.simulation.ccxt.planted import PLANTED

SEEDS_MAX = 50
KNOWN = {
    "fills_count_as_often_as_told": 4,
    "a_time_out_is_a_refusal": 1,
    "conditional_orders_are_forgotten": 2,
    "a_lost_cancel_is_the_end": 3,
    "fees_are_lost": 1,
    "shorts_are_longs": 1,
}
"""The seed that noticed a bug last time."""
SLOW = {"fees_are_lost", "shorts_are_longs"}
"""Every start but the first is refused: a seed takes a minute."""

pytestmark = pytest.mark.filterwarnings(
    # What a process that is killed leaves behind is nobody's to close.
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::ResourceWarning",
)


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 7, 16])
def test_whatever_goes_wrong_breaks_no_rule(seed):
    outcome = run_seed(seed)
    assert outcome.what == ""
    assert outcome.virtual_seconds >= HOUR_S
    assert outcome.orders >= 20
    assert outcome.fills >= 20


def test_the_same_seed_is_the_same_run():
    assert run_seed(5).digest == run_seed(5).digest


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.nightly if name in SLOW else ()) for name in PLANTED]
)
def test_a_planted_bug_of_the_adapter_is_noticed(name, monkeypatch):
    """The seed that noticed it last time comes first; if that does not any more, all are tried."""
    PLANTED[name](monkeypatch)
    outcomes = (run_seed(seed) for seed in (KNOWN[name], *range(1, SEEDS_MAX + 1)))
    noticed = next((outcome for outcome in outcomes if outcome.rule), None)
    assert noticed is not None
    assert noticed.rule != "world", noticed.what
