"""The second confirmation: for exactly what was shown, for a minute."""

from app.domain.confirmation import TOKEN_LENGTH, VALID_S, is_confirmed, offer, token_of
from app.domain.events import ReasonRaised, Severity

HALT = ReasonRaised(
    time_ns=1, owner="operator", code="halt", severity=Severity.HALTED, detail="cable on fire", latched=True
)
DRAWDOWN = ReasonRaised(time_ns=2, owner="risk", code="drawdown", severity=Severity.HALTED, detail="lost", latched=True)


def test_a_token_confirms_what_was_shown_for_a_minute():
    token = token_of([HALT], 1000)

    assert len(token) == TOKEN_LENGTH
    assert is_confirmed(token, [HALT], 1000)
    assert is_confirmed(token, [HALT], 1000 + VALID_S)
    assert not is_confirmed(token, [HALT], 1000 + VALID_S + 1)
    assert not is_confirmed(token, [HALT], 999)


def test_a_token_does_not_confirm_a_reason_that_came_or_went_since():
    token = token_of([HALT], 1000)

    assert not is_confirmed(token, [HALT, DRAWDOWN], 1001)
    assert not is_confirmed(token, [DRAWDOWN], 1001)
    assert not is_confirmed("", [HALT], 1001)


def test_the_reasons_are_said_in_words():
    assert offer([HALT]) == ("would be lifted: halted by operator:halt (cable on fire)",)
