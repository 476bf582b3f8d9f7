"""The generated market: same seed, same data; it looks like a market."""

import os
import subprocess
import sys
from decimal import Decimal
from itertools import islice, pairwise
from math import log

import msgspec
import pytest

from app.domain.market import FundingRate, MarkPrice, Quote, Trade
from app.exchanges.simulated.generator import Generator
from tests.builders import BTC, ETH, START_NS, instrument

LISTED = (
    (instrument(), Decimal(60_000), Decimal("0.6")),
    (instrument(ETH, tick_size="0.01"), Decimal(3000), Decimal("0.8")),
)


def generator(seed=1, step_s=1):
    return Generator(LISTED, seed, START_NS, step_s)


def events(made, count):
    return list(islice(made.events, count))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    first, again, other = (msgspec.json.encode(events(generator(seed), 2000)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_same_bytes_in_every_process():
    code = (
        "import hashlib, msgspec; from tests.exchanges.test_generator import *;"
        "print(hashlib.sha256(msgspec.json.encode(events(generator(), 2000))).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_every_step_gives_a_quote_a_trade_and_a_mark_for_each_symbol():
    made = [event for event in events(generator(), 14) if not isinstance(event, FundingRate)]
    assert [(type(event), event.symbol) for event in made[:6]] == [
        (kind, symbol) for symbol in (BTC, ETH) for kind in (Quote, Trade, MarkPrice)
    ]
    quote, trade = made[0], made[1]
    assert quote.bid < quote.ask
    assert trade.price in {quote.bid, quote.ask}
    assert all(event.time_ns > START_NS for event in made)


def returns(step_s, count):
    marks = [event.price for event in events(generator(step_s=step_s), count * 6) if isinstance(event, MarkPrice)]
    btc = [float(price) for price in marks[::2]]
    return [log(after / before) for before, after in pairwise(btc)]


def test_volatility_clusters_and_prices_jump():
    """Absolute returns are correlated from one minute to the next, and the largest is far out in the tail."""
    moves = [abs(move) for move in returns(60, 20_000)]
    mean = sum(moves) / len(moves)
    spread = sum((move - mean) ** 2 for move in moves)
    correlation = sum((a - mean) * (b - mean) for a, b in pairwise(moves)) / spread
    assert correlation > 0.05
    assert max(moves) > 8 * mean


def test_funding_is_announced_for_the_interval_to_come():
    rates = [
        event for event in events(generator(step_s=3600), 200) if isinstance(event, FundingRate) and event.symbol == BTC
    ]
    assert [event.settles_ns for event in rates[:3]] == [START_NS + hours * 3600 * 10**9 for hours in (8, 16, 24)]
    assert all(abs(event.rate) <= Decimal("0.0075") for event in rates)


@pytest.mark.parametrize(("interval_s", "count"), [(60, 100), (3600, 500), (5, 50)])
def test_history_ends_at_the_present_price(interval_s, count):
    made = generator()
    bars = made.history(BTC, interval_s, count)
    assert len(bars) == count
    assert bars[-1].time_ns == START_NS
    assert bars[-1].close == Decimal(60_000)
    assert bars == generator().history(BTC, interval_s, count)
    assert [after.time_ns - before.time_ns for before, after in pairwise(bars)] == ([interval_s * 10**9] * (count - 1))


def test_a_restored_generator_goes_on_where_it_was():
    made, copy = generator(), generator()
    events(made, 1001)
    copy.restore(made.state())
    assert events(copy, 1000) == events(made, 1000)


def test_a_symbol_that_was_listed_since_begins_at_the_restart():
    made = Generator(LISTED[:1], 1, START_NS, 1)
    events(made, 100)
    copy = generator()
    copy.restore(made.state())
    assert {event.symbol for event in events(copy, 20)} == {BTC, ETH}
