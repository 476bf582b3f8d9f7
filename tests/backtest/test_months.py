"""What each month came to, by hand."""

import pytest

from app.backtest.months import months_of
from app.domain.times import parse_iso

HOUR_NS = 3600 * 10**9


def closes(first, last):
    """Return when the hourly bars from one time to another close."""
    return list(range(parse_iso(first) + HOUR_NS, parse_iso(last) + 1, HOUR_NS))


@pytest.mark.parametrize(
    ("first", "last", "names"),
    [
        ("2026-01-01", "2026-03-01", ["2026-01", "2026-02"]),
        ("2026-01-20T05:00:00Z", "2026-03-01", ["2026-01, 20 to 31", "2026-02"]),
        ("2026-01-01", "2026-03-10T02:00:00Z", ["2026-01", "2026-02", "2026-03, 1 to 10"]),
        ("2026-01-01T01:00:00Z", "2026-02-28T23:00:00Z", ["2026-01, 1 to 31", "2026-02, 1 to 28"]),
        ("2026-01-05", "2026-01-09", ["2026-01, 5 to 8"]),
        ("2025-12-31T22:00:00Z", "2026-01-01T02:00:00Z", ["2025-12, 31 to 31", "2026-01, 1 to 1"]),
    ],
)
def test_a_month_that_is_not_all_there_is_told_with_its_days(first, last, names):
    times = closes(first, last)
    assert [month.name for month in months_of(times, [1.0] * len(times))] == names


def test_the_change_is_that_of_the_month_and_midnight_belongs_to_the_day_that_ends():
    """100 until the last hour of January, 110 at its end, 99 at the end of February: a tenth up, a tenth down."""
    times = closes("2026-01-31T20:00:00Z", "2026-02-01T04:00:00Z")
    equity = [100.0, 100.0, 100.0, 110.0, 110.0, 110.0, 110.0, 99.0]
    assert [(month.name, round(month.change, 9)) for month in months_of(times, equity)] == [
        ("2026-01, 31 to 31", 0.1),
        ("2026-02, 1 to 1", -0.1),
    ]


def test_a_single_bar_is_of_a_part_of_its_month():
    [month] = months_of([parse_iso("2026-01-01T01:00:00Z")], [100.0])
    assert (month.name, month.change) == ("2026-01, 1 to 1", 0.0)
