"""Whatever is filled, paid and settled: the books are exact, to the last digit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.margin import MarginMode
from app.domain.money import LEDGER_QUANTUM
from app.domain.order import Side
from app.domain.portfolio import Portfolio
from app.domain.position import Position
from tests.builders import BTC, BTC_INVERSE, fill, funding_paid, instrument, inverse
from tests.properties import BRIEF

LINEAR = instrument(contract_size="0.001", lot_size="1", contracts_max="100000")
INVERSE = inverse()
lots = st.integers(1, 500).map(Decimal)
prices = st.integers(1_000, 1_000_000).map(lambda ticks: Decimal(ticks) / 10)
amounts = st.integers(-(10**9), 10**9).map(lambda quanta: quanta * LEDGER_QUANTUM)
events = st.one_of(
    st.tuples(st.just("fill"), st.sampled_from(Side), lots, prices, amounts),
    st.tuples(st.just("fund"), amounts),
    st.tuples(st.just("pay in"), amounts),
    st.tuples(st.just("mark"), prices),
)


def run(contract, steps, mode=MarginMode.CROSS):
    """Return the books after the steps, and what was paid in, fees, funding, and the cash of all fills."""
    books = Portfolio("main", contract.settle, {contract.symbol: contract}, mode, Decimal(3))
    paid_in = fees = funding = cash = Decimal(0)
    for number, (kind, *what) in enumerate(steps):
        if kind == "fill":
            side, contracts, price, fee = what
            told = fill(str(number), side, contracts, price, fee, symbol=contract.symbol, fee_currency=contract.settle)
            books.apply(told)
            assert books.apply(told) is None
            fees += fee
            cash -= contract.value(told.signed_contracts, price)
        elif kind == "fund":
            books.apply_funding(funding_paid(what[0], number, contract.symbol, contract.settle))
            funding += what[0]
        elif kind == "pay in":
            books.deposit(str(number), what[0], number)
            paid_in += what[0]
        else:
            books.set_mark(contract.symbol, what[0])
    return books, paid_in, fees, funding, cash


@pytest.mark.parametrize("contract", [LINEAR, INVERSE], ids=["linear", "inverse"])
@BRIEF
@given(steps=st.lists(events, max_size=30))
def test_the_ledger_is_exact(contract, steps):
    """Balance = paid in + realized - fees + funding, and all accounts sum to zero, with no tolerance."""
    books, paid_in, fees, funding, _ = run(contract, steps)
    ledger = books.ledger
    assert sum(ledger.totals.values()) == 0
    assert (ledger.deposited, ledger.fees, ledger.funding) == (paid_in, fees, funding)
    assert books.balance == paid_in + ledger.realized - fees + funding


@BRIEF
@given(steps=st.lists(events, max_size=30))
def test_realized_profit_and_cost_are_the_cash_of_all_fills(steps):
    """Nothing is lost to rounding: what was paid for the position is its cost less what was earned."""
    books, _, _, _, cash = run(LINEAR, steps)
    assert books.ledger.realized - books.position(BTC).cost == cash


@BRIEF
@given(steps=st.lists(events, max_size=30))
def test_realized_profit_of_an_inverse_contract_is_the_cash_to_a_quantum_a_fill(steps):
    """A flip values its two parts one by one, and each is rounded; all else is exact."""
    books, _, _, _, cash = run(INVERSE, steps)
    assert abs(books.ledger.realized - books.position(BTC_INVERSE).cost - cash) <= LEDGER_QUANTUM * len(steps)


@pytest.mark.parametrize("contract", [LINEAR, INVERSE], ids=["linear", "inverse"])
@pytest.mark.parametrize("mode", MarginMode)
@BRIEF
@given(steps=st.lists(events, max_size=30))
def test_the_position_is_the_sum_of_its_fills(contract, mode, steps):
    """And a flat one has cost nothing and binds nothing."""
    books, *_ = run(contract, steps, mode)
    held = books.position(contract.symbol)
    assert held.contracts == sum(
        (side.sign * contracts for kind, side, contracts, *_ in (s for s in steps if s[0] == "fill")), Decimal(0)
    )
    if held.is_flat:
        assert held.cost == 0
        assert not held.isolated_margin
        assert books.positions == ()


@pytest.mark.parametrize("contract", [LINEAR, INVERSE], ids=["linear", "inverse"])
@BRIEF
@given(steps=st.lists(events, max_size=30))
def test_what_is_kept_ready_equals_what_is_computed_anew(contract, steps):
    """Equity, notional, margins and liquidation price are remembered between marks: they must not go stale."""
    books, *_ = run(contract, steps)
    symbol, mark = contract.symbol, books.mark(contract.symbol)
    held = books.position(symbol)
    assert books.equity == books.balance + (held.unrealized(contract, mark) if mark else 0)
    assert books.notional(symbol) == (contract.notional(held.contracts, mark) if mark else 0)
    again = Portfolio("main", contract.settle, {symbol: contract}, MarginMode.CROSS, Decimal(3))
    again.restore(books.positions, dict(books.ledger.totals), [], [], {symbol: mark} if mark else {})
    assert again.equity == books.equity
    assert again.maintenance_margin == books.maintenance_margin
    assert again.margin_available == books.margin_available
    assert again.liquidation_price(symbol) == books.liquidation_price(symbol)


@BRIEF
@given(parts=st.lists(st.integers(1, 50), min_size=1, max_size=12), cost=st.integers(1, 10**12))
def test_a_position_gives_back_exactly_what_it_cost_however_it_is_taken_apart(parts, cost):
    total = cost * LEDGER_QUANTUM
    held, released = Position(BTC, Decimal(sum(parts)), total), Decimal(0)
    for part in parts:
        held, realized = held.after(LINEAR, Decimal(-part), Decimal(100))
        released += LINEAR.value(Decimal(part), Decimal(100)) - realized
    assert held.is_flat
    assert (held.cost, released) == (0, total)
