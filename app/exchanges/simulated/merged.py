"""Recorded market data of several symbols as one sequence of events.

The rule: earlier times come first; of equal times the symbol that is listed first; and each symbol's events stay in the
order that they have by themselves.
"""

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heapreplace

import msgspec

from app.domain.market import Bar, FundingRate, MarketEvent, MarkPrice, Trade
from app.exchanges.matching import PriceRange
from app.exchanges.simulated.errors import OtherMarket
from app.exchanges.simulated.recorded import RecordedMarket


class _State(msgspec.Struct):
    """Where it is: the next event of each symbol that has one, and where its files are behind that."""

    symbols: tuple[str, ...]
    heads: list[tuple[int, Bar | MarkPrice | FundingRate | Trade]]
    places: list[msgspec.Raw]


class MergedMarket:
    """Implements ``MarketSource`` over the files of several symbols."""

    def __init__(self, markets: Sequence[RecordedMarket]) -> None:
        self._markets = tuple(markets)
        self._of_symbol = {market.symbol: market for market in markets}
        self._heads = [
            (event.time_ns, place, event)
            for place, market in enumerate(markets)
            if (event := next(market.events, None)) is not None
        ]
        heapify(self._heads)
        self.events = self._merge()
        """The events of all files that are still to come."""

    @property
    def start_ns(self) -> int:
        """Time of the first row that is used, of whatever symbol."""
        return min(market.start_ns for market in self._markets)

    def mark_range(self, mark: MarkPrice) -> tuple[PriceRange, bool] | None:
        """Return the mark prices of the whole bar that ``mark`` closes, and whether they come from the mark file."""
        return self._of_symbol[mark.symbol].mark_range(mark)

    def history(self, symbol: str, interval_s: int, count: int) -> tuple[Bar, ...]:
        """Return bars that closed before the first event of any symbol; empty for a symbol without files."""
        if symbol not in self._of_symbol:
            return ()
        # A longer bar of one symbol may close when another's events have begun.
        start_ns = self.start_ns
        bars = self._of_symbol[symbol].history(symbol, interval_s, count)
        return tuple(bar for bar in bars if bar.time_ns <= start_ns)

    def state(self) -> bytes:
        """Return where it is."""
        heads = [(place, event) for _, place, event in self._heads]
        places = [msgspec.Raw(market.state()) for market in self._markets]
        return msgspec.json.encode(_State(tuple(self._of_symbol), heads, places))  # type: ignore[arg-type] # files hold no quotes

    def restore(self, payload: bytes) -> None:
        """Go on where ``state`` was taken.

        Raises:
            OtherMarket: It was of other symbols, or of these in another order.
        """
        state = msgspec.json.decode(payload, type=_State)
        if state.symbols != tuple(self._of_symbol):
            raise OtherMarket
        for market, place in zip(self._markets, state.places, strict=True):
            market.restore(bytes(place))
        self._heads = [(event.time_ns, place, event) for place, event in state.heads]
        heapify(self._heads)
        self.events = self._merge()

    def _merge(self) -> Iterator[MarketEvent]:
        heads = self._heads
        while heads:
            # A place is in the heap once, so two events are never compared.
            _, place, event = heads[0]
            following = next(self._markets[place].events, None)
            if following is None:
                heappop(heads)
            else:
                heapreplace(heads, (following.time_ns, place, following))
            yield event
