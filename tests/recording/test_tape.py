"""Each line of a record comes back as what was written."""

from decimal import Decimal

import msgspec
import pytest

from app.domain.events import AccountSeen, StreamReset
from app.recording.tape import Handed, Line
from tests.builders import BTC, START_NS, mark

EVENTS = (
    AccountSeen(time_ns=START_NS, balance=Decimal("100.10"), contracts={BTC: Decimal("-0.5")}),
    AccountSeen(time_ns=START_NS, balance=None, contracts={}),
    StreamReset(START_NS, "closed"),
    mark("100"),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_that_was_written_down_is_read_again(event):
    line = Handed(1.5, START_NS, event)
    assert msgspec.json.decode(msgspec.json.encode(line), type=Line) == line
