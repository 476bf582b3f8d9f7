"""What a strategy wants to hold, and how it wants to get there and to be protected."""

from decimal import Decimal

import msgspec

from app.domain.order import OrderType, TimeInForce


class Entry(msgspec.Struct, frozen=True):
    """How to open. The default is a market order."""

    type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    valid_s: int | None = None
    """Seconds after which an entry that has not filled is given up (time in force GTD)."""
    post_only: bool = False


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

    @property
    def is_protected(self) -> bool:
        """Whether a position shall have a stop or a take-profit."""
        return self.stop is not None or self.take_profit is not None or self.trailing is not None
