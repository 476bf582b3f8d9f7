"""Recorded market data: candles or trades from a file, with marks and funding from others, as one sequence of events.

At the close of a bar the mark comes first, then the bar, then the funding that settled at that moment. Where the mark
file has no price the bar's own stand in for it, and are said to.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, islice, repeat
from operator import length_hint
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from app.domain.bars import BarAggregator
from app.domain.instrument import Instrument
from app.domain.market import SECOND_NS, Bar, FundingRate, MarketEvent, MarkPrice, Trade
from app.domain.money import ZERO
from app.domain.order import Side
from app.domain.times import iso, parse_iso
from app.exchanges.matching import PriceRange
from app.exchanges.simulated.columns import PRICES, check_bars, check_rates, check_trades, read_columns
from app.exchanges.simulated.errors import BadDataFile
from app.exchanges.simulated.translate import instrument_from
from app.settings.simulated import RecordedSettings, SimulatedSettings

if TYPE_CHECKING:
    import polars as pl

ROUNDED_RATIO_MAX = 0.001
"""Part of a price that rounding it to the tick may take away or add."""
MARK_RATIO_MAX = 2.0
"""Between marks and closes of the same bars, in the median: a perpetual's never come apart so far for long."""
SETTLES_EVERY_NS_MAX = 86_400 * SECOND_NS
"""Settlements that end or begin by more than a day outside of the candles are of another time."""
CHUNK_ROWS = 2000
"""Rows that are events at once: enough to spread the cost of a slice, few enough to stay in the processor's caches."""


class DataReport(msgspec.Struct):
    """What was noticed in the files, for people."""

    rows: int = 0
    gaps: int = 0
    rounded_to_tick: int = 0
    without_mark: int = 0
    """Bars that the mark file has no price for."""

    def __str__(self) -> str:
        noticed = [
            (self.gaps, "gaps"),
            (self.rounded_to_tick, "prices rounded to the tick"),
            (self.without_mark, "bars without a mark price"),
        ]
        return ", ".join([f"{self.rows} rows", *(f"{count} {what}" for count, what in noticed if count)])


class _Position(msgspec.Struct):
    row: int
    offset: int


