"""Says in one sentence why a run cannot be compiled. What the kernel does not model is refused, never approximated."""

from app.domain.instrument import Instrument
from app.domain.margin import MarginMode
from app.domain.money import LEDGER_QUANTUM
from app.settings.models import Settings

ORDERS_IN_A_BAR_MAX = 10
"""More than the planner sends within one bar."""


def refusal_of(settings: Settings, instrument: Instrument) -> str | None:
    """Return why the settings of a backtest cannot be compiled, whatever the data; or None."""
    return _of_exchange(settings) or _of_strategies(settings, instrument) or _of_instrument(settings, instrument)


def _of_strategies(settings: Settings, instrument: Instrument) -> str | None:
    if len(settings.strategies) != 1:
        return f"there are {len(settings.strategies)} strategies, and it does one"
    strategy = next(iter(settings.strategies.values()))
    if strategy.symbols != (instrument.symbol,):
        return f"the strategy trades {', '.join(strategy.symbols)}, and the data is of {instrument.symbol}"
    if strategy.sizing.model == "volatility_target":
        return "sizing by volatility_target is not modelled"
    return None


def _of_exchange(settings: Settings) -> str | None:
    simulated = settings.exchange.simulated
    refused = (
        (len(simulated.data) > 1, f"there is data of {len(simulated.data)} symbols, and it does one"),
        (any(data.candles is None for data in simulated.data) or not simulated.data, "it needs candles"),
        (any(data.mark is not None for data in simulated.data), "a file of mark prices is not modelled"),
        (simulated.duration_s is not None, "exchange.simulated.duration_s is not modelled"),
        (bool(simulated.latency_ms or simulated.latency_jitter_ms), "latency is not modelled"),
        (bool(simulated.impact_ratio), "impact_ratio is not modelled"),
        (simulated.slippage_ratio >= 1, "a slippage_ratio of 1 or more is not modelled"),
        (settings.account.margin_mode is not MarginMode.CROSS, "isolated margin is not modelled"),
        (settings.execution.stop_policy == "flatten", "stop_policy flatten is not modelled"),
        (settings.storage.keeps_state, "a journal that is kept is not modelled: storage.backend = memory"),
    )
    return next((why for applies, why in refused if applies), None)


def _of_instrument(settings: Settings, instrument: Instrument) -> str | None:
    if instrument.inverse:
        return "inverse contracts are not modelled"
    unit = instrument.tick_size * instrument.lot_size * instrument.contract_size
    if unit % LEDGER_QUANTUM:
        return f"a lot moves by {unit} a tick, which is finer than the ledger's {LEDGER_QUANTUM}"
    if settings.account.leverage > min(tier.leverage_max for tier in instrument.margin_tiers):
        return f"a leverage of {settings.account.leverage} is above what a margin tier allows"
    return None


def refusal_on_bars(settings: Settings, interval_s: int) -> str | None:
    """Return why they cannot be on bars of such a length, seconds; or None."""
    limits = settings.risk
    bars_a_minute = 60 // interval_s + 1
    if limits.orders_per_minute_max < ORDERS_IN_A_BAR_MAX * bars_a_minute:
        return f"risk.orders_per_minute_max could bind on bars of {interval_s} s"
    if limits.open_orders_max < ORDERS_IN_A_BAR_MAX:
        return f"risk.open_orders_max could bind below {ORDERS_IN_A_BAR_MAX}"
    return None
