"""Reasons hold trading back; the most severe wins."""

import pytest

from app.domain.denial import Denial
from app.domain.events import ReasonCleared, ReasonRaised, Severity
from app.domain.trading_state import TradingLevel, TradingState


def raised(code, severity=Severity.REDUCE_ONLY, time_ns=1, owner="risk"):
    return ReasonRaised(time_ns=time_ns, owner=owner, code=code, severity=severity, detail="")


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


def test_a_denial_reads_as_rule_value_and_limit():
    assert str(Denial("order_notional", "120", "100")) == "order_notional: 120, limit 100"