class RecordedMarket:
    """Implements ``MarketSource`` over files of one symbol."""

    def __init__(
        self,
        instrument: Instrument,
        candles: Path | None,
        trades: Path | None,
        mark: Path | None,
        funding: Path | None,
        from_ns: int | None,
        to_ns: int | None,
    ) -> None:
        self.report = DataReport()
        self._instrument = instrument
        self._tick = float(instrument.tick_size)
        if candles is not None:
            self._path, self._frame = candles, read_columns(candles, PRICES, ("volume",))
            check_bars(candles, self._frame)
            self._events_of: Callable[[pl.DataFrame], list[MarketEvent]] = self._bars
            self._interval_s = self._infer_interval()
        elif trades is not None:
            self._path, self._frame = trades, read_columns(trades, ("price", "contracts"), ("side",), repeats=True)
            check_trades(trades, self._frame)
            self._events_of, self._interval_s = self._trades, 0
        else:
            raise ValueError("a recorded market needs candles or trades")
        self._marks = {} if mark is None else self._read_marks(mark)
        self._has_marks = mark is not None
        self._funding = [] if funding is None else self._read_funding(funding)
        self._first, self._end = self._bounds(from_ns, to_ns)
        self._row = self._first
        """Where the rows begin that are events now."""
        self._rows = self._count = 0
        """How many rows those are, and how many events."""
        self._chunk: Iterator[MarketEvent] = iter(())
        """Those of them that are still to come."""
        # No step of Python's own for each event of a run.
        self.events: Iterator[MarketEvent] = chain.from_iterable(self._chunks())
        """The events that are still to come."""
        self._look_over()
        # Once for the whole file: a chunk is too small to spread what starting a column's operation costs.
        names = PRICES if self._interval_s else ("price",)
        self._frame = self._frame.with_columns([self._ticks(self._frame, name) for name in names])

    # -- MarketSource --------------------------------------------------------------------------------------------

    @property
    def interval_s(self) -> int:
        """Length of the bars; 0 for trades."""
        return self._interval_s

    @property
    def extent(self) -> tuple[int, int, int]:
        """When the first row that is used opens, when the last one is over, and how many there are."""
        times = self._frame["time"]
        lasts_ns = max(1, self._interval_s) * SECOND_NS
        return int(times[self._first]), int(times[self._end - 1]) + lasts_ns, self._end - self._first

    @property
    def symbol(self) -> str:
        """What it is of."""
        return self._instrument.symbol

    @property
    def start_ns(self) -> int:
        """Time of the first row that is used."""
        return int(self._frame["time"][self._first])

    def mark_range(self, mark: MarkPrice) -> tuple[PriceRange, bool] | None:
        """Return the mark prices of the whole bar that ``mark`` closes, and whether they come from the mark file."""
        return self._marks.get(mark.time_ns)

    def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return bars of the rows before the first that is used; empty without candles before it."""
        if (
            not self._interval_s
            or interval_s % self._interval_s
            or not self._first
            or symbol != self._instrument.symbol
        ):
            return ()
        rows = count * (interval_s // self._interval_s)
        before = self._bars(self._frame.slice(max(0, self._first - rows), min(rows, self._first)), plain=True)
        aggregator = BarAggregator(symbol, interval_s)
        bars = [bar for bar in before if isinstance(bar, Bar)]
        if interval_s == self._interval_s:
            return tuple(bars[-count:])
        return tuple(longer for bar in bars if (longer := aggregator.on_bar(bar)) is not None)[-count:]

    # -- as a table ----------------------------------------------------------------------------------------------

    @property
    def settlements(self) -> Sequence[tuple[int, Decimal]]:
        """When funding settled, UTC nanoseconds, and at which rate; all that the file has."""
        return self._funding

    def table(self, before: int) -> tuple["pl.DataFrame", int]:
        """Return the rows that are used, led by up to ``before`` rows of history, and how many those are.

        Prices are int64 in ticks; ``time`` is when a bar opened, int64 UTC nanoseconds.
        """
        led = min(before, self._first)
        return self._frame.slice(self._first - led, self._end - self._first + led), led

    def volumes(self, frame: "pl.DataFrame") -> list[Decimal]:
        """Return the volumes of the rows of ``table``; zero is unknown."""
        return self._volumes(frame)

    def state(self) -> bytes:
        """Return where it is."""
        return msgspec.json.encode(_Position(self._row, self._count - length_hint(self._chunk)))

    def restore(self, payload: bytes) -> None:
        """Go on where ``state`` was taken. There more rows may have been events at once."""
        position = msgspec.json.decode(payload, type=_Position)
        self._row, self._rows, self._count, self._chunk = position.row, 0, 0, iter(())
        self.events = chain.from_iterable(self._chunks())
        next(islice(self.events, position.offset, position.offset), None)

    # -- chunks --------------------------------------------------------------------------------------------------

    def _chunks(self) -> Iterator[Iterator[MarketEvent]]:
        while (row := self._row + self._rows) < self._end:
            self._row, self._rows = row, min(CHUNK_ROWS, self._end - row)
            events = self._events_of(self._frame.slice(row, self._rows))
            self._count, self._chunk = len(events), iter(events)
            yield self._chunk

    def _bars(self, frame: "pl.DataFrame", *, plain: bool = False) -> list[MarketEvent]:
        interval_s = self._interval_s
        closes_ns = (frame["time"] + interval_s * SECOND_NS).to_list()
        columns = [self._decimals(frame[name]) for name in PRICES]
        # Bars are made by map, which needs no bytecode for each: it is done for every bar of a run.
        bars: list[MarketEvent] = list(
            map(Bar, repeat(self._instrument.symbol), closes_ns, repeat(interval_s), *columns, self._volumes(frame))
        )
        if plain or not (self._has_marks or self._funding):
            return bars
        events: list[MarketEvent] = []
        for bar in bars:
            if isinstance(bar, Bar):
                events += self._around(bar)
        return events

    def _around(self, bar: Bar) -> list[MarketEvent]:
        """Return the mark before a bar, the bar, and the funding after it."""
        events: list[MarketEvent] = []
        if self._has_marks:
            if bar.time_ns not in self._marks:
                self._marks[bar.time_ns] = (PriceRange(bar.open, bar.high, bar.low, bar.close), False)
            events.append(MarkPrice(bar.symbol, bar.time_ns, self._marks[bar.time_ns][0].close))
        events.append(bar)
        first = bisect_left(self._funding, (bar.open_ns + 1, ZERO))
        for time_ns, rate in self._funding[first:]:
            if time_ns > bar.time_ns:
                break
            events.append(FundingRate(bar.symbol, bar.time_ns, rate, time_ns))
        return events

    def _trades(self, frame: "pl.DataFrame") -> list[MarketEvent]:
        symbol, prices = self._instrument.symbol, self._decimals(frame["price"])
        sizes = [Decimal(text or 0) for text in self._texts(frame, "contracts")]
        sides = frame["side"].to_list() if "side" in frame.columns else ["buy"] * len(prices)
        return [
            Trade(symbol, time_ns, price, size, Side.SELL if str(side).lower() == "sell" else Side.BUY)
            for time_ns, price, size, side in zip(frame["time"].to_list(), prices, sizes, sides, strict=True)
        ]

    def _ticks(self, frame: "pl.DataFrame", name: str) -> "pl.Series":
        """Return a column of prices as numbers of ticks; a positive one that rounds to nothing is one tick."""
        import polars as pl  # noqa: PLC0415 - imported already, by whoever read the file

        return (frame[name] / self._tick).round().clip(1.0).cast(pl.Int64)

    def _decimals(self, ticks: "pl.Series") -> list[Decimal]:
        """Return a column of prices."""
        tick_size = self._instrument.tick_size
        return [tick_size * number for number in ticks.to_list()]

    def _volumes(self, frame: "pl.DataFrame") -> list[Decimal]:
        if "volume" not in frame.columns:
            return [ZERO] * len(frame)
        texts = self._texts(frame, "volume")
        if None in texts:
            return [ZERO if text is None else Decimal(text) for text in texts]
        return list(map(Decimal, texts))  # type: ignore[arg-type] # the line above says so

    @staticmethod
    def _texts(frame: "pl.DataFrame", name: str) -> list[str | None]:
        import polars as pl  # noqa: PLC0415 - as above

        return frame[name].cast(pl.String).to_list()

    # -- the files -----------------------------------------------------------------------------------------------

    def _infer_interval(self) -> int:
        if len(self._frame) < 2:
            raise BadDataFile(self._path, "has one row: the length of a bar cannot be told")
        step_ns = int(self._frame["time"].diff().drop_nulls().mode().min())  # type: ignore[arg-type] # int64 column
        if step_ns % SECOND_NS:
            raise BadDataFile(self._path, f"bars follow each other by {step_ns} ns, not by whole seconds")
        return step_ns // SECOND_NS

    def _read_marks(self, path: Path) -> dict[int, tuple[PriceRange, bool]]:
        frame = read_columns(path, PRICES)
        check_bars(path, frame)
        self._refuse_other_marks(path, frame)
        columns = [self._decimals(self._ticks(frame, name)) for name in PRICES]
        close_ns = self._interval_s * SECOND_NS
        return {
            time_ns + close_ns: (PriceRange(*prices), True)
            for time_ns, *prices in zip(frame["time"].to_list(), *columns, strict=True)
        }

    def _read_funding(self, path: Path) -> list[tuple[int, Decimal]]:
        """Return settlements; venues stamp them some milliseconds late, so the stamps are rounded to the second."""
        frame = read_columns(path, ("funding_rate",))
        check_rates(path, frame)
        times, rates, opens = frame["time"], frame["funding_rate"], self._frame["time"]
        if times[-1] < opens[0] - SETTLES_EVERY_NS_MAX or times[0] > opens[-1] + SETTLES_EVERY_NS_MAX:
            raise BadDataFile(path, f"is of {_span(times)}, and {self._path} of {_span(opens)}")
        return [
            (round(time_ns / SECOND_NS) * SECOND_NS, Decimal(str(rate)))
            for time_ns, rate in zip(times.to_list(), rates.to_list(), strict=True)
        ]

    def _bounds(self, from_ns: int | None, to_ns: int | None) -> tuple[int, int]:
        times = self._frame["time"]
        first = 0 if from_ns is None else int(times.search_sorted(from_ns))
        end = len(times) if to_ns is None else int(times.search_sorted(to_ns))
        if first >= end:
            raise BadDataFile(self._path, "has no rows between the times asked for")
        return first, end

    def _look_over(self) -> None:
        report, used = self.report, self._frame.slice(self._first, self._end - self._first)
        report.rows = len(used)
        if not self._interval_s:
            return
        report.gaps = int((used["time"].diff().drop_nulls() > self._interval_s * SECOND_NS).sum())
        self._refuse_if_foreign(used["close"])
        for name in PRICES:
            ticks = used[name] / self._tick
            report.rounded_to_tick += int(((ticks - ticks.round()).abs() > 1e-6 * ticks.abs().clip(1, None)).sum())
        if self._has_marks:
            closes = (used["time"] + self._interval_s * SECOND_NS).to_list()
            report.without_mark = sum(1 for time_ns in closes if time_ns not in self._marks)

    def _refuse_other_marks(self, path: Path, marks: "pl.DataFrame") -> None:
        """Refuse marks of another market or time, whichever part of it is run: equity and liquidations go by them."""
        if not self._interval_s:
            return
        both = self._frame.join(marks, on="time", suffix="_mark")
        if both.is_empty():
            of = f"is of {_span(marks['time'])}, and {self._path} of {_span(self._frame['time'])}"
            raise BadDataFile(path, f"{of}: it has a price at none of its bars")
        ratio = float((both["close_mark"] / both["close"]).median())  # type: ignore[arg-type] # a column of floats
        if not 1 / MARK_RATIO_MAX <= ratio <= MARK_RATIO_MAX:
            why = f"in the median its prices are {ratio:.4g} times those. Is it of another symbol?"
            raise BadDataFile(path, f"does not fit {self._path}: {why}")

    def _refuse_if_foreign(self, prices: "pl.Series") -> None:
        """Refuse prices that the tick would make others of: results would be of no market at all."""
        moved = float(((prices / self._tick).round() * self._tick / prices - 1).abs().max())  # type: ignore[arg-type] # a column of floats
        if moved > ROUNDED_RATIO_MAX:
            raise BadDataFile(
                self._path,
                f"does not fit {self._instrument.symbol}: the tick of {self._instrument.tick_size} moves prices by up "
                f"to {moved:.2%}. Is it of another symbol? Set exchange.simulated.instruments for it",
            )


def _span(times: "pl.Series") -> str:
    return f"{iso(int(times[0]))} to {iso(int(times[-1]))}"


def open_recorded(settings: SimulatedSettings, data: RecordedSettings) -> RecordedMarket:
    """Return the market of one symbol's files, between the times that the settings give.

    Raises:
        BadDataFile: A file cannot be used.
    """
    return RecordedMarket(
        instrument_from(next(item for item in settings.instruments if item.symbol == data.symbol)),
        data.candles,
        data.trades,
        data.mark,
        data.funding,
        None if settings.time_from is None else parse_iso(settings.time_from),
        None if settings.time_to is None else parse_iso(settings.time_to),
    )
