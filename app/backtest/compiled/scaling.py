"""From settings in Decimal to integers, and back."""

from decimal import Decimal
from math import ceil, floor
from typing import Any

from app.backtest.compiled.errors import NotCompilable
from app.backtest.compiled.records import (
    AMOUNT_MAX,
    BY_EQUITY,
    BY_NOTIONAL,
    FIXED,
    MILLION,
    State,
    Terms,
    new_record,
)
from app.domain.instrument import Instrument
from app.domain.market import SECOND_NS
from app.domain.money import LEDGER_QUANTUM, ZERO
from app.exchanges.matching import MatchingRules
from app.settings.models import RiskSettings, Settings, SizingSettings
from app.strategies import sizing_from

RATE_SCALE = 10**8
RATIO_MAX = 100
"""Ratios of a limit above it are taken as it: the bound is only ever too narrow."""
LOTS_MAX = 2**31


def quanta(amount: Decimal, what: str) -> int:
    """Return an amount in ledger quanta.

    Raises:
        NotCompilable: It is finer than a quantum, or too large.
    """
    return whole(amount / LEDGER_QUANTUM, f"{what} {amount}")


def money(amount: int) -> Decimal:
    """Return ledger quanta as an amount."""
    return amount * LEDGER_QUANTUM


def whole(value: Decimal, what: str) -> int:
    """Return a value that must be a whole number.

    Raises:
        NotCompilable: It is not, or it does not fit.
    """
    if value != value.to_integral_value() or abs(value) > AMOUNT_MAX:
        raise NotCompilable(f"{what} is no whole number of the units that it counts in, or too large")
    return int(value)


def value_of_lot(instrument: Instrument) -> int:
    """Return the quanta of one lot at a price of one tick.

    Raises:
        NotCompilable: They are no whole number.
    """
    unit = instrument.tick_size * instrument.lot_size * instrument.contract_size
    return whole(unit / LEDGER_QUANTUM, "the value of a lot")


