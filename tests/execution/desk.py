"""A send point with everything around it, without a bot."""

from app.domain.events import Severity
from app.domain.order import Side
from app.domain.portfolio import Portfolio
from app.execution import AccountBooks, OrderTracker, SendPoint
from app.timing import SequentialIds
from tests.builders import BTC, START_NS, fill, instrument
from tests.fakes.clock import FakeClock
from tests.fakes.journal import FakeJournal
from tests.fakes.order_entry import FakeOrderEntry
from tests.fakes.trading_state import FakeTradingState


class Judge:
    """Risk that says what the test wants, and notes how many orders worked when it was asked."""

    def __init__(self):
        self.verdict = None
        self.working = []

    def check(self, order, books):
        self.working.append(books.open_orders)
        return self.verdict


class Desk:
    """A send point with everything around it."""

    def __init__(self, *, delayed=False):
        instruments = {BTC: instrument()}
        self.journal = FakeJournal(delayed=delayed)
        self.exchange = FakeOrderEntry()
        self.trading = FakeTradingState()
        self.risk = Judge()
        self.facts, self.told = [], []
        self.portfolio = Portfolio("main", "USDT", instruments)
        self.tracker = OrderTracker()
        self.books = AccountBooks(self.portfolio, self.tracker, instruments, self.trading, FakeClock(START_NS))
        self.point = SendPoint(
            self.exchange,
            self.journal,
            self.risk,
            self.books,
            SequentialIds("main", 1),
            self.trading,
            self.facts.append,
            self.told.append,
        )

    @property
    def sent(self):
        return [each.client_order_id for each in self.exchange.submitted]

    def recorded(self):
        return [type(record) for record in self.journal.records]

    def hold(self, contracts):
        side = Side.BUY if contracts > 0 else Side.SELL
        self.portfolio.apply(fill("opening", side, contracts=abs(contracts), client_order_id=None))

    def halt(self, severity=Severity.HALTED):
        self.trading.raise_reason("operator", "halt", severity, "by hand")
