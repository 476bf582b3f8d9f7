"""From settings to instruments. Pure."""

from app.domain.instrument import Instrument, MarginTier
from app.settings.simulated import InstrumentSettings


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
