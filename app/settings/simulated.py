"""The settings of the embedded exchange, and of what is recorded for it."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, model_validator

from app.domain.times import iso, parse_iso
from app.settings.section import IsoTime, NotNegative, Positive, Ratio, Section, Symbol


class TierSettings(Section):
    """A step of the margin table."""

    notional_max: Positive | None = Field(None, description="Upper edge; none is unbounded.")
    leverage_max: Positive = Decimal(50)
    maintenance_rate: Ratio = Decimal("0.01")
    maintenance_deduction: NotNegative = Decimal(0)


class InstrumentSettings(Section):
    """What a simulated instrument is like; a real exchange says this itself."""

    symbol: Symbol
    price_start: Positive = Field(Decimal(1000), description="First generated price.")
    volatility_ratio: Positive = Field(Decimal("0.6"), description="Generated yearly volatility; 0.6 is 60 %.")
    tick_size: Positive = Decimal("0.1")
    lot_size: Positive = Decimal("0.001")
    contract_size: Positive = Decimal(1)
    contracts_min: Positive = Decimal("0.001")
    contracts_max: Positive = Decimal(1_000_000)
    notional_min: NotNegative = Decimal(5)
    maker_fee_rate: Decimal = Field(Decimal("0.0002"), ge=Decimal("-0.01"), le=Decimal("0.01"))
    taker_fee_rate: Decimal = Field(Decimal("0.0005"), ge=Decimal("-0.01"), le=Decimal("0.01"))
    liquidation_fee_rate: NotNegative = Decimal("0.0125")
    funding_interval_s: int = Field(28_800, ge=60, le=604_800)
    inverse: bool = False
    margin_tiers: tuple[TierSettings, ...] = (TierSettings(),)

    @model_validator(mode="after")
    def _bounds_leave_room(self) -> "InstrumentSettings":
        if self.contracts_max < self.contracts_min:
            raise ValueError(f"contracts_max {self.contracts_max} is below contracts_min {self.contracts_min}")
        return self

    @model_validator(mode="after")
    def _tiers_rise(self) -> "InstrumentSettings":
        edges = [tier.notional_max for tier in self.margin_tiers]
        if not edges or edges[-1] is not None:
            raise ValueError("the last margin tier must have no notional_max")
        bounded = [edge for edge in edges[:-1] if edge is not None]
        if len(bounded) != len(edges) - 1 or bounded != sorted(set(bounded)):
            raise ValueError("margin tiers must have rising notional_max, and only the last may have none")
        return self


class RecordedSettings(Section):
    """Recorded market data of one symbol."""

    symbol: Symbol
    candles: Path | None = Field(None, description="Candle file (Parquet, CSV).")
    trades: Path | None = Field(None, description="Trade file instead of candles.")
    mark: Path | None = Field(None, description="Mark-price candles; outside them the mark is the last price.")
    funding: Path | None = Field(None, description="Settled funding rates.")

    @model_validator(mode="after")
    def _one_source(self) -> "RecordedSettings":
        if (self.candles is None) == (self.trades is None):
            raise ValueError(f"{self.symbol} needs candles or trades, and not both")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are named."""
        return tuple(path for path in (self.candles, self.trades, self.mark, self.funding) if path is not None)


FILE_KEYS = ("candles", "trades", "mark", "funding")


