"""From fills to round trips: each from the fill that leaves flat to the one that comes back to it. Pure."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from app.domain.events import Fill, FundingPaid
from app.domain.instrument import Instrument
from app.domain.money import ZERO
from app.domain.position import Position


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True):
    """A position from its first contract to its last. Money in the settlement currency."""

    symbol: str
    is_long: bool
    contracts: Decimal
    """The most that was held, unsigned."""
    opened_ns: int
    closed_ns: int
    entry_price: Decimal
    """Mean price of what was opened, for people."""
    exit_price: Decimal
    """Mean price of what was closed, for people."""
    fees: Decimal
    """Those that were taken in the settlement currency: others are in no balance either."""
    funding: Decimal
    """Positive is received."""
    pnl: Decimal
    """Net of fees and funding."""
    liquidated: bool


class _Open:
    """A round trip that is under way."""

    def __init__(self, fill: Fill) -> None:
        self.is_long = fill.signed_contracts > 0
        self.opened_ns = fill.time_ns
        self.most = self.fees = self.funding = self.realized = ZERO
        self.opened = self.opened_at = self.closed = self.closed_at = ZERO
        self.liquidated = False


class RoundTripBuilder:
    """Takes fills and funding in the order of time."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._positions: dict[str, Position] = {}
        self._open: dict[str, _Open] = {}
        self.closed: list[RoundTrip] = []

    def on_fill(self, fill: Fill) -> None:
        """Take a fill in. One that flips a position ends a round trip and begins another."""
        held = self._positions.get(fill.symbol) or Position(fill.symbol)
        signed, fee = fill.signed_contracts, fill.fee_in(self._instruments[fill.symbol].settle)
        if held.contracts * signed < 0 and abs(signed) > abs(held.contracts):
            part = abs(held.contracts) / abs(signed)
            self._take(fill, -held.contracts, fee * part)
            self._take(fill, signed + held.contracts, fee * (1 - part))
        else:
            self._take(fill, signed, fee)

    def on_funding(self, paid: FundingPaid) -> None:
        """Add a settlement to the round trip that it is paid for."""
        trip = self._open.get(paid.symbol)
        if trip is not None:
            trip.funding += paid.amount

    def _take(self, fill: Fill, signed: Decimal, fee: Decimal) -> None:
        symbol = fill.symbol
        before = self._positions.get(symbol) or Position(symbol)
        after, realized = before.after(self._instruments[symbol], signed, fill.price)
        self._positions[symbol] = after
        trip = self._open.setdefault(symbol, _Open(fill))
        trip.fees += fee
        trip.realized += realized
        trip.most = max(trip.most, abs(after.contracts))
        trip.liquidated = trip.liquidated or fill.liquidation
        if before.contracts * signed < 0:
            trip.closed += abs(signed)
            trip.closed_at += abs(signed) * fill.price
        else:
            trip.opened += abs(signed)
            trip.opened_at += abs(signed) * fill.price
        if after.is_flat:
            self.closed.append(_closed(symbol, self._open.pop(symbol), fill.time_ns))


def _closed(symbol: str, trip: _Open, closed_ns: int) -> RoundTrip:
    return RoundTrip(
        symbol=symbol,
        is_long=trip.is_long,
        contracts=trip.most,
        opened_ns=trip.opened_ns,
        closed_ns=closed_ns,
        entry_price=trip.opened_at / trip.opened,
        exit_price=trip.closed_at / trip.closed,
        fees=trip.fees,
        funding=trip.funding,
        pnl=trip.realized - trip.fees + trip.funding,
        liquidated=trip.liquidated,
    )
