"""What is known of the account at this moment."""

from decimal import Decimal

import pytest

from app.domain.events import Severity
from app.domain.portfolio import Portfolio
from app.domain.trading_state import TradingLevel
from app.execution import AccountBooks, OrderTracker
from app.execution.books import LIKENESS_KEPT_MAX
from tests.builders import BTC, ETH, START_NS, at, instrument, limit, order
from tests.fakes.clock import FakeClock
from tests.fakes.trading_state import FakeTradingState


@pytest.fixture
def clock():
    return FakeClock(START_NS)


@pytest.fixture
def trading():
    return FakeTradingState()


@pytest.fixture
def books(clock, trading):
    instruments = {BTC: instrument()}
    return AccountBooks(Portfolio("main", "USDT", instruments), OrderTracker(), instruments, trading, clock)


def test_a_mark_is_known_with_its_time(books):
    assert books.mark_ns(BTC) is None
    books.set_mark(BTC, Decimal(100), START_NS)
    assert (books.mark_ns(BTC), books.portfolio.mark(BTC)) == (START_NS, 100)


def test_distrusted_prices_are_as_good_as_none_until_the_next(books):
    books.set_mark(BTC, Decimal(100), START_NS)
    books.set_quote(BTC, Decimal(99), Decimal(101))
    assert books.spread(BTC) == (99, 101)
    books.distrust(BTC)
    assert (books.mark_ns(BTC), books.spread(BTC)) == (None, None)
    books.set_mark(BTC, Decimal(100), at(1))
    assert books.mark_ns(BTC) == at(1)


def test_orders_of_the_last_minute_are_counted(books, clock):
    """Intended at 0, 30 and 60 s; at 61 s the first is older than a minute."""
    for seconds in (0, 30, 60):
        clock.now_ns = at(seconds)
        books.note_intent(order(created_ns=at(seconds)))
    assert books.orders_since(at(0)) == 3
    assert books.orders_since(at(31)) == 1
    clock.now_ns = at(61)
    assert books.orders_since(at(0)) == 2
    clock.now_ns = at(600)
    assert books.orders_since(at(0)) == 0


def test_an_equal_order_is_remembered_for_an_hour(books, clock):
    books.note_intent(limit(price="100"))
    assert books.last_like(limit("other id", price="100")) == START_NS
    assert books.last_like(limit(price="100.1")) is None
    clock.now_ns = at(3600)
    assert books.last_like(limit(price="100")) == START_NS
    clock.now_ns = at(3601)
    assert books.last_like(limit(price="100")) is None


def test_only_the_latest_equal_orders_are_remembered(books):
    """A repeated one counts as new: the oldest other one is forgotten."""
    for size in range(1, LIKENESS_KEPT_MAX + 1):
        books.note_intent(order(contracts=size))
    books.note_intent(order(contracts=1))
    books.note_intent(order(contracts=LIKENESS_KEPT_MAX + 1))
    assert books.last_like(order(contracts=2)) is None
    assert books.last_like(order(contracts=1)) == START_NS


def test_working_orders_and_the_trading_state_are_read_where_they_are(books, trading):
    tracked = books.tracker.intend(order())
    assert (books.working(BTC), books.working_symbols, books.open_orders) == ((tracked,), [BTC], 1)
    trading.raise_reason("operator", "halt", Severity.HALTED, "")
    assert books.trading.level is TradingLevel.HALTED
    trading.clear_reason("operator", "halt")
    assert books.trading.level is TradingLevel.ACTIVE


def test_what_an_exchange_lists_anew_are_the_terms_of_orders_and_nothing_that_the_books_go_by(books):
    books.list_anew(instrument(lot_size="0.5", contract_size="10"))
    books.list_anew(instrument(symbol=ETH))
    assert books.instruments == {BTC: instrument(lot_size="0.5")}
