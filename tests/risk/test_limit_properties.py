"""However approved orders fill, in whatever order and part: no limit is ever passed."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.domain.events import OrderCanceled, OrderUnknown
from app.domain.order import Side
from app.risk import RiskEngine
from tests.builders import BTC, ETH, fill, order
from tests.properties import BRIEF
from tests.risk.account import Account, limits

PRICES = {BTC: Decimal(100), ETH: Decimal(10)}
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("order"),
            st.sampled_from([BTC, ETH]),
            st.sampled_from(Side),
            st.integers(1, 60).map(Decimal),
            st.booleans(),
        ),
        st.tuples(st.just("fill"), st.integers(0, 20), st.integers(1, 60)),
        st.tuples(st.just("lose"), st.integers(0, 20)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
    ),
    max_size=40,
)


def fill_at_mark(account, tracked, most, trade_id):
    """Fill a working order at the mark; a reducing one only as far as it reduces, as the exchange does."""
    an_order, contracts = tracked.order, min(Decimal(most), tracked.remaining)
    held = account.portfolio.position(an_order.symbol).contracts
    if an_order.reduce_only:
        contracts = min(contracts, max(Decimal(0), -held * an_order.side.sign))
    if not contracts:
        return
    told = fill(
        trade_id,
        an_order.side,
        contracts,
        PRICES[an_order.symbol],
        symbol=an_order.symbol,
        client_order_id=an_order.client_order_id,
    )
    account.portfolio.apply(told)
    account.tracker.fill(told)


def advance(account, engine, number, kind, what):
    """Let one thing happen: an order that risk allows, a fill, an outcome that gets lost, or a cancel."""
    at_work = account.tracker.all_working()
    if kind == "order":
        symbol, side, contracts, reduce_only = what
        wanted = order(str(number), side, contracts, symbol=symbol, reduce_only=reduce_only)
        if engine.check(wanted, account.books) is None:
            account.works(wanted)
            account.tracker.sent(str(number))
        return
    if not at_work:
        return
    tracked = at_work[what[0] % len(at_work)]
    name, symbol = tracked.order.client_order_id, tracked.order.symbol
    if kind == "fill":
        fill_at_mark(account, tracked, what[1], f"f{number}")
    elif kind == "lose":
        account.tracker.apply(OrderUnknown(name, symbol, number, "time-out"))
    else:
        account.tracker.apply(OrderCanceled(name, symbol, number, ""))


def fill_the_rest(account):
    """Fill whatever still works, all buys first; yield after each."""
    for side in Side:
        for tracked in account.tracker.all_working():
            if tracked.order.side is side:
                fill_at_mark(account, tracked, 60, f"last {tracked.order.client_order_id}")
                yield


@BRIEF
@given(steps=steps)
def test_the_position_and_the_exposure_stay_within_their_limits(steps):
    """3,000 a symbol and half of the equity of 10,000 in all; in the end everything left fills as well."""
    account = Account(deposit="10000", leverage="100")
    for symbol, price in PRICES.items():
        account.mark(price, symbol)
    engine = RiskEngine(limits(position_notional_max="3000", gross_exposure_ratio_max="0.5"))

    def holds():
        values = [account.portfolio.notional(symbol) for symbol in PRICES]
        return max(values) <= 3000 and sum(values) <= 5000

    for number, (kind, *what) in enumerate(steps):
        advance(account, engine, number, kind, what)
        assert holds()
    for _ in fill_the_rest(account):
        assert holds()
