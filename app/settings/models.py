"""The settings, one frozen model a section. Units stand last in the names; every limit has a default that binds."""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from app.domain.margin import MarginMode
from app.domain.times import iso, parse_iso
from app.settings.database_url import refusal_of

Positive = Annotated[Decimal, Field(gt=0)]
NotNegative = Annotated[Decimal, Field(ge=0)]
Ratio = Annotated[Decimal, Field(gt=0, le=1)]


def _is_time(text: str) -> str:
    try:
        parse_iso(text)
    except ValueError:
        raise ValueError("it is no ISO 8601 time, as 2022-01-05 or 2022-01-05T12:00:00Z are") from None
    return text


IsoTime = Annotated[str, AfterValidator(_is_time)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
SYMBOL_PATTERN = r"^[A-Z0-9]+/[A-Z0-9]+:[A-Z0-9]+$"


def _is_symbol(text: str) -> str:
    if not re.match(SYMBOL_PATTERN, text):
        raise ValueError("a symbol is written base/quote:settle, as in BTC/USDT:USDT")
    return text


Symbol = Annotated[str, AfterValidator(_is_symbol), Field(json_schema_extra={"pattern": SYMBOL_PATTERN})]
"""Base/quote:settle, as in BTC/USDT:USDT."""


class Section(BaseModel):
    """A section: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class AccountSettings(Section):
    """Whose money it is."""

    id: str = Field(
        "main", pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", description="Name of the account in ids and records."
    )
    currency: str = Field("USDT", pattern=r"^[A-Z0-9]+$", description="Settlement currency; one account has one.")
    margin_mode: MarginMode = Field(MarginMode.CROSS, description="cross: the whole account stands for a position.")
    leverage: Positive = Field(Decimal(5), description="Leverage set at the exchange; initial margin is notional / it.")


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


def _is_address(text: str) -> str:
    if not re.fullmatch("0x[0-9a-fA-F]{40}", text):
        raise ValueError("it is 0x and 40 hexadecimal digits")
    return text


def _is_private_key(key: SecretStr) -> SecretStr:
    if not re.fullmatch("(0x)?[0-9a-fA-F]{64}", key.get_secret_value()):
        raise ValueError("it is 64 hexadecimal digits, with 0x before them or without")
    return key


WalletAddress = Annotated[str, AfterValidator(_is_address)]
PrivateKey = Annotated[SecretStr, AfterValidator(_is_private_key)]


class CcxtSettings(Section):
    """A real venue, spoken to by ccxt. Its keys belong into the environment or a secrets folder, never into a file."""

    venue: Literal["binanceusdm", "bybit", "okx", "hyperliquid", "krakenfutures"] = "binanceusdm"
    demo: bool = Field(default=False, description="The venue's demo or test network: no real money.")
    experimental: bool = Field(default=False, description="Allow a venue that was only written by its documentation.")
    url: str | None = Field(
        None, pattern=r"^https?://[^/]+$", description="Stands in for every address of the venue: a proxy, a test."
    )
    api_key: SecretStr | None = None
    secret: SecretStr | None = None
    password: SecretStr | None = Field(None, description="okx calls it the passphrase.")
    wallet_address: WalletAddress | None = Field(None, description="hyperliquid: the account that is traded.")
    private_key: PrivateKey | None = Field(None, description="hyperliquid: of an agent wallet, which cannot withdraw.")
    accept_unknown: tuple[str, ...] = Field(
        (), description="Findings of doctor that cannot be told, and that you have seen to yourself: withdrawals."
    )
    request_timeout_s: Seconds = Field(8.0, description="For an answer; after it the outcome of an order is unknown.")
    requests_per_s_max: float = Field(10.0, ge=1, le=100, description="Cancels go first, then what reduces.")
    stream_silence_s_max: Seconds = Field(20.0, description="Without a mark price; then the stream is opened anew.")
    ping_every_s: Seconds = Field(15.0, description="Two pings unanswered, and a socket counts as dead.")
    key_refresh_s: Seconds = Field(
        1500.0, description="The account's stream is opened anew, before its key expires (binance: after an hour)."
    )
    dead_man_s: float | None = Field(
        None, ge=10, le=3600, description="Without progress for so long, the venue cancels what rests; none is off."
    )


class ExchangeSettings(Section):
    """Which exchange."""

    adapter: str = Field(
        "simulated",
        description="simulated; ccxt (a real venue); paper (its market, simulated fills); or the dotted path of yours.",
    )
    simulated: SimulatedSettings = SimulatedSettings()
    ccxt: CcxtSettings = CcxtSettings()


class SizingSettings(Section):
    """How large a position a strategy takes."""

    model: Literal["fixed_quantity", "fixed_notional", "equity_fraction", "volatility_target"] = "equity_fraction"
    quantity: Positive = Field(Decimal(1), description="fixed_quantity: base currency.")
    notional: Positive = Field(Decimal(1000), description="fixed_notional: settlement currency.")
    fraction: Positive = Field(Decimal("0.2"), description="equity_fraction: notional as a part of equity.")
    volatility_ratio: Positive = Field(
        Decimal("0.2"), description="volatility_target: yearly volatility of the position."
    )
    fraction_max: Positive = Field(Decimal(1), description="volatility_target: bound of notional / equity.")


class StrategySettings(Section):
    """One strategy and the symbols it has to itself."""

    strategy: str = Field(description="trend, breakout, mean_reversion, funding_carry, or a dotted path to a class.")
    symbols: tuple[Symbol, ...] = Field(min_length=1)
    params: dict[str, Any] = Field(default_factory=dict, description="Parameters of the strategy's own model.")
    sizing: SizingSettings = SizingSettings()


class RiskSettings(Section):
    """Limits. Orders that reduce a position pass all of them. A value of none switches a limit off."""

    # Each order, before it is sent.
    price_collar_ratio_max: Positive | None = Field(Decimal("0.05"), description="Distance of a limit from the mark.")
    mark_age_s_max: Seconds = Field(120.0, description="Age of the mark above which nothing grows.")
    order_contracts_max: Positive | None = None
    order_notional_max: Positive | None = Decimal(100_000)
    position_notional_max: Positive | None = Field(Decimal(200_000), description="Per symbol, working orders counted.")
    gross_exposure_ratio_max: Positive | None = Field(Decimal(4), description="Sum of notionals / equity.")
    net_exposure_ratio_max: Positive | None = Field(Decimal(4), description="Signed sum of notionals / equity.")
    leverage_max: Positive | None = Field(Decimal(5), description="Gross notional / equity of the account.")
    liquidation_distance_ratio_min: Ratio | None = Field(Decimal("0.05"), description="Of the mark, after the fill.")
    open_orders_max: int = Field(50, ge=1, le=10_000)
    orders_per_minute_max: int = Field(120, ge=1, le=1_000_000)
    duplicate_window_s: float = Field(1.0, ge=0, le=3600, description="An equal order within it is refused; 0 is off.")
    slippage_ratio_max: Positive | None = Field(Decimal("0.01"), description="Expected cost of a market order.")
    # Guards, all the time.
    daily_loss_ratio_max: Ratio | None = Field(Decimal("0.05"), description="Of the equity at 00:00 UTC.")
    drawdown_ratio_max: Ratio | None = Field(Decimal("0.20"), description="From the highest equity.")
    consecutive_losses_max: int | None = Field(8, ge=1)
    consecutive_losses_cooldown_s: float = Field(14_400.0, gt=0)
    liquidation_buffer_ratio_min: Ratio | None = Field(Decimal("0.03"), description="Distance of the mark to it.")
    mark_stale_s_max: Seconds = Field(180.0, description="Of a symbol with a position.")
    volatility_ratio_max: Positive | None = Field(Decimal(5), description="Yearly volatility of the mark.")
    volatility_window: int = Field(30, ge=2, le=10_000, description="Marks that it is measured over.")
    margin_ratio_max: Ratio | None = Field(Decimal("0.8"), description="Maintenance margin / equity.")
    funding_cost_ratio_max: Positive | None = Field(Decimal("0.02"), description="Funding paid in a UTC day / equity.")


class ExecutionSettings(Section):
    """How orders are worked."""

    stop_policy: Literal["cancel", "keep", "flatten"] = Field("cancel", description="Working orders at the stop.")
    timer_every_s: Seconds = Field(
        1.0, le=10, description="How often guards, expiries and ages of data are looked at when the exchange is silent."
    )
    reconcile_every_s: Seconds = Field(300.0, description="Wall time between comparisons with the exchange.")
    cancel_retry_every_s: float = Field(
        1.0, gt=0, le=60, description="Until the exchange confirms a cancel of an order that must not grow."
    )
    unknown_query_every_s: Seconds = Field(2.0, description="Between queries for an order of unknown outcome.")
    query_timeout_s: Seconds = Field(10.0, description="For an answer about the account; then it cannot be read.")
    foreign: Literal["refuse", "adopt", "close"] = Field(
        "refuse",
        description="Orders and positions that are not the bot's: refuse to start, take them over, or close them too.",
    )
    request_valid_s: Seconds = Field(
        5.0, description="The exchange takes a request only so long after its sending; only then is absence a proof."
    )


class StorageSettings(Section):
    """Where the journal lies."""

    backend: Literal["sqlite", "postgres", "memory"] = "sqlite"
    folder: Path | None = Field(None, description="State folder; none is a folder of the profile's name in your home.")
    url: SecretStr | None = Field(
        None, description="postgres: postgresql://user:password@host:5432/database; better given by the environment."
    )
    busy_timeout_s: Seconds = Field(5.0, description="How long to wait for a database that somebody else has locked.")
    save_every_s: Seconds = Field(1.0, description="What a kill may cost of a strategy's memory; saving is cheap.")
    lease_s: Seconds = Field(15.0, ge=1, description="postgres: how long another bot waits after this one's last sign.")
    lease_renew_every_s: Seconds = Field(4.0, description="postgres: between signs of life; at most half of lease_s.")
    lease_wait_s: Seconds = Field(20.0, description="postgres: how long a start waits for the lease of another bot.")

    @property
    def keeps_state(self) -> bool:
        """Whether anything of a run is there when it has ended."""
        return self.backend != "memory"

    @model_validator(mode="after")
    def _postgres_needs_a_url(self) -> "StorageSettings":
        # Here and not at the field: the refusal of a field prints its value, and with it the password.
        if self.backend == "postgres" and self.url is None:
            raise ValueError("storage.backend = postgres needs storage.url, postgresql://user:password@host/database")
        refused = None if self.url is None else refusal_of(self.url.get_secret_value())
        if refused:
            raise ValueError(f"storage.url cannot be used: {refused}")
        if self.lease_renew_every_s > self.lease_s / 2:
            raise ValueError("storage.lease_renew_every_s must be at most half of storage.lease_s")
        return self


class LifecycleSettings(Section):
    """Deadlines of start and stop."""

    start_unit_s: Seconds = 30.0
    start_total_s: Seconds = 60.0
    drain_s: Seconds = 10.0
    stop_unit_s: Seconds = 5.0
    stop_total_s: Seconds = 30.0
    health_check_s: Seconds = 1.0


class TelemetrySettings(Section):
    """Logs and health surfaces."""

    log_level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_json: bool = False
    log_orders: bool = Field(default=True, description="A line for each order, fill and funding settlement.")
    health_every_s: Seconds = Field(2.0, description="Between writes of the health file.")
    view_every_s: Seconds = Field(0.25, description="Between pictures of the live view.")
    record_stream: Path | None = Field(
        None, description="File that takes down all that comes in and goes out, for python -m app replay; none is off."
    )
    record_mb_max: int = Field(1000, ge=1, le=1_000_000, description="Size at which the record is cut, in megabytes.")


class MonitorSettings(Section):
    """What the system monitor watches."""

    check_every_s: Seconds = 1.0
    loop_lag_s_max: Seconds = Field(0.5, description="Event-loop lag above which health is degraded.")
    stream_silence_s_max: Seconds = Field(30.0, description="Wall time without an event that counts as stale.")
    disk_free_mb_min: int = Field(200, ge=0)


class Settings(Section):
    """All settings of a run. Fixed once the run has begun."""

    profile: str = Field("simulated", description="Name of the profile they come from.")
    kind: Literal["simulated", "replay", "benchmark", "paper", "testnet", "canary", "live"] = "simulated"
    account: AccountSettings = AccountSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    strategies: dict[str, StrategySettings] = Field(default_factory=dict, description="By their ids.")
    risk: RiskSettings = RiskSettings()
    execution: ExecutionSettings = ExecutionSettings()
    storage: StorageSettings = StorageSettings()
    lifecycle: LifecycleSettings = LifecycleSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    monitor: MonitorSettings = MonitorSettings()

    @model_validator(mode="after")
    def _real_kinds_need_a_real_exchange(self) -> "Settings":
        if self.kind in {"paper", "testnet", "canary", "live"} and self.exchange.adapter == "simulated":
            raise ValueError(f"a profile of kind {self.kind} needs exchange.adapter, and not the simulated one")
        return self

    @model_validator(mode="after")
    def _symbols_are_not_shared(self) -> "Settings":
        owner: dict[str, str] = {}
        for strategy_id, strategy in self.strategies.items():
            for symbol in strategy.symbols:
                if symbol in owner:
                    raise ValueError(f"{symbol} belongs to two strategies, {owner[symbol]} and {strategy_id}")
                owner[symbol] = strategy_id
        return self
