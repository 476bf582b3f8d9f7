"""When what must get through is sent again."""

import pytest

from app.domain.order import OrderType, Purpose
from app.execution.retries import REST_NS, TRUST_NS, Retries
from tests.builders import BTC, ETH, START_NS, order
from tests.fakes.clock import FakeClock

STOP = order(purpose=Purpose.STOP_LOSS, type=OrderType.STOP_MARKET, trigger_price="90", reduce_only=True)
AT_MARKET = order(purpose=Purpose.STOP_LOSS, reduce_only=True)


@pytest.fixture
def clock():
    return FakeClock(START_NS)


@pytest.fixture
def retries(clock):
    return Retries(clock)


def wait_s(retries, clock):
    """Let time go by until the next one is due; return how many seconds that took."""
    began = clock.now_ns
    while not retries.is_due(STOP):
        clock.pass_s(1)
    return (clock.now_ns - began) // 10**9


def test_each_failure_in_a_row_makes_the_next_attempt_wait_longer_up_to_half_a_minute(retries, clock):
    waits = []
    for _ in range(8):
        retries.fail(STOP, "refused")
        waits.append(wait_s(retries, clock))
    assert waits == [0, 1, 3, 7, 15, 30, 30, 30]


def test_what_leaves_at_the_market_has_a_row_of_its_own(retries):
    for _ in range(3):
        retries.fail(STOP, "refused")
    assert not retries.is_due(STOP)
    assert retries.is_due(AT_MARKET)
    assert retries.of(BTC, Purpose.STOP_LOSS, at_market=True) is None


@pytest.mark.parametrize(("rested_ns", "count", "drops"), [(REST_NS - 1, 3, 3), (REST_NS, 1, 3), (TRUST_NS, 1, 1)])
def test_one_that_rested_makes_the_next_failure_less_serious(retries, clock, rested_ns, count, drops):
    """A second of rest shortens the wait; only a minute is trusted."""
    for _ in range(2):
        retries.fail(STOP, "dropped", dropped=True)
    retries.rest(STOP)
    clock.now_ns += rested_ns
    row = retries.fail(STOP, "dropped", dropped=True)
    assert (row.count, row.drops) == (count, drops)


def test_one_that_is_told_to_rest_again_and_again_rests_since_the_first_time(retries, clock):
    row = retries.fail(STOP, "dropped", dropped=True)
    for _ in range(2):
        retries.rest(STOP)
        clock.now_ns += TRUST_NS // 2
    assert retries.will_stay(row)


def test_what_never_failed_may_rest_and_be_forgotten(retries):
    retries.rest(STOP)
    retries.forget(BTC, Purpose.STOP_LOSS)
    assert retries.is_calm


def test_only_what_is_named_begins_anew(retries):
    other = order(symbol=ETH, purpose=Purpose.EXIT, reduce_only=True)
    for each in (STOP, AT_MARKET, other):
        retries.fail(each, "refused")
    retries.forget(BTC, Purpose.EXIT)
    retries.forget(ETH, Purpose.STOP_LOSS)
    assert all(retries.of(each.symbol, each.purpose, at_market=each is not STOP) for each in (STOP, AT_MARKET, other))
    retries.forget(BTC, Purpose.STOP_LOSS, Purpose.EXIT)
    assert retries.of(BTC, Purpose.STOP_LOSS, at_market=False) is None
    assert retries.of(ETH, Purpose.EXIT, at_market=True).why == "refused"


def test_what_is_wanted_otherwise_waits_a_second_at_most(retries, clock):
    for _ in range(5):
        retries.fail(STOP, "refused")
    retries.hasten(ETH, Purpose.STOP_LOSS)
    retries.hasten(BTC, Purpose.EXIT)
    assert not retries.is_due(STOP)
    retries.hasten(BTC, Purpose.STOP_LOSS)
    assert wait_s(retries, clock) == 1