def decimals_of(value: Decimal) -> int:
    """Return how many digits stand behind the point, zeros at the end left out."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def scale_terms(settings: Settings, instrument: Instrument, rules: MatchingRules, price_max: int) -> Terms:
    """Return what of a run does not depend on the strategy.

    Args:
        settings: Of the run; eligible.
        instrument: What is traded.
        rules: How the exchange departs from a perfect market.
        price_max: Highest price of the data, ticks.

    Raises:
        NotCompilable: A value has more digits than the kernel counts with.
    """
    terms: Any = new_record(Terms)
    lot = instrument.lot_size
    terms.unit = value_of_lot(instrument)
    terms.half_spread = ceil(rules.spread_ticks / 2)
    terms.slippage, terms.slippage_scale = rules.slippage_ratio.as_integer_ratio()
    highest = 2 * (price_max + terms.half_spread)
    if terms.slippage_scale > AMOUNT_MAX // highest:
        raise NotCompilable(f"slippage_ratio {rules.slippage_ratio} has too many digits")
    terms.lots_max = min(LOTS_MAX, AMOUNT_MAX // (highest * terms.unit))
    terms.lots_min = ceil(instrument.contracts_min / lot)
    terms.order_lots_max = min(terms.lots_max, int(instrument.contracts_max / lot))
    terms.notional_min = ceil(instrument.notional_min / LEDGER_QUANTUM)
    terms.taker_rate = whole(instrument.taker_fee_rate * RATE_SCALE, "taker_fee_rate")
    terms.maker_rate = whole(instrument.maker_fee_rate * RATE_SCALE, "maker_fee_rate")
    terms.exit_lots_max, terms.price_max = terms.order_lots_max, highest
    terms.rate_scale = RATE_SCALE
    terms.bounds_fills = rules.partial_fill_ratio < 1
    terms.at_signal = rules.fill_at_signal
    terms.maintenance = _up(max(tier.maintenance_rate for tier in instrument.margin_tiers))
    terms.leverage, terms.leverage_scale = settings.account.leverage.as_integer_ratio()
    if max(terms.leverage, terms.leverage_scale) > LOTS_MAX:
        raise NotCompilable(f"a leverage of {settings.account.leverage} has too many digits")
    _scale_limits(terms, settings.risk, lot)
    return terms  # type: ignore[no-any-return] # a record with the fields of Terms


def _scale_limits(terms: Any, limits: RiskSettings, lot: Decimal) -> None:  # noqa: ANN401 - a record being filled
    ages = min(limits.mark_age_s_max, limits.mark_stale_s_max)
    terms.gap_ns_max = int(ages * SECOND_NS)
    terms.duplicate_ns = int(limits.duplicate_window_s * SECOND_NS) + 1
    if limits.order_contracts_max is not None:
        terms.order_lots_max = min(terms.order_lots_max, int(limits.order_contracts_max / lot))
    terms.order_notional_max = _amount(limits.order_notional_max)
    terms.position_notional_max = _amount(limits.position_notional_max)
    ratios = (limits.gross_exposure_ratio_max, limits.net_exposure_ratio_max, limits.leverage_max)
    terms.exposure = _down(min((ratio for ratio in ratios if ratio is not None), default=None))
    terms.liquidation_distance = _up(limits.liquidation_distance_ratio_min)
    terms.collar = _down(limits.price_collar_ratio_max)
    terms.day_keeps = _up(None if limits.daily_loss_ratio_max is None else 1 - limits.daily_loss_ratio_max)
    terms.peak_keeps = _up(None if limits.drawdown_ratio_max is None else 1 - limits.drawdown_ratio_max)
    terms.losses_max = -1 if limits.consecutive_losses_max is None else limits.consecutive_losses_max
    terms.rest_ns = int(limits.consecutive_losses_cooldown_s * SECOND_NS)
    terms.buffer = _up(limits.liquidation_buffer_ratio_min)
    terms.margin = _down(limits.margin_ratio_max)
    terms.funding_cost = _down(limits.funding_cost_ratio_max)


def scale_sizing(terms: Any, sizing: SizingSettings, instrument: Instrument) -> None:  # noqa: ANN401 - as above
    """Put the sizing model into ``terms``.

    Raises:
        NotCompilable: A value has more digits than the kernel counts with.
    """
    terms.size_scale = 1
    if sizing.model == "fixed_quantity":
        contracts = sizing_from(sizing).contracts(instrument, Decimal(1), ZERO)
        terms.sizing, terms.size = FIXED, min(LOTS_MAX, int(contracts / instrument.lot_size))
    elif sizing.model == "fixed_notional":
        terms.sizing, terms.size = BY_NOTIONAL, quanta(sizing.notional, "notional")
    else:
        terms.sizing = BY_EQUITY
        terms.size, terms.size_scale = sizing.fraction.as_integer_ratio()
        if max(terms.size, terms.size_scale) > MILLION:
            raise NotCompilable(f"fraction {sizing.fraction} has too many digits")


def new_state(deposit: Decimal, first: int) -> State:
    """Return the account at the first bar that is traded.

    Raises:
        NotCompilable: The deposit is too large, or finer than a quantum.
    """
    state: Any = new_record(State)
    state.balance = quanta(deposit, "deposit")
    state.bar = first
    return state  # type: ignore[no-any-return] # a record with the fields of State


def _up(ratio: Decimal | None) -> int:
    """Return a ratio in parts of a million, rounded up; -1 is no limit."""
    return -1 if ratio is None else ceil(ratio * MILLION)


def _down(ratio: Decimal | None) -> int:
    """Return a ratio in parts of a million, rounded down; -1 is no limit."""
    return -1 if ratio is None else floor(min(ratio, Decimal(RATIO_MAX)) * MILLION)


def _amount(most: Decimal | None) -> int:
    return AMOUNT_MAX if most is None else min(AMOUNT_MAX, floor(most / LEDGER_QUANTUM))
