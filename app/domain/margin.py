"""Initial and maintenance margin, and the price at which a position is liquidated.

Formulas: Binance USD-M "Liquidation Price" and "Leverage and Margin" pages (read 2025-10), generalised to a signed cost
so that long, short, linear and inverse contracts share one.
"""

from decimal import ROUND_HALF_EVEN, Decimal

from app.domain.instrument import Instrument, MarginTier
from app.domain.money import LEDGER_QUANTUM, ZERO
from app.domain.position import Position
from app.domain.term import Term


class MarginMode(Term):
    """Whether the whole account stands for a position, or only what was set aside for it."""

    CROSS = "cross"
    ISOLATED = "isolated"


def initial_margin(notional: Decimal, leverage: Decimal) -> Decimal:
    """Return the collateral that opening ``notional`` (unsigned) at ``leverage`` needs, to the ledger quantum."""
    return (notional / leverage).quantize(LEDGER_QUANTUM, ROUND_HALF_EVEN)


def maintenance_margin(instrument: Instrument, notional: Decimal) -> Decimal:
    """Return the collateral below which a position worth ``notional`` (unsigned) is liquidated; never negative."""
    tier = instrument.tier(notional)
    margin = notional * tier.maintenance_rate - tier.maintenance_deduction
    return margin if margin > 0 else ZERO


def liquidation_price(instrument: Instrument, position: Position, collateral: Decimal) -> Decimal | None:
    """Return the mark price at which ``collateral`` plus unrealized PnL equals the maintenance margin.

    Args:
        instrument: What the position is in.
        position: The position; flat gives None.
        collateral: Isolated margin; for cross margin the account's balance plus the unrealized PnL of all other
            positions less their maintenance margins. Settlement currency.

    Returns:
        Quote currency, not rounded; None when no positive price liquidates the position.
    """
    if not position.contracts:
        return None
    tiers = instrument.margin_tiers
    for tier in tiers:
        price = _price_in_tier(instrument, position, collateral, tier)
        if price is None or price <= 0:
            continue
        if len(tiers) == 1 or instrument.tier(instrument.notional(position.contracts, price)) is tier:
            return price
    return None


def bankruptcy_price(instrument: Instrument, position: Position, collateral: Decimal) -> Decimal | None:
    """Return the price at which closing loses exactly ``collateral``; None when no positive price does.

    A venue closes a liquidated position at this price or better; its insurance fund bears the rest.
    """
    if position.is_flat:
        return None
    nothing = MarginTier(notional_max=None, leverage_max=Decimal(1), maintenance_rate=ZERO)
    price = _price_in_tier(instrument, position, collateral, nothing)
    return price if price is not None and price > 0 else None


def _price_in_tier(instrument: Instrument, position: Position, collateral: Decimal, tier: MarginTier) -> Decimal | None:
    size = position.contracts * instrument.contract_size
    maintenance = abs(size) * tier.maintenance_rate
    if instrument.inverse:
        # collateral - size/p - cost = maintenance/p - deduction
        at_stake = collateral - position.cost + tier.maintenance_deduction
        return (size + maintenance) / at_stake if at_stake else None
    # collateral + size*p - cost = maintenance*p - deduction
    slope = size - maintenance
    return (position.cost - collateral - tier.maintenance_deduction) / slope if slope else None
