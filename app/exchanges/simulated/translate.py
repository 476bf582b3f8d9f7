"""From settings to instruments and matching rules. Pure."""

from app.domain.instrument import Instrument, MarginTier
from app.exchanges.matching import MatchingRules
from app.settings.models import InstrumentSettings, SimulatedSettings

MS_NS = 1_000_000


def instrument_from(settings: InstrumentSettings) -> Instrument:
    """Return the instrument that the settings describe."""
    base, _, rest = settings.symbol.partition("/")
    quote, _, settle = rest.partition(":")
    return Instrument(
        symbol=settings.symbol,
        base=base,
        quote=quote,
        settle=settle,
        tick_size=settings.tick_size,
        lot_size=settings.lot_size,
        contract_size=settings.contract_size,
        contracts_min=settings.contracts_min,
        contracts_max=settings.contracts_max,
        notional_min=settings.notional_min,
        maker_fee_rate=settings.maker_fee_rate,
        taker_fee_rate=settings.taker_fee_rate,
        margin_tiers=tuple(
            MarginTier(tier.notional_max, tier.leverage_max, tier.maintenance_rate, tier.maintenance_deduction)
            for tier in settings.margin_tiers
        ),
        liquidation_fee_rate=settings.liquidation_fee_rate,
        funding_interval_s=settings.funding_interval_s,
        inverse=settings.inverse,
    )


def rules_from(settings: SimulatedSettings) -> MatchingRules:
    """Return the matching rules that the settings describe."""
    return MatchingRules(
        spread_ticks=settings.spread_ticks,
        slippage_ratio=settings.slippage_ratio,
        impact_ratio=settings.impact_ratio,
        latency_ns=int(settings.latency_ms * MS_NS),
        latency_jitter_ns=int(settings.latency_jitter_ms * MS_NS),
        partial_fill_ratio=settings.partial_fill_ratio,
        fill_at_signal=settings.fill_at == "signal_close",
    )
