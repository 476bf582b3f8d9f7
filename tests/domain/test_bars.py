"""Longer bars out of trades or of shorter bars, aligned to the clock."""

from decimal import Decimal

import pytest

from app.domain.bars import BarAggregator
from tests.builders import BTC, at, bar, trade


@pytest.fixture
def minute():
    return BarAggregator(BTC, 60)


def test_trades_become_a_bar_when_the_first_one_after_it_comes(minute):
    for price, seconds in (("100", 1), ("105", 20), ("95", 40), ("101", 59.9)):
        assert minute.on_trade(trade(price, seconds)) is None
    closed = minute.on_trade(trade("102", 60))
    assert closed == bar("101", open_="100", high="105", low="95", volume="4")
    assert closed.time_ns == at(60)
    assert closed.open_ns == at(0)


def test_a_timer_closes_a_bar_that_is_over_and_not_before(minute):
    minute.on_trade(trade("100", 1))
    assert minute.advance(at(59)) is None
    assert minute.advance(at(60)) == bar("100")
    assert minute.advance(at(120)) is None


def test_a_time_without_trades_gives_no_bar(minute):
    minute.on_trade(trade("100", 1))
    assert minute.on_trade(trade("110", 601)) == bar("100")
    assert minute.advance(at(660)) == bar("110", index=10)


def test_shorter_bars_become_a_longer_one_with_the_last_of_them(minute):
    """Three bars of 20 s: open of the first, close of the last, extremes and volume of all."""
    parts = (("101", "100", "103", "99"), ("98", "101", "101", "97"), ("100", "98", "104", "98"))
    closed = [
        minute.on_bar(bar(close, index, open_=first, high=high, low=low, volume="2", interval_s=20))
        for index, (close, first, high, low) in enumerate(parts)
    ]
    assert closed == [None, None, bar("100", open_="100", high="104", low="97", volume="6")]


def test_a_missing_last_part_is_made_up_for_by_the_next_bar(minute):
    """The second half of the first minute is missing: the bar is closed by the third."""
    assert minute.on_bar(bar("100", 0, interval_s=30)) is None
    assert minute.on_bar(bar("110", 2, interval_s=30)) == bar("100")
    assert minute.on_bar(bar("120", 3, interval_s=30)) == bar("120", 1, open_="110", volume="2")


def test_a_bar_that_closes_two_at_once_holds_the_second_back():
    """It both follows a gap and ends its own minute: one is told now, the other with the next bar."""
    minute = BarAggregator(BTC, 60)
    minute.on_bar(bar("100", 0, interval_s=30))
    assert minute.on_bar(bar("110", 3, interval_s=30)) == bar("100")
    assert minute.on_bar(bar("120", 4, interval_s=30)) == bar("110", 1)
    assert minute.advance(at(180)).open == Decimal(120)
