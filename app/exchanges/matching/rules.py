"""How the matching engine departs from a perfect market. Each departure can be off."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from app.domain.instrument import Instrument
from app.domain.market import MS_NS
from app.domain.money import ZERO
from app.domain.order import Side
from app.settings.simulated import SimulatedSettings

HALF = Decimal("0.5")


class MatchingRules(msgspec.Struct, frozen=True):
    """Models of spread, slippage, latency and partial fills."""

    spread_ticks: Decimal = ZERO
    """Distance of bid and ask where the data has no quotes."""
    slippage_ratio: Decimal = ZERO
    """Extra price against a taker, as a part of the price."""
    impact_ratio: Decimal = ZERO
    """Extra price against a taker for a whole volume, in proportion to the part taken."""
    latency_ns: int = 0
    latency_jitter_ns: int = 0
    partial_fill_ratio: Decimal = Decimal(1)
    """Share of the volume seen with an event that one order may take; 1 is no bound."""
    reuses_client_order_ids: bool = False
    """Take a client order id again once its order has ended, as some venues do: an id is no proof against doubles."""
    fill_at_signal: bool = False
    """Market orders fill at the last price at once, without spread or slippage: for comparisons only."""


def rules_from(settings: SimulatedSettings) -> MatchingRules:
    """Return the rules that the settings describe."""
    return MatchingRules(
        spread_ticks=settings.spread_ticks,
        slippage_ratio=settings.slippage_ratio,
        impact_ratio=settings.impact_ratio,
        latency_ns=int(settings.latency_ms * MS_NS),
        latency_jitter_ns=int(settings.latency_jitter_ms * MS_NS),
        partial_fill_ratio=settings.partial_fill_ratio,
        fill_at_signal=settings.fill_at == "signal_close",
    )


def taker_price(
    instrument: Instrument, side: Side, best: Decimal, contracts: Decimal, volume: Decimal, rules: MatchingRules
) -> Decimal:
    """Return what a taker pays or gets: the best price, made worse by slippage and impact, then to the tick.

    Args:
        instrument: Gives the tick.
        side: Of the taker.
        best: Bid for a sell, ask for a buy, quote currency.
        contracts: How many it takes.
        volume: How many were traded with the event; zero is unknown, and has no impact.
        rules: Slippage and impact.
    """
    worse = rules.slippage_ratio
    if rules.impact_ratio and volume:
        worse += rules.impact_ratio * min(Decimal(1), contracts / volume)
    price = best * (1 + side.sign * worse) if worse else best
    return to_tick(instrument, price, side)


def to_tick(instrument: Instrument, price: Decimal, side: Side) -> Decimal:
    """Return ``price`` on the tick, rounded against ``side``; never below one tick."""
    tick = instrument.tick_size
    if not price % tick:
        return price
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    return max(tick, (price / tick).quantize(Decimal(1), rounding) * tick)


def best_prices(instrument: Instrument, last: Decimal, rules: MatchingRules) -> tuple[Decimal, Decimal]:
    """Return bid and ask around a price, where the data has no quotes."""
    if not rules.spread_ticks:
        return last, last
    half = rules.spread_ticks * instrument.tick_size * HALF
    return max(instrument.tick_size, to_tick(instrument, last - half, Side.SELL)), to_tick(
        instrument, last + half, Side.BUY
    )
