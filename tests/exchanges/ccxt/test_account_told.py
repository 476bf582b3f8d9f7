"""Positions and balance as the venue's stream tells them: a reason to compare, never anything that is booked."""

import asyncio
import time
from collections import Counter
from decimal import Decimal
from random import Random

import pytest

from app.domain.events import AccountSeen, Fill
from app.domain.margin import MarginMode
from app.domain.order import Side
from app.domain.portfolio import Portfolio
from app.exchanges.ccxt.translate import account_seen
from app.exchanges.ccxt.venues import VENUES
from app.execution import Overheard
from app.execution.overheard import BALANCE, QUIET_NS
from tests.builders import BTC, ETH
from tests.contracts.benches import VENUE_BENCHES

FILLS = 1000


class Ears:
    """Books that are made of fills, and what is overheard beside them."""

    def __init__(self, bench):
        listed = {bench.symbol: bench.venue.instrument}
        self.portfolio = Portfolio("main", bench.venue.currency, listed, MarginMode.CROSS, Decimal(5))
        self.portfolio.deposit("opening", Decimal(10_000), 0)
        self.overheard = Overheard(listed)
        self.kinds = Counter()

    def take(self, event):
        self.kinds[type(event)] += 1
        if isinstance(event, Fill) and self.portfolio.apply(event) is not None:
            self.overheard.book(event.symbol, event.time_ns)
        elif isinstance(event, AccountSeen):
            self.overheard.hear(event)

    def doubt(self, now_ns):
        return self.overheard.is_doubtful(self.ours, now_ns)

    def ours(self, what):
        return self.portfolio.balance if what == BALANCE else self.portfolio.position(what).contracts


@pytest.fixture(params=VENUE_BENCHES, ids=lambda bench: bench.name)
async def bench(request):
    made = request.param(key_refresh_s=60.0)
    await made.open()
    yield made
    await made.close()


async def test_what_is_held_is_told_with_what_is_left(bench):
    await bench.settle(0.3)
    bench.venue.trade_by_hand(Side.SELL, "0.02")
    fill = await bench.until(Fill)
    await bench.settle(0.3)
    seen = [event for event in bench.seen if isinstance(event, AccountSeen)][-1]
    assert seen.contracts == {bench.symbol: Decimal("-0.02")}
    # A taker's fee, of 0.02 at the bid.
    assert seen.balance == Decimal(10_000) - Decimal("0.02") * bench.venue.bid * bench.fee_rates[0]
    assert 0 <= seen.time_ns - fill.time_ns < 10**9


async def test_a_position_that_was_closed_is_told_to_be_flat(bench):
    bench.venue.trade_by_hand(Side.BUY)
    bench.venue.trade_by_hand(Side.SELL)
    await bench.until(Fill, after=1)
    await bench.settle(0.3)
    seen = [event for event in bench.seen if isinstance(event, AccountSeen)][-1]
    assert seen.contracts == {bench.symbol: Decimal(0)}


async def test_a_thousand_fills_are_never_doubted(bench):
    """Balance and positions are told twice, late, out of order, or not at all, and every fill is told: nobody asks."""
    random, ears, place = Random(3), Ears(bench), 0
    began = time.monotonic()
    for _ in range(FILLS):
        bench.venue.state_faults.append(random.choice([None, "drop", "twice", "late"]))
        bench.venue.trade_by_hand(random.choice([Side.BUY, Side.SELL]))
        # Of several that come at once, the client tells the newest.
        await asyncio.sleep(0.005)
        await bench.take()
        for event in bench.seen[place:]:
            ears.take(event)
        place = len(bench.seen)
        assert not ears.doubt(time.time_ns())
    await bench.settle(1.0)
    for event in bench.seen[place:]:
        ears.take(event)
    now_ns = time.time_ns()
    held = bench.venue.engine.books.position(bench.symbol)
    assert (ears.kinds[Fill], ears.portfolio.position(bench.symbol)) == (FILLS, held)
    assert ears.kinds[AccountSeen] > FILLS / 4
    assert not ears.doubt(now_ns)
    assert not ears.doubt(now_ns + 10 * QUIET_NS)
    assert time.monotonic() - began < 60


async def test_a_fill_that_was_never_told_is_noticed_by_what_is_held(bench):
    await bench.settle(0.3)
    bench.venue.event_faults.extend(["drop"] * 3)
    bench.venue.trade_by_hand()
    await bench.settle(0.5)
    ears = Ears(bench)
    for event in bench.seen:
        ears.take(event)
    assert not ears.doubt(0)
    assert ears.doubt(QUIET_NS)


def test_of_a_currency_or_a_symbol_that_is_not_ours_nothing_is_told():
    """An update of Binance names what has changed alone, whatever that is."""
    positions = [{"s": "BTCUSDT", "pa": "-0.089"}, {"s": "DOGEUSDT", "pa": "7"}]
    message = {"e": "ACCOUNT_UPDATE", "T": 5, "a": {"B": [{"a": "BNB", "wb": "1"}], "P": positions}}
    told = VENUES["binanceusdm"].account_told(message, "USDT")
    seen = account_seen(told, {"BTCUSDT": BTC, "ETHUSDT": ETH})
    assert seen == AccountSeen(time_ns=5_000_000, balance=None, contracts={BTC: Decimal("-0.089")})


def test_what_a_whole_answer_does_not_name_is_flat():
    """A state of hyperliquid's names all that is held."""
    state = {"marginSummary": {"accountValue": "10.5"}, "assetPositions": [], "time": 5}
    seen = account_seen(VENUES["hyperliquid"].account_told(state, "USDC"), {"BTC": BTC})
    assert seen == AccountSeen(time_ns=5_000_000, balance=Decimal("10.5"), contracts={BTC: Decimal(0)})
