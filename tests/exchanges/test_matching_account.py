"""Funding and liquidation at the simulated venue, with numbers that can be checked by hand."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from app.domain.events import Fill, FundingPaid
from app.domain.ledger import Account
from app.domain.margin import MarginMode
from app.domain.market import FundingRate
from app.domain.order import Side
from app.exchanges.matching import MatchingRules, PriceRange, VenueState
from tests.builders import BTC, BTC_INVERSE, ETH, at, bar, instrument, inverse, limit, mark, order
from tests.exchanges.venue import Venue, fills, names

D = Decimal


def rate(value, settles_s, told_s=None, symbol=BTC):
    return FundingRate(symbol, at(settles_s if told_s is None else told_s), D(value), at(settles_s))


# -- funding ----------------------------------------------------------------------------------------------------


def test_a_long_pays_a_positive_rate_at_the_mark_once():
    """2 contracts at a mark of 100 and a rate of 0.1 %: 0.2 paid."""
    venue = Venue()
    venue.hold("2")
    [paid] = venue.event(rate("0.001", 200))
    assert (paid.amount, paid.contracts, paid.mark_price, paid.mark_known) == (D("-0.2"), D(2), D(100), False)
    assert venue.bar("100") == []
    assert venue.engine.books.ledger.funding == D("-0.2")


def test_a_short_receives_it_and_a_negative_rate_turns_it_round():
    venue = Venue()
    venue.hold("-2")
    assert venue.event(rate("0.001", 200))[0].amount == D("0.2")
    assert venue.event(rate("-0.001", 300))[0].amount == D("-0.2")


def test_an_announced_rate_settles_when_its_time_has_come():
    venue = Venue()
    venue.hold("1")
    assert venue.event(rate("0.001", 170, told_s=121)) == []
    assert names(venue.bar("100")) == ["FundingPaid"]


def test_nothing_is_settled_without_a_position():
    venue = Venue()
    assert venue.event(rate("0.001", 200)) == []


def test_a_known_mark_is_said_to_be_known():
    venue = Venue()
    venue.hold("1")
    venue.event(mark("110", 130))
    [paid] = venue.event(rate("0.001", 200))
    assert (paid.mark_price, paid.mark_known) == (D(110), True)


def test_a_stand_in_for_a_mark_is_said_to_be_one():
    venue = Venue()
    venue.hold("1")
    venue.engine.on_mark_range(BTC, PriceRange.at(D(105)), at(130), known=False)
    assert not venue.event(rate("0.001", 200))[0].mark_known
    venue.engine.on_mark_range(BTC, PriceRange.at(D(105)), at(210), known=True)
    assert venue.event(rate("0.001", 220))[0].mark_known


def test_an_inverse_contract_pays_in_its_base():
    """100 contracts of 100 USD at 100 are worth 100 BTC; 0.1 % of them is 0.1 BTC."""
    venue = Venue(listed=(inverse(),), deposit="1000")
    venue.event(bar("100", 5, symbol=BTC_INVERSE))
    venue.send(order("a", contracts="100", symbol=BTC_INVERSE))
    venue.event(bar("100", 6, symbol=BTC_INVERSE))
    [paid] = venue.event(rate("0.001", 900, symbol=BTC_INVERSE))
    assert (paid.amount, paid.currency) == (D("-0.1"), "BTC")


# -- liquidation ------------------------------------------------------------------------------------------------


def test_an_isolated_long_is_liquidated_where_its_collateral_is_used_up():
    """10 contracts at 100, leverage 10: collateral 100, maintenance 1 %. 100 + 10 (p - 100) = 0.1 p: p = 90.909…"""
    venue = Venue(mode=MarginMode.ISOLATED)
    venue.hold("10")
    assert venue.bar("91") == []
    told = venue.bar("92", low="90")
    [closed] = [event for event in told if isinstance(event, Fill)]
    assert (closed.liquidation, closed.client_order_id, closed.side, closed.contracts) == (True, None, Side.SELL, D(10))
    assert closed.price == D("91.0")
    assert closed.fee == D("4.55")
    assert venue.position() == 0


def test_a_gap_beyond_bankruptcy_costs_no_more_than_the_collateral():
    """The insurance fund bears the rest: 100 of collateral are lost, no more, whatever the open."""
    venue = Venue(mode=MarginMode.ISOLATED)
    venue.hold("10")
    before = venue.balance
    venue.bar("50", open_="50")
    assert venue.position() == 0
    assert venue.balance == before - 100


def test_a_cross_account_stands_with_all_it_has_and_never_owes():
    """10 contracts at 100 on 200 USDT, leverage 10: gone at a loss of 200 less maintenance, never below zero."""
    venue = Venue(deposit="200.5")
    venue.hold("10")
    venue.bar("82")
    assert venue.position() == 10
    venue.bar("10", open_="10")
    assert venue.position() == 0
    assert venue.balance >= 0


def test_a_short_is_liquidated_above():
    venue = Venue(mode=MarginMode.ISOLATED)
    venue.hold("-10")
    told = venue.bar("100", high="111")
    assert fills(told)[0][0] == D("108.9")


def test_working_orders_of_a_liquidated_symbol_go_first():
    venue = Venue(mode=MarginMode.ISOLATED)
    venue.hold("10")
    venue.send(limit("s", Side.SELL, price="150", reduce_only=True))
    assert names(venue.bar("80")) == ["OrderCanceled", "Fill"]


def test_under_cross_margin_the_other_positions_follow_while_the_account_is_short():
    """BTC falls so far that what is left cannot carry ETH either."""
    venue = Venue(listed=(instrument(), instrument(ETH)), deposit="300.5")
    venue.event(bar("100", 0, symbol=ETH))
    venue.hold("10")
    venue.send(order("e", contracts="10", symbol=ETH))
    venue.event(bar("100", 3, symbol=ETH))
    venue.event(bar("91", 4, symbol=ETH))
    told = venue.bar("60", open_="60")
    assert [event.symbol for event in told if isinstance(event, Fill)] == [BTC, ETH]
    assert venue.balance >= 0


def test_mark_prices_liquidate_where_there_are_some():
    venue = Venue(mode=MarginMode.ISOLATED)
    venue.event(mark("100", 61))
    venue.hold("10")
    venue.bar("80")
    assert venue.position() == 10
    venue.event(mark("80", 500))
    assert venue.position() == 0


# -- memory and properties --------------------------------------------------------------------------------------

steps = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.integers(1, 30)),
        st.tuples(st.just("sell"), st.integers(1, 30)),
        st.tuples(st.just("close"), st.integers(1, 60)),
        st.tuples(st.just("limit"), st.integers(80, 120)),
        st.tuples(st.just("bar"), st.integers(60, 150)),
        st.tuples(st.just("fund"), st.integers(-9, 9)),
    ),
    max_size=30,
)


def play(venue, actions, start=0):
    told = []
    for number, (what, size) in enumerate(actions, start):
        name = f"o{number}"
        if what in {"buy", "sell"}:
            told += venue.send(order(name, Side(what), size))
        elif what == "close":
            side = Side.SELL if venue.position() > 0 else Side.BUY
            held = abs(venue.position())
            told += venue.send(order(name, side, size, reduce_only=True))
            told += venue.bar("100")
            assert abs(venue.position()) <= held or any(
                not event.liquidation for event in told if isinstance(event, Fill)
            )
        elif what == "limit":
            told += venue.send(limit(name, price=str(size)))
        elif what == "bar":
            told += venue.bar(str(size), high=str(size + 5), low=str(size - 5))
        else:
            seconds = (venue.index + 1) * 60
            told += venue.event(rate(f"{size / 10000:.4f}", seconds, told_s=seconds))
    return told


@given(steps, st.sampled_from(MarginMode))
def test_the_venue_s_books_are_exact(actions, mode):
    """Every account sums to zero, the position is the sum of the fills, and nobody ever owes."""
    venue = Venue(mode=mode, rules=MatchingRules(partial_fill_ratio=D("0.7"), spread_ticks=D(2)), deposit="1000")
    told = play(venue, actions)
    filled = [event for event in told if isinstance(event, Fill)]
    ledger = venue.engine.books.ledger
    assert sum(ledger.totals.values()) == 0
    assert ledger.totals[Account.FEES] == sum((event.fee for event in filled), D(0))
    assert ledger.funding == sum((event.amount for event in told if isinstance(event, FundingPaid)), D(0))
    assert venue.position() == sum((event.signed_contracts for event in filled), D(0))
    by_order = {}
    for event in filled:
        by_order[event.client_order_id] = by_order.get(event.client_order_id, D(0)) + event.contracts
    assert all(size <= 60 for name, size in by_order.items() if name)


@given(steps, steps)
def test_a_restored_venue_goes_on_as_if_nothing_had_happened(before, after):
    rules = MatchingRules(partial_fill_ratio=D("0.7"), latency_ns=10**9)
    venue, copy = Venue(rules=rules), Venue(rules=rules)
    play(venue, before)
    copy.engine.restore(msgspec.json.decode(msgspec.json.encode(venue.engine.state()), type=VenueState))
    copy.index = venue.index
    assert play(copy, after, 100) == play(venue, after, 100)
