"""What the market shows. Prices in quote currency, sizes in contracts, times in UTC nanoseconds."""

from decimal import Decimal

import msgspec

from app.domain.order import Side

SECOND_NS = 1_000_000_000
MS_NS = 1_000_000


class Bar(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A closed candle. It is known at ``time_ns``, when it closed, never before."""

    symbol: str
    time_ns: int
    """When it closed: open time plus interval."""
    interval_s: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @property
    def open_ns(self) -> int:
        """When it opened."""
        return self.time_ns - self.interval_s * SECOND_NS


class Quote(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The top of the book."""

    symbol: str
    time_ns: int
    bid: Decimal
    bid_contracts: Decimal
    ask: Decimal
    ask_contracts: Decimal


class Trade(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A public trade."""

    symbol: str
    time_ns: int
    price: Decimal
    contracts: Decimal
    aggressor: Side


class MarkPrice(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The price that margin, funding and liquidation go by."""

    symbol: str
    time_ns: int
    price: Decimal


class FundingRate(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The rate that holders of a long pay to holders of a short at ``settles_ns`` (negative: receive)."""

    symbol: str
    time_ns: int
    rate: Decimal
    settles_ns: int


MarketEvent = Bar | Quote | Trade | MarkPrice | FundingRate
