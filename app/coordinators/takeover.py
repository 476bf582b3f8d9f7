"""Takes what is at the exchange and not in the books into them, as the settings want it.

An order that carries an id of ours is always taken: it reduces a position and left while the store was down.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from app.domain.events import Fill, OrderAccepted, StreamEvent
from app.domain.order import OrderStatus
from app.domain.position import Position
from app.domain.records import OrderIntended, OrderRecord
from app.execution import AccountBooks, TrackedOrder, adopting_fill
from app.lifecycle import CoordinatorContext

REFUSE, CLOSE = "refuse", "close"


class Takeover:
    """Adopted orders and positions are in the books like any other; those to be closed are named for whoever closes."""

    def __init__(
        self,
        context: CoordinatorContext,
        books: AccountBooks,
        apply: Callable[[StreamEvent], None],
        record: Callable[..., None],
    ) -> None:
        self._context = context
        self._policy = context.settings.execution.foreign
        self._books = books
        self._portfolio = books.portfolio
        self._tracker = books.tracker
        self._apply = apply
        self._record = record
        self._closing_orders: list[TrackedOrder] = []
        self._closing_symbols: list[str] = []

    @property
    def takes_strangers(self) -> bool:
        """Whether what others have done to the account is taken over, too."""
        return self._policy != REFUSE

    @property
    def action(self) -> str:
        """What is done about a mismatch, in a word."""
        return {REFUSE: "refused", CLOSE: "closed"}.get(self._policy, "adopted")

    def take_orders(self, records: Iterable[OrderRecord]) -> None:
        """Follow working orders that are not in the books from now on."""
        for record in records:
            key = record.order.client_order_id
            is_ours = self._context.ids.is_ours(key)
            known = self._tracker.find(key)
            if (known is not None and known.is_working) or not (is_ours or self.takes_strangers):
                continue
            now_ns = self._context.clock.now_ns
            self._record(OrderIntended(record.order, now_ns))
            self._tracker.restore([msgspec.structs.replace(record, status=OrderStatus.SENT)])
            self._apply(OrderAccepted(key, record.venue_order_id or "", record.order.symbol, now_ns))
            taken = self._tracker.find(key)
            if taken is not None and not is_ours and self._policy == CLOSE:
                self._closing_orders.append(taken)

    def take_positions(self, theirs: Iterable[Position]) -> None:
        """Bring our positions to theirs, by a fill that nobody has told."""
        there = {position.symbol: position for position in theirs}
        for symbol in self._books.instruments:
            if self._take_position(symbol, there.get(symbol) or Position(symbol), None) and self._policy == CLOSE:
                self._closing_symbols.append(symbol)

    def take_left_out(self, theirs: Iterable[Position], left_out: Mapping[str, str | None]) -> list[str]:
        """Bring positions to theirs, whatever the settings say of strangers, where a fill could not be booked.

        What is held there is real, and most likely the bot's own: in the books it can be protected and left.

        Args:
            theirs: All positions at the exchange.
            left_out: Symbols, with the client order id of the fill.

        Returns:
            The symbols whose position differed.
        """
        there = {position.symbol: position for position in theirs}
        return [
            symbol
            for symbol, client_order_id in left_out.items()
            if symbol in self._books.instruments
            and self._take_position(symbol, there.get(symbol) or Position(symbol), client_order_id)
        ]

    def _take_position(self, symbol: str, theirs: Position, client_order_id: str | None) -> bool:
        ours, instrument = self._portfolio.position(symbol), self._books.instruments[symbol]
        if ours.contracts == theirs.contracts:
            return False
        price = self._portfolio.mark(symbol) or ours.average_price(instrument) or instrument.tick_size
        tracked = self._tracker.find(client_order_id)
        order = None if tracked is None else tracked.record()
        currency, now_ns = self._portfolio.currency, self._context.clock.now_ns
        fill: Fill = adopting_fill(ours, theirs, instrument, price, currency, now_ns, order)
        self._apply(fill)
        return self._portfolio.position(symbol).contracts == theirs.contracts

    def to_close(self) -> tuple[list[TrackedOrder], list[str]]:
        """Return the orders and the symbols taken over since the last call that are to be closed."""
        orders, self._closing_orders = self._closing_orders, []
        symbols, self._closing_symbols = self._closing_symbols, []
        return orders, symbols
