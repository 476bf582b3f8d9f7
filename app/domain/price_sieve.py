"""Keeps prices that cannot be true out of a venue's stream: before books, guards or strategies see them."""

from collections.abc import Callable
from decimal import Decimal

from app.domain.events import BookStale, StreamEvent
from app.domain.market import Bar, FundingRate, MarkPrice, Quote, Trade
from app.domain.money import ZERO


class PriceSieve:
    """Lets through what can be true. For the first that cannot, of a kind and a symbol, it tells that prices are stale.

    Then it is silent until one comes that can: an exchange that talks nonsense does so many times a second. For streams
    of real time only; recorded data is checked when it is loaded.
    """

    __slots__ = ("_next_event", "_unsound")

    def __init__(self, next_event: Callable[[], StreamEvent | None]) -> None:
        self._next_event = next_event
        self._unsound: set[tuple[type, str]] = set()
        """Of which kind and symbol the last was nonsense."""

    def next_event(self) -> StreamEvent | None:
        """Return the next event that can be true, or None when there is none right now."""
        while (event := self._next_event()) is not None:
            if not isinstance(event, Bar | Quote | Trade | MarkPrice | FundingRate):
                return event
            key = (type(event), event.symbol)
            if is_sound(event):
                self._unsound.discard(key)
                return event
            if key not in self._unsound:
                self._unsound.add(key)
                return BookStale(event.symbol, event.time_ns, f"it cannot be true: {_words_of(event)}")
        return None


def is_sound(event: Bar | Quote | Trade | MarkPrice | FundingRate) -> bool:
    """Return whether what a market says can be true: prices are positive, a bid is not above the ask.

    >>> is_sound(MarkPrice("BTC/USDT:USDT", 0, Decimal("NaN")))
    False
    """
    match event:
        case MarkPrice(price=price):
            return _is_price(price)
        case Quote(bid=bid, bid_contracts=wanted, ask=ask, ask_contracts=offered):
            return _is_price(bid) and _is_price(ask) and bid <= ask and _is_size(wanted) and _is_size(offered)
        case Bar(low=low, high=high):
            prices = (event.open, high, low, event.close)
            return all(map(_is_price, prices)) and low == min(prices) and high == max(prices) and _is_size(event.volume)
        case Trade(price=price, contracts=contracts):
            return _is_price(price) and _is_size(contracts)
        case _:
            return event.rate.is_finite()


def _is_price(number: Decimal) -> bool:
    return number.is_finite() and number > ZERO


def _is_size(number: Decimal) -> bool:
    return number.is_finite() and number >= ZERO


def _words_of(event: Bar | Quote | Trade | MarkPrice | FundingRate) -> str:
    match event:
        case MarkPrice(price=price):
            return f"mark {price}"
        case Quote(bid=bid, bid_contracts=wanted, ask=ask, ask_contracts=offered):
            return f"bid {bid} for {wanted}, ask {ask} for {offered}"
        case Bar(low=low, high=high, volume=volume):
            return f"bar open {event.open}, high {high}, low {low}, close {event.close}, volume {volume}"
        case Trade(price=price, contracts=contracts):
            return f"trade of {contracts} at {price}"
        case _:
            return f"funding rate {event.rate}"
