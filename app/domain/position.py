"""A net position in one instrument. It carries what it cost, not an average price."""

from decimal import Decimal

import msgspec

from app.domain.instrument import Instrument
from app.domain.money import ZERO, to_ledger


class Position(msgspec.Struct, frozen=True):
    """A net (one-way) position. Immutable: a fill gives a new one."""

    symbol: str
    contracts: Decimal = ZERO
    """Signed; negative is short."""
    cost: Decimal = ZERO
    """Signed value at which it was entered, settlement currency; ``value(mark) - cost`` is the unrealized PnL."""
    isolated_margin: Decimal | None = None
    """Collateral set aside for this position; None when the whole account stands for it (cross margin)."""

    @property
    def is_flat(self) -> bool:
        """Whether there is nothing to close."""
        return not self.contracts

    def average_price(self, instrument: Instrument) -> Decimal | None:
        """Return the mean entry price, for people only; None when flat. The books never use it."""
        if not self.contracts:
            return None
        if instrument.inverse:
            return -self.contracts * instrument.contract_size / self.cost
        return self.cost / (self.contracts * instrument.contract_size)

    def unrealized(self, instrument: Instrument, mark: Decimal) -> Decimal:
        """Return the profit (positive) or loss of closing at ``mark``, before fees."""
        if not self.contracts:
            return ZERO
        return instrument.value(self.contracts, mark) - self.cost

    def after(
        self, instrument: Instrument, signed_contracts: Decimal, price: Decimal, margin_added: Decimal | None = None
    ) -> tuple["Position", Decimal]:
        """Return the position after a fill, and the realized profit, gross of fees.

        A partial close releases its share of the cost, rounded half-even to the ledger quantum; what remains keeps the
        rest, so that the books stay exact however a position is taken apart.

        Args:
            instrument: What the position is in.
            signed_contracts: Filled size; positive bought.
            price: Fill price, quote currency.
            margin_added: Isolated margin set aside for the part that opens, or None for cross margin.
        """
        held = self.contracts
        if not held or (held > ZERO) == (signed_contracts > ZERO):
            cost = self.cost + instrument.value(signed_contracts, price)
            margin = None if margin_added is None else (self.isolated_margin or ZERO) + margin_added
            return Position(self.symbol, held + signed_contracts, cost, margin), ZERO
        closing = -signed_contracts if abs(signed_contracts) <= abs(held) else held
        left = held - closing
        released = self.cost if not left else to_ledger(self.cost * closing / held)
        realized = instrument.value(closing, price) - released
        margin = self.isolated_margin
        kept = None if margin is None else margin - (margin if not left else to_ledger(margin * closing / held))
        rest = Position(self.symbol, left, self.cost - released, kept)
        opening = signed_contracts + closing
        if opening:
            rest, _ = rest.after(instrument, opening, price, margin_added)
        return rest, realized

    def with_margin(self, change: Decimal) -> "Position":
        """Return the position with ``change`` added to its isolated margin; a cross or a flat one as it is."""
        if self.isolated_margin is None or not self.contracts:
            return self
        return msgspec.structs.replace(self, isolated_margin=self.isolated_margin + change)
