"""What was seen last."""

from app.execution import Recent
from app.execution.recent import KEPT_MAX


def test_the_latest_are_kept_and_no_more():
    recent = Recent()
    for number in range(KEPT_MAX + 1):
        recent.add(f"t{number}", number)
    assert recent.find("t0") is None
    assert recent.find("t1") == 1
    assert recent.find(f"t{KEPT_MAX}") == KEPT_MAX
