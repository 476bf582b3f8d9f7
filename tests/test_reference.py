"""The books of the bot against an independent calculation, to the last decimal."""

import json
import math
from decimal import Decimal
from random import Random

import polars as pl

from app.container import Container
from app.settings import load_settings

BARS = 20_000
MINUTE_NS = 60 * 10**9


def bars():
    """A seeded random walk of a thousandth a minute, from 30,000."""
    random, price, closes = Random(7), 30_000.0, []
    for _ in range(BARS):
        price *= math.exp(random.gauss(0, 1e-3))
        closes.append(round(price, 1))
    opens = [30_000.0, *closes[:-1]]
    return pl.DataFrame(
        {
            "ts": [1_672_531_200_000_000_000 + index * MINUTE_NS for index in range(BARS)],
            "open": opens,
            "high": [max(pair) for pair in zip(opens, closes, strict=True)],
            "low": [min(pair) for pair in zip(opens, closes, strict=True)],
            "close": closes,
            "volume": [1.0] * BARS,
        }
    )


def by_hand(closes):
    """EMA 10/20, a market order of 0.1 on each flip at the signal's close, fee 0.05 %: nothing of the bot is used."""
    fast = slow = None
    held, cost, fees, realized, fills = Decimal(0), Decimal(0), Decimal(0), Decimal(0), 0
    size = Decimal("0.1")
    for index, text in enumerate(closes):
        price, value = Decimal(text), float(text)
        fast = value if fast is None else fast + (value - fast) * 2 / 11
        slow = value if slow is None else slow + (value - slow) * 2 / 21
        if index < 19:
            continue
        wanted = size if fast >= slow else -size
        if wanted == held:
            continue
        if held:
            realized += held * price - cost
            fees += size * price * Decimal("0.0005")
            fills += 1
        held, cost = wanted, wanted * price
        fees += size * price * Decimal("0.0005")
        fills += 1
    return {"fills": fills, "fees": fees, "realized": realized, "unrealized": held * Decimal(closes[-1]) - cost}


async def test_the_books_are_those_of_an_independent_calculation(tmp_path):
    made, path = bars(), tmp_path / "bars.parquet"
    made.write_parquet(path)
    expected = by_hand([f"{close:.1f}" for close in made["close"].to_list()])

    container = Container(loaded=load_settings("benchmark", [f"exchange.simulated.candles={path}"]))
    result = await container.bot().run()
    told = container.summary().document(result)

    assert told["exit_code"] == 0
    assert told["fills"] == expected["fills"] > 1000
    assert Decimal(told["fees"]) == expected["fees"]
    assert Decimal(told["realized_pnl"]) == expected["realized"]
    assert Decimal(told["unrealized_pnl"]) == expected["unrealized"]
    assert Decimal(told["balance"]) == 1_000_000 + expected["realized"] - expected["fees"]
    assert json.dumps(told)
