"""What a market says that cannot be true goes no further."""

from collections import deque
from decimal import Decimal

import msgspec
import pytest

from app.domain.events import BookStale, Timer
from app.domain.market import FundingRate, Trade
from app.domain.order import Side
from app.domain.price_sieve import PriceSieve, is_sound
from tests.builders import BTC, ETH, START_NS, bar, mark, quote

D = Decimal
SOUND = {
    "mark": mark("100"),
    "quote": quote("99", "101"),
    "bar": bar("100"),
    "trade": Trade(BTC, START_NS, D(100), D(1), Side.BUY),
    "funding": FundingRate(BTC, START_NS, D("-0.0001"), START_NS + 1),
}
NO_PRICES = ("NaN", "sNaN", "Infinity", "-Infinity", "0", "-1")
NO_SIZES = ("NaN", "Infinity", "-1")
UNSOUND = [
    *[("mark", {"price": told}) for told in NO_PRICES],
    *[("trade", {"price": told}) for told in NO_PRICES],
    *[("trade", {"contracts": told}) for told in NO_SIZES],
    *[("quote", {side: told}) for side in ("bid", "ask") for told in NO_PRICES],
    *[("quote", {side: told}) for side in ("bid_contracts", "ask_contracts") for told in NO_SIZES],
    ("quote", {"bid": "101.1"}),
    *[("bar", {price: told}) for price in ("open", "high", "low", "close") for told in NO_PRICES],
    ("bar", {"low": "101", "high": "100"}),
    ("bar", {"volume": "-1"}),
    *[("funding", {"rate": told}) for told in ("NaN", "Infinity")],
]


def sieve(*events):
    told = deque(events)
    return PriceSieve(lambda: told.popleft() if told else None)


def all_of(sieved):
    return list(iter(sieved.next_event, None))


@pytest.mark.parametrize("kind", SOUND)
def test_what_can_be_true_goes_through(kind):
    assert is_sound(SOUND[kind])
    assert all_of(sieve(SOUND[kind])) == [SOUND[kind]]


def test_a_book_whose_sides_meet_can_be_true():
    assert is_sound(quote("100", "100"))


@pytest.mark.parametrize(("kind", "changes"), UNSOUND)
def test_what_cannot_be_true_makes_the_prices_stale(kind, changes):
    """The numbers are in the sentence, so that the venue can be asked about them."""
    [stale] = all_of(sieve(_changed(kind, changes)))
    assert (type(stale), stale.symbol, stale.time_ns) == (BookStale, BTC, SOUND[kind].time_ns)
    assert "cannot be true" in stale.reason
    assert next(iter(changes.values())) in stale.reason


def test_nonsense_is_told_once_until_sense_comes_again():
    """Of one kind and symbol: a mark that is right does not make a quote right."""
    bad_mark, bad_quote, other = mark("0"), quote("101", "100"), mark("0", symbol=ETH)
    kinds = all_of(sieve(bad_mark, bad_mark, bad_quote, bad_mark, bad_quote, other, mark("100"), bad_quote, bad_mark))
    assert [type(event).__name__ for event in kinds] == [
        "BookStale",  # the mark
        "BookStale",  # the quote
        "BookStale",  # the other symbol's mark
        "MarkPrice",
        "BookStale",  # the mark again
    ]


def test_what_is_no_price_is_none_of_its_business():
    assert all_of(sieve(Timer(1))) == [Timer(1)]


def _changed(kind, changes):
    return msgspec.structs.replace(SOUND[kind], **{name: D(told) for name, told in changes.items()})
