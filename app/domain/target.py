"""What a strategy wants to hold, and how it wants to get there and to be protected."""

from decimal import Decimal

import msgspec

from app.domain.instrument import Instrument
from app.domain.order import OrderType, TimeInForce

DIGITS_MAX = 15
"""Before and after the point of a size or price: money is exact to 28 digits, and these are multiplied."""
VALID_S_MAX = 366 * 24 * 3600
"""A year: the time at which an entry ends must be one that can be written down."""


def _check_number(name: str, value: Decimal | None) -> None:
    """Refuse what money cannot be counted with: strategies are written by others, and floats come easily.

    Raises:
        TypeError: It is neither None nor a finite Decimal.
        ValueError: It is a price and not positive, or so large or small that its products would not be exact.
    """
    if value is None:
        return
    if type(value) is not Decimal or not value.is_finite():
        raise TypeError(f"{name} is {value!r}: use a finite Decimal")
    if value <= 0 and name != "contracts":
        raise ValueError(f"{name} is {value}: it must be positive")
    if not -DIGITS_MAX <= value.adjusted() < DIGITS_MAX and value:
        raise ValueError(f"{name} is {value}: it must lie between 1E-{DIGITS_MAX} and 1E+{DIGITS_MAX}")


class Entry(msgspec.Struct, frozen=True):
    """How to open. The default is a market order."""

    type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    valid_s: int | None = None
    """Seconds after which an entry that has not filled is given up (time in force GTD)."""
    post_only: bool = False

    def __post_init__(self) -> None:
        _check_number("price", self.price)
        _check_number("trigger_price", self.trigger_price)
        if self.valid_s is not None and type(self.valid_s) is not int:
            raise TypeError(f"valid_s is {self.valid_s!r}: use whole seconds")
        if self.valid_s is not None and not 0 < self.valid_s <= VALID_S_MAX:
            raise ValueError(f"valid_s is {self.valid_s}: it must lie between 1 and {VALID_S_MAX}")


class Target(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A position that a strategy wants, not a level to be chased.

    It holds until the strategy says another. An exit that the strategy did not order (stop, take-profit, liquidation,
    flatten) voids it: the position is opened again only by a target with a higher ``sequence``.
    """

    strategy_id: str
    symbol: str
    contracts: Decimal
    """Signed size; negative is short, zero is flat."""
    sequence: int
    time_ns: int
    entry: Entry = Entry()
    stop: Decimal | None = None
    """Price at which to give up, quote currency; it follows the filled size and rests at the exchange."""
    take_profit: Decimal | None = None
    """Price at which to take the profit; with a stop the two are one-cancels-other."""
    trailing: Decimal | None = None
    """Distance in quote currency of a trailing stop, instead of a fixed one."""
    reason: str = ""
    """Why, in the strategy's words, for the trace of decisions."""

    def __post_init__(self) -> None:
        _check_number("contracts", self.contracts)
        _check_number("stop", self.stop)
        _check_number("take_profit", self.take_profit)
        _check_number("trailing", self.trailing)

    @property
    def is_protected(self) -> bool:
        """Whether a position shall have a stop or a take-profit."""
        return self.stop is not None or self.take_profit is not None or self.trailing is not None

    def on_tick(self, instrument: Instrument) -> "Target":
        """Return it with its protection rounded to the tick, half-even, and to one tick at least.

        Off the tick, the exchange would take no stop.
        """
        if not self.is_protected:
            return self
        tick = instrument.tick_size

        def rounded(price: Decimal | None) -> Decimal | None:
            return None if price is None else max(tick, instrument.round_price(price))

        return msgspec.structs.replace(
            self, stop=rounded(self.stop), take_profit=rounded(self.take_profit), trailing=rounded(self.trailing)
        )
