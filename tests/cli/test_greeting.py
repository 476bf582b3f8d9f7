"""What a bot that is up says of itself."""

import pytest
from loguru import logger

from app.cli.greeting import greet, warn_of_what_stayed
from app.domain.events import ReasonRaised, Severity
from app.domain.trading_state import TradingState
from app.settings import load_settings

HALT = ReasonRaised(
    time_ns=0, owner="operator", code="halt", severity=Severity.HALTED, detail="cable on fire", latched=True
)
UNMARKED = ReasonRaised(
    time_ns=0, owner="risk", code="mark_stale", severity=Severity.REDUCE_ONLY, detail="no trusted mark of BTC/USDT:USDT"
)
STOPPING = ReasonRaised(
    time_ns=0, owner="lifecycle", code="stopping", severity=Severity.REDUCE_ONLY, detail="stop policy cancel"
)
LOADED = load_settings("simulated")


@pytest.fixture
def warned():
    found = []
    number = logger.add(lambda message: found.append(message.record["message"]), level="WARNING")
    yield found
    logger.remove(number)


def test_a_bot_that_starts_halted_says_so_and_what_to_do(warned):
    greet(LOADED, None, TradingState((HALT, UNMARKED)))
    assert warned == ["READY, but halted: operator:halt (cable on fire): python -m app resume lifts what is latched"]


def test_what_every_start_holds_is_told_only_when_it_stays(warned):
    greet(LOADED, None, TradingState((UNMARKED,)))
    assert warned == []
    warn_of_what_stayed(LOADED, TradingState((UNMARKED,)))
    assert warned == ["30 s after the start still reduce_only: risk:mark_stale (no trusted mark of BTC/USDT:USDT)"]


@pytest.mark.parametrize("reasons", [(), (HALT,), (UNMARKED, STOPPING)])
def test_nothing_is_told_again_of_what_is_over_known_or_a_stop(warned, reasons):
    warn_of_what_stayed(LOADED, TradingState(reasons))
    assert warned == []
