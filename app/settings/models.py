"""The settings, one frozen model a section. Units stand last in the names; every limit has a default that binds."""

from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from app.domain.margin import MarginMode
from app.settings.database_url import refusal_of
from app.settings.exchange import ExchangeSettings
from app.settings.section import Positive, Ratio, Seconds, Section, Symbol


class AccountSettings(Section):
    """Whose money it is."""

    id: str = Field(
        "main", pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", description="Name of the account in ids and records."
    )
    currency: str = Field("USDT", pattern=r"^[A-Z0-9]+$", description="Settlement currency; one account has one.")
    margin_mode: MarginMode = Field(MarginMode.CROSS, description="cross: the whole account stands for a position.")
    leverage: Positive = Field(Decimal(5), description="Leverage set at the exchange; initial margin is notional / it.")


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
    """Limits. Orders that reduce a position pass all of them. A value of none switches a limit off.

    A ratio is a part: 0.05 is 5 %. A notional is in the account's currency.
    """

    # Each order, before it is sent.
    price_collar_ratio_max: Positive | None = Field(Decimal("0.05"), description="Distance of a limit from the mark.")
    mark_age_s_max: Seconds = Field(120.0, description="Age of the mark above which nothing grows.")
    order_contracts_max: Positive | None = Field(None, description="Contracts of one order.")
    order_notional_max: Positive | None = Field(Decimal(100_000), description="Of one order, account's currency.")
    position_notional_max: Positive | None = Field(Decimal(200_000), description="Per symbol, working orders in.")
    gross_exposure_ratio_max: Positive | None = Field(Decimal(4), description="Sum of notionals / equity.")
    net_exposure_ratio_max: Positive | None = Field(Decimal(4), description="Signed sum of notionals / equity.")
    leverage_max: Positive | None = Field(Decimal(5), description="Gross notional / equity of the account.")
    liquidation_distance_ratio_min: Ratio | None = Field(Decimal("0.05"), description="Of the mark, after the fill.")
    open_orders_max: int = Field(50, ge=1, le=10_000, description="Working orders of all symbols.")
    orders_per_minute_max: int = Field(120, ge=1, le=1_000_000, description="Orders sent within 60 s.")
    duplicate_window_s: float = Field(1.0, ge=0, le=3600, description="An equal order within it is refused; 0 is off.")
    slippage_ratio_max: Positive | None = Field(Decimal("0.01"), description="Expected cost of a market order.")
    # Guards, all the time.
    daily_loss_ratio_max: Ratio | None = Field(Decimal("0.05"), description="Of the equity at 00:00 UTC.")
    drawdown_ratio_max: Ratio | None = Field(Decimal("0.20"), description="Of the highest equity.")
    consecutive_losses_max: int | None = Field(8, ge=1, description="Closing orders in a row that lost, fees in.")
    consecutive_losses_cooldown_s: float = Field(14_400.0, gt=0, description="How long nothing grows after them.")
    liquidation_buffer_ratio_min: Ratio | None = Field(Decimal("0.03"), description="Of the mark, all the time.")
    mark_stale_s_max: Seconds = Field(180.0, description="Of a symbol with a position.")
    volatility_ratio_max: Positive | None = Field(
        Decimal(5), description="Volatility of the mark in a year; 5 is 500 %."
    )
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
    query_timeout_s: Seconds = Field(10.0, description="For each answer about the account; then it cannot be read.")
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
