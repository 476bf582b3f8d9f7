"""Recorded market data: what is read, what is noticed, what is refused with file, row and reason."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from app.domain.market import Bar, FundingRate, MarkPrice, Trade
from app.domain.order import Side
from app.exchanges.simulated import BadDataFile
from app.exchanges.simulated.recorded import RecordedMarket
from tests.builders import BTC, START_NS, instrument

MINUTE_NS = 60 * 10**9
DATA = Path(__file__).parents[2].parent / "shared" / "data" / "real"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded market data is not beside the repository")


def frame(**changes):
    """Three minutes: closes 101, 102, 103."""
    columns = {
        "ts": [START_NS + index * MINUTE_NS for index in range(3)],
        "open": [100.0, 101.0, 102.0],
        "high": [101.5, 102.5, 103.5],
        "low": [99.5, 100.5, 101.5],
        "close": [101.0, 102.0, 103.0],
        "volume": [1.5, 2.0, 2.5],
    }
    return pl.DataFrame({name: column for name, column in (columns | changes).items() if column is not None})


def times(divisor):
    """The same three minutes, in a coarser unit."""
    return frame(ts=[(START_NS + index * MINUTE_NS) // divisor for index in range(3)])


def market(candles=None, *, trades=None, mark=None, funding=None, from_ns=None, to_ns=None, listed=None):
    return RecordedMarket(listed or instrument(), candles, trades, mark, funding, from_ns, to_ns)


def events(recorded):
    return list(recorded.events)


@pytest.fixture
def write(tmp_path):
    def to(name, content):
        path = tmp_path / name
        if isinstance(content, str):
            path.write_text(content)
        elif path.suffix == ".csv":
            content.write_csv(path)
        else:
            content.write_parquet(path)
        return path

    return to


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_candles_become_bars_that_are_known_at_their_close(write, suffix):
    bars = events(market(write(f"c.{suffix}", frame())))
    assert bars[0] == Bar(
        BTC,
        START_NS + MINUTE_NS,
        60,
        Decimal("100.0"),
        Decimal("101.5"),
        Decimal("99.5"),
        Decimal("101.0"),
        Decimal("1.5"),
    )
    assert [str(bar.close) for bar in bars] == ["101.0", "102.0", "103.0"]


def test_times_may_be_times(write):
    times = pl.Series([START_NS, START_NS + MINUTE_NS, START_NS + 2 * MINUTE_NS]).cast(pl.Datetime("ns", "UTC"))
    path = write("c.parquet", frame(ts=None).with_columns(time=times))
    assert next(bar.time_ns for bar in events(market(path))) == START_NS + MINUTE_NS


def test_volume_may_be_missing(write):
    assert events(market(write("c.parquet", frame(volume=None))))[0].volume == 0
    assert events(market(write("d.parquet", frame(volume=[None, 1.0, 2.0]))))[0].volume == 0


def test_trades_become_trades(write):
    table = pl.DataFrame(
        {"ts": [START_NS, START_NS + 1], "price": [100.0, 100.1], "contracts": [1.5, 2.0], "side": ["buy", "sell"]}
    )
    assert events(market(trades=write("t.parquet", table))) == [
        Trade(BTC, START_NS, Decimal("100.0"), Decimal("1.5"), Side.BUY),
        Trade(BTC, START_NS + 1, Decimal("100.1"), Decimal("2.0"), Side.SELL),
    ]
    without_side = market(trades=write("u.csv", table.drop("side")))
    assert events(without_side)[1].aggressor is Side.BUY
    assert without_side.history(BTC, 60, 5) == ()


def test_marks_come_before_their_bar_and_the_last_price_stands_in_where_there_is_none(write):
    marks = frame(volume=None, close=[100.5, 101.5, 102.5]).head(2)
    recorded = market(write("c.parquet", frame()), mark=write("m.parquet", marks))
    made = events(recorded)
    assert [(type(event), event.price if isinstance(event, MarkPrice) else event.close) for event in made] == [
        (MarkPrice, Decimal("100.5")),
        (Bar, Decimal("101.0")),
        (MarkPrice, Decimal("101.5")),
        (Bar, Decimal("102.0")),
        (MarkPrice, Decimal("103.0")),
        (Bar, Decimal("103.0")),
    ]
    assert [recorded.mark_range(event)[1] for event in made if isinstance(event, MarkPrice)] == [True, True, False]
    assert recorded.report.without_mark == 1


def test_funding_settles_after_the_bar_that_ends_with_it_and_stamps_are_rounded(write):
    table = pl.DataFrame({"ts": [START_NS + 2 * MINUTE_NS + 7_000_000], "funding_rate": [0.0001]})
    made = events(market(write("c.parquet", frame()), funding=write("f.parquet", table)))
    assert [type(event) for event in made] == [Bar, Bar, FundingRate, Bar]
    assert (made[2].rate, made[2].settles_ns) == (Decimal("0.0001"), START_NS + 2 * MINUTE_NS)


def test_a_part_of_the_file_with_the_rest_as_history(write):
    recorded = market(write("c.parquet", frame()), from_ns=START_NS + 2 * MINUTE_NS, to_ns=START_NS + 9 * MINUTE_NS)
    assert [bar.close for bar in recorded.history(BTC, 60, 5)] == [Decimal(101), Decimal(102)]
    assert [bar.close for bar in recorded.history(BTC, 120, 5)] == [Decimal(102)]
    assert recorded.history(BTC, 90, 5) == ()
    assert recorded.start_ns == START_NS + 2 * MINUTE_NS
    assert [bar.close for bar in events(recorded)] == [Decimal(103)]


def test_what_is_odd_is_counted(write):
    odd = frame(
        ts=[START_NS, START_NS + MINUTE_NS, START_NS + 5 * MINUTE_NS],
        close=[101.03, 102.0, 103.0],
    )
    report = market(write("c.parquet", pl.concat([odd, frame().with_columns(ts=pl.col("ts") + 6 * MINUTE_NS)]))).report
    assert (report.rows, report.gaps, report.rounded_to_tick) == (6, 1, 1)


def test_it_goes_on_where_it_was(write):
    path = write("c.parquet", frame())
    first, again = market(path), market(path)
    assert again.state() == first.state()
    next(first.events)
    again.restore(first.state())
    assert events(again) == events(first)


BAD = [
    ("c.parquet", frame().clear(), "has no rows"),
    ("c.parquet", frame(close=None), "has no column close; it has"),
    ("c.parquet", frame().reverse(), "row 2: time goes backwards"),
    ("c.parquet", pl.concat([frame(), frame().tail(1)]), "row 4: time is there twice"),
    ("c.parquet", frame(ts=[START_NS, None, START_NS + MINUTE_NS]), "row 2: time is missing"),
    ("c.parquet", frame(ts=["a", "b", "c"]), "column time is String"),
    ("c.parquet", frame(close=[101.0, float("nan"), 103.0]), "row 2: close is nan, not a positive number"),
    ("c.parquet", frame(close=[101.0, None, 103.0]), "row 2: close is None"),
    ("c.parquet", frame(open=[0.0, 101.0, 102.0]), "row 1: open is 0.0"),
    ("c.parquet", frame(low=[99.5, 100.5, -1.0]), "row 3: low is -1.0"),
    ("c.parquet", frame(high=[float("inf"), 102.5, 103.5]), "row 1: high is inf"),
    ("c.parquet", frame(high=[101.5, 99.0, 103.5]), "row 2: open and close do not lie between high and low"),
    ("c.parquet", frame(open=["1", "b", "c"]), "row 2: column open is String, not a number"),
    ("c.parquet", frame(volume=["1", "2", "x"]), "row 3: column volume is String, not a number"),
    ("c.parquet", frame(volume=[1.0, -5.0, 2.0]), "row 2: volume is -5.0, neither a volume nor missing"),
    ("c.parquet", frame(volume=[1.0, float("nan"), 2.0]), "row 2: volume is nan, neither a volume nor missing"),
    ("c.parquet", times(10**9), "row 1: time is 1767225600, which as nanoseconds since 1970 does not lie in the years"),
    ("c.parquet", times(10**9), "these look like seconds: multiply them by 1000000000"),
    ("c.parquet", times(10**6), "these look like milliseconds: multiply them by 1000000"),
    ("c.parquet", times(10**3), "these look like microseconds: multiply them by 1000"),
    ("c.parquet", frame(ts=[1, 2, 3]), "row 1: time is 1, which as nanoseconds since 1970 does not lie in the years"),
    ("c.parquet", frame(ts=[START_NS, 2**63, 2**63]), "row 2: time is 9223372036854775808, which as nanoseconds"),
    ("c.csv", frame(ts=["2026-01-01", "2026-01-02", "2300-01-01"]), "row 3: time is 2300-01-01, which does not lie in"),
    ("c.parquet", frame().head(1), "has one row: the length of a bar cannot be told"),
    ("c.parquet", frame(ts=[START_NS, START_NS + 7, START_NS + 14]), "follow each other by 7 ns"),
    ("c.parquet", "no parquet at all", "cannot be read"),
    ("c.json", "{}", "is neither .parquet nor .csv"),
]


@pytest.mark.parametrize(("name", "content", "why"), BAD, ids=[why for _, _, why in BAD])
def test_bad_candles_are_refused_with_file_row_and_reason(write, name, content, why):
    path = write(name, content)
    with pytest.raises(BadDataFile) as refused:
        market(path)
    assert why in str(refused.value)
    assert str(path) in str(refused.value)


MISSING = [
    ("btc.parquet", ["btc.csv", "eth.csv"], "there is no such file in {folder}: did you mean btc.csv?"),
    ("candels", ["candles.parquet", "x.csv"], "there is no such file in {folder}: did you mean candles.parquet?"),
    ("btc.csv", ["q.csv", "w.parquet", "n.txt"], "in {folder}; the data files there are q.csv, w.parquet"),
    ("btc.csv", [f"{name}.csv" for name in "uvwxyz"], "are u.csv, v.csv, w.csv, x.csv, y.csv, ..."),
    ("btc.csv", ["n.txt"], "in {folder}, and no other data file either: give the path of one"),
    ("deep/btc.csv", ["btc.csv"], "there is no such file, for there is no folder {folder}/deep"),
    (".", ["btc.csv"], "is a folder: name a .parquet or .csv file in it"),
]


@pytest.mark.parametrize(("name", "others", "why"), MISSING, ids=[why for _, _, why in MISSING])
def test_a_file_that_is_not_there_is_said_with_where_it_was_looked_for_and_what_is_there(tmp_path, name, others, why):
    for other in others:
        (tmp_path / other).write_text("")
    with pytest.raises(BadDataFile) as refused:
        market(tmp_path / name)
    assert str(refused.value).startswith(f"data file {tmp_path / name}: ")
    assert why.format(folder=tmp_path) in str(refused.value)


def test_times_outside_of_the_file(write):
    with pytest.raises(BadDataFile, match="has no rows between the times asked for"):
        market(write("c.parquet", frame()), from_ns=START_NS + 99 * MINUTE_NS)


def test_a_rate_that_is_none(write):
    table = pl.DataFrame({"ts": [START_NS], "funding_rate": [float("nan")]})
    with pytest.raises(BadDataFile, match="row 1: funding_rate is nan, not a rate"):
        market(write("c.parquet", frame()), funding=write("f.parquet", table))


def test_a_volume_that_is_nowhere_is_missing(write):
    """As a text file has it: a column of empty places, which is none of numbers."""
    rows = "\n".join(f"{START_NS + index * MINUTE_NS},100,101,99,100," for index in range(3))
    assert events(market(write("c.csv", f"ts,open,high,low,close,volume\n{rows}")))[0].volume == 0


def test_rates_that_are_texts(write):
    table = pl.DataFrame({"ts": [START_NS, START_NS + 1], "funding_rate": ["0.0001", "high"]})
    with pytest.raises(BadDataFile, match="row 2: column funding_rate is String, not a number"):
        market(write("c.parquet", frame()), funding=write("f.csv", table))


@pytest.mark.parametrize("side", ["banana", None])
def test_a_side_that_is_none(write, side):
    table = pl.DataFrame({"ts": [START_NS, START_NS], "price": 1.0, "contracts": 1.0, "side": ["SELL", side]})
    with pytest.raises(BadDataFile, match=f"row 2: side is {side}, neither buy nor sell"):
        market(trades=write("t.parquet", table))


@pytest.mark.parametrize("factor", [0.05, 2.1])
def test_marks_of_another_symbol_are_refused(write, factor):
    """In the median: a mark that is far off for a moment is one that liquidates."""
    columns = [pl.col(name) * factor for name in ("open", "high", "low", "close")]
    with pytest.raises(BadDataFile, match=rf"m\.parquet: does not fit .*c\.parquet: in the median .* {factor} times"):
        market(write("c.parquet", frame()), mark=write("m.parquet", frame().with_columns(columns)))
    one = frame(open=[100.0, 1.0, 102.0], low=[99.5, 1.0, 101.5], close=[101.0, 1.0, 103.0])
    assert market(write("c.parquet", frame()), mark=write("m.parquet", one)).report.without_mark == 0


YEAR_NS = 365 * 24 * 60 * MINUTE_NS


@pytest.mark.parametrize("years", [-1, 1])
def test_marks_and_funding_of_another_year_are_refused(write, years):
    """A settlement of the same day need not lie within the few minutes of the candles."""
    candles = write("c.parquet", frame())
    with pytest.raises(BadDataFile, match=r"m\.parquet: is of 202[57].*, and .*c\.parquet of 2026"):
        market(candles, mark=write("m.parquet", frame().with_columns(ts=pl.col("ts") + years * YEAR_NS)))
    funding = pl.DataFrame({"ts": [START_NS + years * YEAR_NS], "funding_rate": [0.0001]})
    with pytest.raises(BadDataFile, match=r"f\.parquet: is of 202[57].*, and .*c\.parquet of 2026"):
        market(candles, funding=write("f.parquet", funding))
    near = pl.DataFrame({"ts": [START_NS + years * 8 * 60 * MINUTE_NS], "funding_rate": [0.0001]})
    assert len(market(candles, funding=write("f.parquet", near)).settlements) == 1


def test_neither_candles_nor_trades():
    with pytest.raises(ValueError, match="candles or trades"):
        market()


@real
def test_a_real_month():
    recorded = market(DATA / "btcperp_1m_2022-01.parquet", listed=instrument(tick_size="1"))
    assert (recorded.report.rows, recorded.report.rounded_to_tick) == (45_031, 41)
    assert sum(1 for _ in recorded.events) == 45_031


@real
def test_real_marks_end_before_the_prices():
    xrp = instrument("XRP/USDT:USDT", tick_size="0.0001", lot_size="0.1")
    recorded = market(
        DATA / "xrpusdt_binance_perp_1h.parquet",
        mark=DATA / "xrpusdt_binance_mark_1h.parquet",
        funding=DATA / "xrpusdt_binance_funding_8h.parquet",
        listed=xrp,
    )
    made = events(recorded)
    assert recorded.report.without_mark > 0
    assert sum(isinstance(event, FundingRate) for event in made) > 5
