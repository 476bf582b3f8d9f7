"""The embedded exchange as an adapter: its end, its pace, and how it comes back from the journal."""

from decimal import Decimal

import pytest
from loguru import logger

from app.domain.events import Fill, OrderAccepted
from app.domain.market import MarkPrice
from app.domain.order import OrderType, Side
from app.domain.records import StateSaved
from app.exchanges.simulated import SimulatedExchange, adapter
from app.settings.models import AccountSettings
from app.settings.simulated import InstrumentSettings, SimulatedSettings
from tests.builders import BTC, ETH, limit, order
from tests.exchanges.test_recorded import frame
from tests.fakes.journal import FakeJournal


def settings(**changes):
    listed = (InstrumentSettings(symbol=BTC, price_start=Decimal(100)),)
    return SimulatedSettings(**({"instruments": listed, "speed": 0.0, "deposit": Decimal(10_000)} | changes))


async def opened(journal=None, *, resumable=False, **changes):
    made = SimulatedExchange(settings(**changes), AccountSettings(), journal or FakeJournal(), resumable=resumable)
    await made.connect()
    return made


def take(exchange, count):
    return [exchange.next_event() for _ in range(count)]


@pytest.fixture
def candles(tmp_path):
    path = tmp_path / "candles.parquet"
    frame().write_parquet(path)
    return path


async def test_the_end_of_the_data_ends_the_stream_after_everything_was_told(candles):
    exchange = await opened(candles=candles, latency_ms=60_000)
    take(exchange, 3)
    exchange.submit(order("late"))
    assert not exchange.ended
    assert isinstance(exchange.next_event(), OrderAccepted)
    assert exchange.next_event() is None
    assert exchange.ended
    exchange.cancel(order("late"), "stop")
    assert not exchange.ended
    assert type(exchange.next_event()).__name__ == "OrderCanceled"
    await exchange.wait()


async def test_it_ends_after_the_market_time_asked_for():
    exchange = await opened(duration_s=2.0)
    seen = []
    while not exchange.ended:
        event = exchange.next_event()
        if event is not None:
            seen.append(event.time_ns)
    assert (max(seen) - min(seen)) / 1e9 <= 2


async def test_it_keeps_its_pace(monkeypatch):
    """At 60 times real time, a second of the market is due after a sixtieth of a second."""
    now = [1000.0]
    monkeypatch.setattr(adapter, "perf_counter", lambda: now[0])
    exchange = await opened(speed=60.0)
    first = list(iter(exchange.next_event, None))
    now[0] += 0.9 / 60
    assert exchange.next_event() is None
    now[0] += 0.2 / 60
    assert exchange.next_event().time_ns - max(event.time_ns for event in first) <= 1_000_000_000


async def test_a_request_ends_the_wait(monkeypatch):
    exchange = await opened(speed=0.001)
    while exchange.next_event() is not None:
        pass
    exchange.submit(order("a"))
    await exchange.wait()
    assert exchange.next_event().client_order_id == "a"


async def test_waiting_is_bounded():
    exchange = await opened(speed=0.001)
    while exchange.next_event() is not None:
        pass
    await exchange.wait()


async def test_marks_of_a_file_are_used(candles, tmp_path):
    marks = tmp_path / "mark.parquet"
    frame(volume=None).write_parquet(marks)
    exchange = await opened(candles=candles, mark=marks)
    assert isinstance(exchange.next_event(), MarkPrice)


async def test_what_was_noticed_in_a_file_is_told(tmp_path):
    """Seconds 0, 1 and 3 of four, and marks of the first two alone."""
    path, marks = tmp_path / "candles.parquet", tmp_path / "mark.parquet"
    frame_of(4)[[0, 1, 3]].write_parquet(path)
    frame_of(2).drop("volume").write_parquet(marks)
    told = []
    sink = logger.add(lambda message: told.append(message.record), level="INFO")
    await opened(candles=path, mark=marks)
    logger.remove(sink)
    assert [(line["level"].name, line["message"]) for line in told] == [
        ("WARNING", "recorded data: 3 rows, 1 gaps, 1 bars without a mark price")
    ]