class SimulatedSettings(Section):
    """The embedded exchange: its data, its speed, and how it fills."""

    instruments: tuple[InstrumentSettings, ...] = Field(
        (
            InstrumentSettings(symbol="BTC/USDT:USDT", price_start=Decimal(60_000)),
            InstrumentSettings(
                symbol="ETH/USDT:USDT", price_start=Decimal(3_000), tick_size=Decimal("0.01"), lot_size=Decimal("0.01"),
                contracts_min=Decimal("0.01"), volatility_ratio=Decimal("0.8"),
            ),
            InstrumentSettings(
                symbol="SOL/USDT:USDT", price_start=Decimal(150), tick_size=Decimal("0.01"), lot_size=Decimal("0.1"),
                contracts_min=Decimal("0.1"), volatility_ratio=Decimal(1),
            ),
        ),
        min_length=1,
        description="What is listed.",
    )  # fmt: skip
    deposit: Positive = Field(Decimal(100_000), description="Money in the account at its first start.")
    candles: Path | None = Field(None, description="Candle file (Parquet, CSV); none generates the market.")
    trades: Path | None = Field(None, description="Trade file instead of candles.")
    mark: Path | None = Field(None, description="Mark-price candles; outside them the mark is the last price.")
    funding: Path | None = Field(None, description="Settled funding rates.")
    data_symbol: Symbol | None = Field(None, description="Symbol of the files; none is the first instrument.")
    recorded: tuple[RecordedSettings, ...] = Field(
        (), description="Files of several symbols, instead of the four above; of equal times the first listed is first."
    )
    time_from: IsoTime | None = Field(None, description="First moment of the files to use, ISO 8601, UTC.")
    time_to: IsoTime | None = Field(None, description="Moment at which to end, ISO 8601, UTC.")
    duration_s: float | None = Field(None, gt=0, description="Market time after which to end.")
    seed: int = Field(1, ge=0, description="Seed of the generator: same seed, same data, byte for byte.")
    start: IsoTime = Field("2026-01-01T00:00:00Z", description="First moment of the generated market.")
    step_s: int = Field(1, ge=1, le=3600, description="Seconds between generated prices.")
    speed: float = Field(60.0, ge=0, le=1_000_000, description="Virtual seconds a second; 0 is as fast as it can.")
    fill_at: Literal["next_event", "signal_close"] = Field(
        "next_event", description="signal_close fills at the price the decision was made on: for comparisons only."
    )
    spread_ticks: NotNegative = Field(Decimal(1), description="Distance of bid and ask in candle and trade data.")
    slippage_ratio: NotNegative = Field(Decimal(0), description="Extra price against a taker, of the price.")
    impact_ratio: NotNegative = Field(Decimal(0), description="Extra price for taking a whole bar's volume.")
    latency_ms: float = Field(0.0, ge=0, le=60_000, description="From sending until the exchange has it.")
    latency_jitter_ms: float = Field(0.0, ge=0, le=60_000, description="Seeded, uniform, on top of it.")
    partial_fill_ratio: Ratio = Field(
        Decimal(1), description="Share of the seen volume that one order may take; 1: all."
    )

    @model_validator(mode="after")
    def _one_source(self) -> "SimulatedSettings":
        if self.candles and self.trades:
            raise ValueError("give candles or trades, not both")
        listed = [instrument.symbol for instrument in self.instruments]
        if len(set(listed)) != len(listed):
            raise ValueError("a symbol is listed twice")
        if self.time_from and self.time_to and parse_iso(self.time_from) >= parse_iso(self.time_to):
            raise ValueError(f"it begins at {self.time_from} and ends at {self.time_to}, which is no later")
        if self.recorded and any((self.candles, self.trades, self.mark, self.funding, self.data_symbol)):
            raise ValueError("give the files of one symbol, or those of several in recorded, not both")
        recorded = [data.symbol for data in self.data]
        if len(set(recorded)) != len(recorded):
            raise ValueError("a symbol has recorded data twice")
        for symbol in recorded:
            if symbol not in listed:
                raise ValueError(f"there is data of {symbol}, which is none of the instruments: {', '.join(listed)}")
        return self

    def between(self, from_ns: int, to_ns: int | None = None) -> "SimulatedSettings":
        """Return the same with a part of the files; UTC nanoseconds, without an end up to theirs."""
        ends = {} if to_ns is None else {"time_to": iso(to_ns)}
        return self.model_copy(update={"time_from": iso(from_ns), **ends})

    def moved(self, paths: Mapping[Path, Path]) -> "SimulatedSettings":
        """Return the same with other names of the files."""
        recorded = tuple(_moved(data, paths) for data in self.recorded)
        return _moved(self, paths).model_copy(update={"recorded": recorded})

    @property
    def data(self) -> tuple[RecordedSettings, ...]:
        """The recorded data of each symbol that has some, in the order in which equal times come; empty generates."""
        if self.candles is None and self.trades is None:
            return self.recorded
        symbol = self.data_symbol or self.instruments[0].symbol
        return (
            RecordedSettings(
                symbol=symbol, candles=self.candles, trades=self.trades, mark=self.mark, funding=self.funding
            ),
        )


Files = TypeVar("Files", RecordedSettings, SimulatedSettings)


def _moved(section: Files, paths: Mapping[Path, Path]) -> Files:
    named = {key: paths.get(path, path) for key in FILE_KEYS if (path := getattr(section, key)) is not None}
    return section.model_copy(update=named)
