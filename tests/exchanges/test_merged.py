"""Recorded data of several symbols as one sequence."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.market import Bar, FundingRate, MarkPrice, Trade
from app.exchanges.simulated.errors import OtherMarket
from app.exchanges.simulated.merged import MergedMarket
from app.exchanges.simulated.recorded import RecordedMarket
from tests.builders import BTC, START_NS, instrument

ETH = "ETH/USDT:USDT"
MINUTE_NS = 60 * 10**9


class Listed:
    """A recorded market whose events are given."""

    def __init__(self, symbol, times):
        self.symbol = symbol
        self.all = [Trade(symbol, time_ns, Decimal(number + 1), Decimal(1), "buy") for number, time_ns in times]
        self.events = iter(self.all)


@pytest.fixture
def opened(tmp_path):
    """Two symbols with marks and funding; minutes of one, five minutes of the other, which begins with it."""

    def files(name, every, count, first):
        times = [START_NS + first + place * every * MINUTE_NS for place in range(count)]
        prices = [100.0 + place for place in range(count)]
        bars = pl.DataFrame({"ts": times} | dict.fromkeys(("open", "high", "low", "close"), prices))
        rates = pl.DataFrame({"ts": [times[-1]], "funding_rate": [0.0001]})
        for kind, table in (("candles", bars), ("funding", rates)):
            table.write_parquet(tmp_path / f"{name}-{kind}.parquet")
        return tmp_path / f"{name}-candles.parquet", tmp_path / f"{name}-funding.parquet"

    def to(from_ns=None):
        minutes, fives = files("btc", 1, 40, 0), files("eth", 5, 8, 0)
        markets = [
            RecordedMarket(listed, candles, None, candles, funding, from_ns, None)
            for listed, (candles, funding) in ((instrument(), minutes), (instrument(symbol=ETH), fives))
        ]
        return MergedMarket(markets)

    return to


@given(st.lists(st.lists(st.integers(0, 20), max_size=20), min_size=1, max_size=4))
def test_earlier_comes_first_and_of_equal_times_the_symbol_listed_first(times):
    """Every event once; each symbol's in their order; and the order follows from time and listing alone."""
    markets = [Listed(str(place), list(enumerate(sorted(each)))) for place, each in enumerate(times)]
    merged = MergedMarket(markets)
    events = list(merged.events)
    expected = [event for market in markets for event in market.all]
    assert events == sorted(expected, key=lambda event: (event.time_ns, int(event.symbol)))
    assert next(merged.events, None) is None


def test_marks_bars_and_funding_of_all_symbols_come_by_time(opened):
    events = list(opened().events)
    assert [event.time_ns for event in events] == sorted(event.time_ns for event in events)
    fifth = [event for event in events if event.time_ns == START_NS + 5 * MINUTE_NS]
    assert [(type(event), event.symbol) for event in fifth] == [
        (MarkPrice, BTC), (Bar, BTC), (MarkPrice, ETH), (Bar, ETH),
    ]  # fmt: skip
    assert {event.symbol for event in events if isinstance(event, FundingRate)} == {BTC, ETH}


def test_a_mark_has_the_range_of_its_own_symbol(opened):
    merged = opened()
    marks = [event for event in merged.events if isinstance(event, MarkPrice)]
    assert all(merged.mark_range(mark)[0].close == mark.price for mark in marks)


def test_history_holds_nothing_that_closes_after_the_first_event(opened):
    """At 00:12 the five minutes of the other symbol that close at 00:15 are still to come: they are not past."""
    merged = opened(START_NS + 12 * MINUTE_NS)
    assert merged.start_ns == START_NS + 12 * MINUTE_NS
    assert [bar.time_ns for bar in merged.history(ETH, 300, 9)] == [START_NS + 5 * MINUTE_NS, START_NS + 10 * MINUTE_NS]
    assert merged.history(BTC, 60, 2)[-1].time_ns == START_NS + 12 * MINUTE_NS
    assert merged.history("SOL/USDT:USDT", 60, 2) == ()


@pytest.mark.parametrize("seen", [0, 1, 7, 60, 200])
def test_it_goes_on_where_it_was(opened, seen):
    merged, restored = opened(), opened()
    for _ in range(seen):
        next(merged.events, None)
    restored.restore(merged.state())
    assert list(restored.events) == list(merged.events)


def test_a_place_in_other_files_is_refused(opened):
    place, markets = opened().state(), opened()._markets
    with pytest.raises(OtherMarket, match="goes on in another market"):
        MergedMarket(markets[::-1]).restore(place)
    with pytest.raises(OtherMarket):
        MergedMarket(markets[:1]).restore(place)
