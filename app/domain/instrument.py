"""A perpetual contract: what one contract is worth, and in which steps it is quoted and traded."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

import msgspec

from app.domain.errors import InvalidInstrument, InvalidOrder
from app.domain.money import ONE, ZERO, plain, to_ledger


class MarginTier(msgspec.Struct, frozen=True):
    """One step of a venue's margin table.

    Maintenance margin of a position in this tier is ``notional * maintenance_rate - maintenance_deduction``; the
    deduction keeps it continuous over the tier's lower edge (Binance USD-M "maintenance amount", read 2025-10).
    """

    notional_max: Decimal | None
    """Upper edge in the settlement currency, inclusive; None is unbounded."""
    leverage_max: Decimal
    maintenance_rate: Decimal
    maintenance_deduction: Decimal = ZERO


ORDER_TERMS = ("tick_size", "lot_size", "contracts_min", "contracts_max", "notional_min", "is_listed")
"""What of an instrument may change while a bot runs: what the next order must go by."""


_STEPS = ("tick_size", "lot_size", "contract_size")
_BOUNDS = ("contracts_min", "contracts_max", "notional_min")


class Instrument(msgspec.Struct, frozen=True):
    """A linear (quote-settled) or inverse (base-settled) perpetual contract.

    Raises:
        InvalidInstrument: A step is not above zero, a bound is below it, or the largest order is below the smallest.
    """

    symbol: str
    base: str
    quote: str
    settle: str
    tick_size: Decimal
    """Price step, in quote currency."""
    lot_size: Decimal
    """Size step, in contracts."""
    contract_size: Decimal
    """Base currency per contract; for an inverse contract quote currency per contract."""
    contracts_min: Decimal
    contracts_max: Decimal
    notional_min: Decimal
    maker_fee_rate: Decimal
    taker_fee_rate: Decimal
    margin_tiers: tuple[MarginTier, ...]
    liquidation_fee_rate: Decimal
    funding_interval_s: int
    inverse: bool = False
    version: int = 1
    is_listed: bool = True
    """False when the exchange lists it no more: what was last known of it is what a position is closed by."""

    def __post_init__(self) -> None:
        """Refuse terms that no price or size can be cut to: here, for whoever writes an adapter makes instruments."""
        for name in (*_STEPS, *_BOUNDS):
            value = getattr(self, name)
            is_number = isinstance(value, Decimal) and value.is_finite()
            if not is_number or value < ZERO or (name in _STEPS and not value):
                least = "above zero" if name in _STEPS else "of zero or more"
                raise InvalidInstrument(self.symbol, f"its {name} is {value!r}, and must be a Decimal {least}")
        if self.contracts_max < self.contracts_min:
            bounds = f"its contracts_max {plain(self.contracts_max)} is below its contracts_min"
            raise InvalidInstrument(self.symbol, f"{bounds} {plain(self.contracts_min)}")

    def listed_as(self, told: "Instrument") -> "Instrument":
        """Return this instrument with the terms of orders that the exchange tells now.

        Fees, margin and the size of a contract stay as they were at the start: the books go by those.
        """
        return msgspec.structs.replace(self, **{name: getattr(told, name) for name in ORDER_TERMS})

    def value(self, contracts: Decimal, price: Decimal) -> Decimal:
        """Return the signed value of ``contracts`` at ``price`` in the settlement currency.

        Signed so that ``value(contracts, exit) - value(contracts, entry)`` is the profit of a long and of a short, of a
        linear and of an inverse contract. A linear value is exact; an inverse one is rounded to the ledger quantum.
        """
        if self.inverse:
            return -to_ledger(contracts * self.contract_size / price)
        return contracts * self.contract_size * price

    def notional(self, contracts: Decimal, price: Decimal) -> Decimal:
        """Return the unsigned value of ``contracts`` at ``price`` in the settlement currency."""
        if self.inverse:
            return abs(self.value(contracts, price))
        return abs(contracts * self.contract_size * price)

    def contracts_for(self, notional: Decimal, price: Decimal) -> Decimal:
        """Return the contracts worth at most ``notional`` (settlement currency) at ``price``, cut to the lot."""
        if self.inverse:
            # Multiplied first: the value of one contract is an endless quotient, which would cost a lot.
            return self.round_contracts(notional * price / self.contract_size)
        return self.round_contracts(notional / (self.contract_size * price))

    def round_price(self, price: Decimal) -> Decimal:
        """Return ``price`` rounded half-even to the tick."""
        return (price / self.tick_size).quantize(ONE, ROUND_HALF_EVEN) * self.tick_size

    def round_contracts(self, contracts: Decimal) -> Decimal:
        """Return ``contracts`` cut towards zero to the lot."""
        return (contracts / self.lot_size).quantize(ONE, ROUND_DOWN) * self.lot_size

    def tier(self, notional: Decimal) -> MarginTier:
        """Return the margin tier of a position worth ``notional`` (unsigned, settlement currency)."""
        for tier in self.margin_tiers:
            most = tier.notional_max
            if most is None or notional <= most:
                return tier
        return self.margin_tiers[-1]

    def check_price(self, price: Decimal, what: str = "price") -> None:
        """Refuse a price that is not positive or not on the tick.

        Raises:
            InvalidOrder: With rule ``tick_size``.
        """
        if price <= 0 or price % self.tick_size:
            raise InvalidOrder(
                "tick_size", f"{what} {plain(price)} of {self.symbol} is not a positive multiple of {self.tick_size}"
            )

    def check_contracts(self, contracts: Decimal) -> None:
        """Refuse a size that is outside the instrument's bounds or not on the lot.

        Raises:
            InvalidOrder: With rule ``lot_size``, ``contracts_min`` or ``contracts_max``.
        """
        if contracts <= ZERO or contracts % self.lot_size:
            raise InvalidOrder(
                "lot_size", f"size {plain(contracts)} of {self.symbol} is not a positive multiple of {self.lot_size}"
            )
        if contracts < self.contracts_min:
            raise InvalidOrder(
                "contracts_min", f"size {plain(contracts)} of {self.symbol} is below {plain(self.contracts_min)}"
            )
        if contracts > self.contracts_max:
            raise InvalidOrder(
                "contracts_max", f"size {plain(contracts)} of {self.symbol} is above {plain(self.contracts_max)}"
            )


def listed_anew(instruments: Mapping[str, Instrument], told: Instrument) -> Mapping[str, Instrument]:
    """Return instruments with one of them as the exchange lists it now; what is not among them changes nothing."""
    known = instruments.get(told.symbol)
    return instruments if known is None else {**instruments, told.symbol: known.listed_as(told)}
