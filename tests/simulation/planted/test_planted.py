"""The harness notices what it is for: each planted bug breaks a rule within a bounded number of ordinary seeds."""

import pytest

from tests.simulation.planted.bug import LOADED, SEEDS_MAX, search
from tests.simulation.planted.catalogue import PLANTED
from tests.simulation.planted.found import FOUND
from tests.simulation.planted.search import BEGIN, DOCUMENT, END, table


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_noticed(name):
    """The seed that noticed it last time comes first; if that does not any more, all are tried."""
    known, _ = FOUND.get(name, (1, ""))
    catch = search(PLANTED[name], (known, *range(1, SEEDS_MAX + 1)))
    assert catch is not None, f"{PLANTED[name].why}: no rule was broken in {SEEDS_MAX} seeds"
    assert catch.rule != "world", catch.what


@pytest.mark.nightly
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_noticed_as_soon_as_the_table_says(name):
    catch = search(PLANTED[name], range(1, SEEDS_MAX + 1))
    assert (catch.seed, catch.rule) == FOUND[name]


def test_each_rule_has_bugs_that_shall_break_it():
    import app.simulation.invariants as module

    rules = {line.split()[0] for line in module.__doc__.splitlines() if line[:1].islower() and "_" in line.split()[0]}
    planted = [bug.rule for bug in PLANTED.values()]
    assert set(planted) == rules
    assert all(planted.count(rule) >= 2 for rule in rules)


def test_the_document_has_the_table_of_what_was_found():
    assert set(FOUND) == set(PLANTED)
    assert DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip() == table(FOUND).strip()


def test_the_seeds_are_those_of_the_profile():
    assert LOADED.settings.profile == "simulation"