@pytest.mark.parametrize("source", ["generated", "recorded"])
async def test_a_restart_goes_on_event_for_event(source, tmp_path):
    """Working orders, a trailing stop, a pair and a request on its way: all of it comes back."""
    path = tmp_path / "long.parquet"
    rows = 400
    frame_of(rows).write_parquet(path)
    changes = {"candles": path} if source == "recorded" else {}
    changes |= {"latency_ms": 1500.0, "latency_jitter_ms": 500.0, "partial_fill_ratio": Decimal("0.5")}
    journal = FakeJournal()
    first = await opened(journal, resumable=True, **changes)
    take(first, 30)
    first.submit(order("long", contracts="2"))
    take(first, 30)
    first.submit(order("t", Side.SELL, type=OrderType.TRAILING_STOP, trailing_offset="9", reduce_only=True))
    first.submit(limit("l", price="60"))
    first.submit(order("s", Side.SELL, type=OrderType.STOP_MARKET, trigger_price="55", reduce_only=True, oco_group="g"))
    take(first, 40)
    first.submit(order("on-its-way", contracts="1"))
    await first.close()

    second = await opened(journal.crashed(), resumable=True, **changes)
    assert second.now_ns == first.now_ns
    assert take(second, 200) == take(first, 200)
    assert await second.balance() == await first.balance()


@pytest.mark.parametrize("seen", range(1, 12))
async def test_a_symbol_that_is_not_listed_any_more_is_silent_after_a_restart(seen):
    """Wherever between two symbols' events the run before has ended."""
    both = tuple(InstrumentSettings(symbol=symbol, price_start=Decimal(100)) for symbol in (BTC, ETH))
    journal = FakeJournal()
    first = await opened(journal, resumable=True, instruments=both)
    take(first, seen)
    await first.close()
    second = await opened(journal.crashed(), resumable=True)
    assert {event.symbol for event in take(second, 50)} == {BTC}


def frame_of(rows):
    import polars as pl

    closes = [100 + (index % 17) - (index % 5) for index in range(rows)]
    return pl.DataFrame(
        {
            "ts": [1_767_225_600_000_000_000 + index * 1_000_000_000 for index in range(rows)],
            "open": [float(close) for close in closes],
            "high": [close + 1.0 for close in closes],
            "low": [close - 1.0 for close in closes],
            "close": [float(close) for close in closes],
            "volume": [2.0] * rows,
        }
    )


async def test_the_journal_knows_before_the_bot_does():
    """The state that holds a fill is saved before the fill is handed out."""
    journal = FakeJournal()
    exchange = await opened(journal, resumable=True)
    take(exchange, 10)
    exchange.submit(order("a"))
    while not isinstance(exchange.next_event(), Fill):
        pass
    assert b'"a"' in journal.of(StateSaved)[-1].payload


async def test_a_failing_journal_does_not_stop_the_exchange():
    journal = FakeJournal()
    exchange = await opened(journal, resumable=True)
    take(exchange, 10)
    journal.fail("disk full")
    exchange.submit(order("a"))
    assert isinstance(exchange.next_event(), OrderAccepted)


async def test_without_a_store_nothing_is_saved():
    journal = FakeJournal()
    exchange = await opened(journal)
    take(exchange, 1000)
    await exchange.close()
    assert journal.of(StateSaved) == []


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"lot_size": "0"}, "greater than 0"),
        ({"tick_size": "-1"}, "greater than 0"),
        ({"contracts_min": "2", "contracts_max": "1"}, "contracts_max 1 is below contracts_min 2"),
    ],
)
def test_an_instrument_that_nothing_could_be_traded_by_is_no_setting(terms, said):
    with pytest.raises(ValueError, match=said):
        InstrumentSettings(symbol=BTC, **terms)
