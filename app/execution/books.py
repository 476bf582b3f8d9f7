"""The account as it is at this moment: books, working orders, marks. Execution writes; risk reads."""

from collections import deque
from collections.abc import Collection, Mapping
from decimal import Decimal

from app.domain.instrument import Instrument, listed_anew
from app.domain.market import SECOND_NS
from app.domain.order import Order
from app.domain.portfolio import Portfolio
from app.domain.trading_state import TradingState
from app.execution.tracker import OrderTracker
from app.ports.clock import Clock
from app.ports.trading_state import TradingStatePort

RATE_WINDOW_NS = 60 * SECOND_NS
LIKENESS_WINDOW_NS = 3600 * SECOND_NS
LIKENESS_KEPT_MAX = 1000


class AccountBooks:
    """Implements ``Books`` over the parts that execution owns."""

    def __init__(
        self,
        portfolio: Portfolio,
        tracker: OrderTracker,
        instruments: Mapping[str, Instrument],
        trading_state: TradingStatePort,
        clock: Clock,
    ) -> None:
        self.portfolio = portfolio
        self.tracker = tracker
        self.instruments = instruments
        self.clock = clock
        self._trading_state = trading_state
        self._mark_ns: dict[str, int] = {}
        self._quotes: dict[str, tuple[Decimal, Decimal]] = {}
        self._intended: deque[int] = deque()
        self._alike: dict[tuple[object, ...], int] = {}
        # Each check asks for these, and each answer is one look-up: what would only pass it on is left out.
        self.working = tracker.working
        self.mark_ns = self._mark_ns.get
        self.spread = self._quotes.get

    def list_anew(self, instrument: Instrument) -> None:
        """Go by an instrument as the exchange lists it now."""
        self.instruments = listed_anew(self.instruments, instrument)

    @property
    def trading(self) -> TradingState:
        """The trading state."""
        return self._trading_state.current

    @property
    def open_orders(self) -> int:
        """Number of all orders that may still fill."""
        return self.tracker.open_orders

    @property
    def working_symbols(self) -> Collection[str]:
        """The symbols with orders that may still fill."""
        return self.tracker.working_symbols

    def tradable(self, symbol: str) -> Decimal:
        """Return the unsigned contracts of a position that can be traded: its whole lots."""
        return abs(self.instruments[symbol].round_contracts(self.portfolio.position(symbol).contracts))

    def orders_since(self, time_ns: int) -> int:
        """Return how many orders were intended at or after ``time_ns`` (looks back at most a minute)."""
        intended, oldest_ns = self._intended, self.clock.now_ns - RATE_WINDOW_NS
        while intended and intended[0] < oldest_ns:
            intended.popleft()
        return len(intended) if time_ns <= oldest_ns else sum(1 for at in intended if at >= time_ns)

    def last_like(self, order: Order) -> int | None:
        """Return when an equal order was last intended; None if never within the last hour."""
        at = self._alike.get(_likeness(order))
        return at if at is not None and at >= self.clock.now_ns - LIKENESS_WINDOW_NS else None

    # -- writing -------------------------------------------------------------------------------------------------

    def set_mark(self, symbol: str, price: Decimal, time_ns: int) -> None:
        """Take a mark price in."""
        self.portfolio.set_mark(symbol, price)
        self._mark_ns[symbol] = time_ns

    def set_quote(self, symbol: str, bid: Decimal, ask: Decimal) -> None:
        """Take the top of the book in."""
        self._quotes[symbol] = (bid, ask)

    def distrust(self, symbol: str) -> None:
        """Forget how fresh the prices of ``symbol`` are, until the next mark."""
        self._mark_ns.pop(symbol, None)
        self._quotes.pop(symbol, None)

    def note_intent(self, order: Order) -> None:
        """Remember an order for the message rate and for the check of repeated orders."""
        self._intended.append(order.created_ns)
        key = _likeness(order)
        self._alike.pop(key, None)
        self._alike[key] = order.created_ns
        if len(self._alike) > LIKENESS_KEPT_MAX:
            del self._alike[next(iter(self._alike))]


def _likeness(order: Order) -> tuple[object, ...]:
    return (
        order.symbol,
        order.side,
        order.type,
        order.contracts,
        order.price,
        order.trigger_price,
        order.trailing_offset,
        order.reduce_only,
    )
