"""What the exchange tells unasked is a reason to ask once it has differed for a while, and never more than once."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.events import AccountSeen
from app.domain.market import SECOND_NS
from app.execution import Overheard
from app.execution.overheard import BALANCE, QUIET_NS
from tests.builders import BTC, ETH


class Books:
    """What the bot holds, and whether it would ask at a moment."""

    def __init__(self):
        self.overheard = Overheard([BTC])
        self.held = {BTC: Decimal(0), BALANCE: Decimal(100)}

    def hear(self, time_ns, contracts=None, balance=None):
        held = {} if contracts is None else {BTC: Decimal(contracts)}
        told = None if balance is None else Decimal(balance)
        self.overheard.hear(AccountSeen(time_ns=time_ns, balance=told, contracts=held))

    def fill(self, time_ns, contracts):
        self.held[BTC] += Decimal(contracts)
        self.overheard.book(BTC, time_ns)

    def asks(self, now_ns):
        return self.overheard.is_doubtful(self.held.__getitem__, now_ns)


@pytest.fixture
def books():
    return Books()


def test_what_agrees_is_no_reason(books):
    books.hear(5, "0", "100")
    assert not books.asks(0)
    assert not books.asks(QUIET_NS)


def test_a_difference_that_stays_is_asked_about_once(books):
    books.hear(5, "2")
    assert not books.asks(0)
    assert not books.asks(QUIET_NS - 1)
    assert books.asks(QUIET_NS)
    assert not books.asks(100 * QUIET_NS)


def test_what_is_told_again_is_not_asked_about_again(books):
    """The exchange repeats a position that the books do not have, though they were compared and agree."""
    books.hear(5, "2")
    books.asks(0)
    assert books.asks(QUIET_NS)
    books.hear(6, "2")
    assert not books.asks(10 * QUIET_NS)


def test_a_difference_that_changes_is_waited_for_anew(books):
    books.hear(5, "2")
    books.asks(0)
    books.hear(6, "3")
    assert not books.asks(QUIET_NS)
    assert books.asks(2 * QUIET_NS)


def test_a_fill_that_comes_in_time_ends_it(books):
    books.hear(5, "2")
    books.asks(0)
    books.fill(5, "2")
    assert not books.asks(QUIET_NS)


def test_what_was_before_the_last_fill_says_nothing(books):
    """The position after the first of two fills comes late: of the second, nothing was told."""
    books.fill(5, "1")
    books.fill(7, "1")
    books.hear(5, "1")
    assert not books.asks(0)
    assert not books.asks(QUIET_NS)


def test_a_fill_that_comes_late_takes_no_time_back(books):
    books.fill(7, "1")
    books.fill(5, "1")
    books.hear(6, "1")
    books.asks(0)
    assert not books.asks(QUIET_NS)


def test_the_older_of_two_that_come_the_wrong_way_round_says_nothing(books):
    books.hear(7, "0")
    books.hear(5, "2")
    books.asks(0)
    assert not books.asks(QUIET_NS)


def test_a_balance_that_differs_is_asked_about(books):
    books.hear(5, balance="90")
    books.asks(0)
    assert books.asks(QUIET_NS)


def test_nothing_is_said_of_a_symbol_that_is_not_traded(books):
    books.overheard.hear(AccountSeen(time_ns=5, balance=None, contracts={ETH: Decimal(7)}))
    assert not books.asks(0)


@given(
    st.lists(st.sampled_from(["1", "-1", "2", "-3"]), min_size=1, max_size=30),
    st.data(),
)
def test_whatever_becomes_of_what_is_told_fills_that_came_are_never_doubted(sizes, data):
    """Positions are told twice, late, missing, in any order; every fill is booked: nothing is asked."""
    books, told = Books(), []
    for number, size in enumerate(sizes, 1):
        books.fill(number, size)
        told.append((number, books.held[BTC]))
    times = data.draw(st.lists(st.sampled_from(told), max_size=60))
    for now_s, (number, held) in enumerate(times):
        books.hear(number, held)
        assert not books.asks(now_s * SECOND_NS)
    assert not books.asks(1000 * SECOND_NS)
