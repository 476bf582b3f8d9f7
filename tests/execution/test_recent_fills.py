"""The fills that were booked last."""

from app.execution import RecentFills
from app.execution.recent_fills import KEPT_MAX
from tests.builders import fill


def test_the_latest_fills_are_kept_and_no_more():
    recent = RecentFills()
    for number in range(KEPT_MAX + 1):
        recent.add(fill(f"t{number}"))
    assert recent.find("t0") is None
    assert recent.find("t1") == fill("t1")
    assert recent.find(f"t{KEPT_MAX}") == fill(f"t{KEPT_MAX}")
