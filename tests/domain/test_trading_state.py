"""Reasons hold trading back; the most severe wins."""

import pytest

from app.domain.denial import Denial
from app.domain.events import ReasonCleared, ReasonRaised, Severity
from app.domain.trading_state import TradingLevel, TradingState


def raised(code, severity=Severity.REDUCE_ONLY, time_ns=1, owner="risk", *, latched=False):
    return ReasonRaised(time_ns=time_ns, owner=owner, code=code, severity=severity, detail="", latched=latched)


def cleared(code, owner="risk"):
    return ReasonCleared(time_ns=9, owner=owner, code=code)


def state(*changes):
    result = TradingState()
    for change in changes:
        result = result.after(change)
    return result


def test_without_a_reason_trading_is_active():
    assert TradingState().level is TradingLevel.ACTIVE


@pytest.mark.parametrize(
    "severities", [(Severity.HALTED, Severity.REDUCE_ONLY), (Severity.REDUCE_ONLY, Severity.HALTED)]
)
def test_the_most_severe_reason_wins(severities):
    assert state(raised("a", severities[0]), raised("b", severities[1])).level is TradingLevel.HALTED


def test_a_reason_of_one_symbol_holds_no_other_back():
    held = state(raised("unlisted:BTC/USDT:USDT", Severity.SYMBOL_REDUCE_ONLY))
    assert held.level is held.level_in("ETH/USDT:USDT") is TradingLevel.ACTIVE
    assert held.level_in("BTC/USDT:USDT") is TradingLevel.REDUCE_ONLY
    assert held.holding("BTC/USDT:USDT") == held.reasons
    assert held.holding("ETH/USDT:USDT") == ()
    everywhere = held.after(raised("a"))
    assert [reason.code for reason in everywhere.holding("ETH/USDT:USDT")] == ["a"]


def test_clearing_one_reason_leaves_the_others():
    both = state(raised("a", Severity.HALTED), raised("b"))
    assert both.after(cleared("a")).level is TradingLevel.REDUCE_ONLY
    assert both.after(cleared("a")).after(cleared("b")).level is TradingLevel.ACTIVE


def test_only_its_owner_clears_a_reason():
    held = state(raised("a"))
    assert held.after(cleared("a", owner="execution")) is held
    assert held.holds("risk", "a")
    assert not held.holds("execution", "a")


def test_a_reason_that_is_raised_again_keeps_its_first_time():
    held = state(raised("a", time_ns=1))
    assert held.after(raised("a", time_ns=2)) is held


def test_a_reason_may_become_more_severe():
    worse = state(raised("a", time_ns=1), raised("a", Severity.HALTED, time_ns=2))
    assert worse.level is TradingLevel.HALTED
    assert [reason.time_ns for reason in worse.reasons] == [2]


def test_what_is_latched_never_becomes_milder():
    """A guard that is halted and latched, and then fails, says only REDUCE_ONLY, not latched: it stays as it was."""
    held = state(raised("a", Severity.HALTED, latched=True))
    assert held.after(raised("a")) is held
    assert held.after(raised("a", Severity.HALTED)) is held
    assert held.latched == held.reasons


def test_what_is_latched_stays_so_when_it_becomes_more_severe():
    [worse] = state(raised("a", latched=True), raised("a", Severity.HALTED)).reasons
    assert (worse.severity, worse.latched) == (Severity.HALTED, True)


def test_a_reason_that_is_held_may_become_latched():
    held = state(raised("a"), raised("b"))
    assert held.latched == ()
    assert [reason.code for reason in held.after(raised("a", latched=True)).latched] == ["a"]


def test_a_denial_reads_as_rule_value_and_limit():
    assert str(Denial("order_notional", "120", "100")) == "order_notional: 120, limit 100"
