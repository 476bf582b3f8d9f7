"""How large a position a strategy takes."""

from decimal import Decimal
from typing import Protocol

import msgspec

from app.domain.instrument import Instrument
from app.domain.market import Bar
from app.domain.money import ZERO
from app.indicators.volatility import Volatility
from app.settings.models import SizingSettings

VOLATILITY_WINDOW_BARS = 60


class Sizing(Protocol):
    """A sizing model. It answers for one symbol."""

    measures: bool
    """Whether ``observe`` takes anything in."""

    def observe(self, bar: Bar) -> None:
        """Take a closed bar in."""

    def contracts(self, instrument: Instrument, price: Decimal, equity: Decimal) -> Decimal:
        """Return the unsigned size, cut to the lot; zero when it would be below one lot."""

    def snapshot(self) -> Volatility | None:
        """Return what was measured; None when nothing is."""

    def restore(self, payload: bytes) -> None:
        """Take over what ``snapshot`` returned, encoded as JSON.

        Raises:
            msgspec.ValidationError: It is of another kind.
        """


class _WithoutMemory:
    """A model that goes by what it is told alone."""

    measures = False

    def observe(self, bar: Bar) -> None:
        """Take no notice."""

    def snapshot(self) -> None:
        """Nothing."""

    def restore(self, payload: bytes) -> None:
        """Take nothing over."""


class FixedQuantity(_WithoutMemory):
    """Always the same quantity of base currency."""

    def __init__(self, quantity: Decimal) -> None:
        self._quantity = quantity

    def contracts(self, instrument: Instrument, price: Decimal, equity: Decimal) -> Decimal:
        """Return the contracts that are worth the quantity."""
        del equity
        if instrument.inverse:
            return instrument.round_contracts(self._quantity * price / instrument.contract_size)
        return instrument.round_contracts(self._quantity / instrument.contract_size)


class FixedNotional(_WithoutMemory):
    """Always the same value in settlement currency."""

    def __init__(self, notional: Decimal) -> None:
        self._notional = notional

    def contracts(self, instrument: Instrument, price: Decimal, equity: Decimal) -> Decimal:
        """Return the contracts worth at most the notional."""
        del equity
        return instrument.contracts_for(self._notional, price)


class EquityFraction(_WithoutMemory):
    """A part of the equity; nothing when there is none."""

    def __init__(self, fraction: Decimal) -> None:
        self._fraction = fraction

    def contracts(self, instrument: Instrument, price: Decimal, equity: Decimal) -> Decimal:
        """Return the contracts worth at most the part."""
        return instrument.contracts_for(max(ZERO, equity) * self._fraction, price)


class VolatilityTarget:
    """As much as makes the position's yearly volatility a set part of the equity, up to a bound."""

    measures = True

    def __init__(self, volatility_ratio: Decimal, fraction_max: Decimal) -> None:
        self._wanted = float(volatility_ratio)
        self._fraction_max = fraction_max
        self._volatility: Volatility | None = None

    def observe(self, bar: Bar) -> None:
        """Measure the volatility of closes."""
        if self._volatility is None:
            self._volatility = Volatility(window=VOLATILITY_WINDOW_BARS, interval_s=bar.interval_s)
        self._volatility.update(bar.close)

    def snapshot(self) -> Volatility | None:
        """The volatility."""
        return self._volatility

    def restore(self, payload: bytes) -> None:
        """Go on measuring."""
        self._volatility = msgspec.json.decode(payload, type=Volatility | None)

    def contracts(self, instrument: Instrument, price: Decimal, equity: Decimal) -> Decimal:
        """Return the contracts; none while the volatility is not known."""
        yearly = None if self._volatility is None else self._volatility.value
        if not yearly:
            return ZERO
        # Six digits: a float's tail says nothing about a volatility, and must not decide a lot.
        fraction = min(self._fraction_max, Decimal(f"{self._wanted / yearly:.6f}"))
        return instrument.contracts_for(max(ZERO, equity) * fraction, price)


def sizing_from(settings: SizingSettings) -> Sizing:
    """Return the sizing model that the settings name."""
    if settings.model == "fixed_quantity":
        return FixedQuantity(settings.quantity)
    if settings.model == "fixed_notional":
        return FixedNotional(settings.notional)
    if settings.model == "equity_fraction":
        return EquityFraction(settings.fraction)
    return VolatilityTarget(settings.volatility_ratio, settings.fraction_max)
