"""The reference ledger, to the last decimal, on a part of the synthetic bars that takes a second or two."""

import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from app.container import Container
from app.settings import load_settings

BARS = Path(__file__).parents[1].parent / "shared" / "data" / "bench" / "synth_1m_500k.parquet"
PART = 20_000

pytestmark = pytest.mark.skipif(not BARS.is_file(), reason="the reference bars are not beside the repository")


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
    part = pl.read_parquet(BARS).head(PART)
    path = tmp_path / "part.parquet"
    part.write_parquet(path)
    expected = by_hand([f"{close:.1f}" for close in part["close"].to_list()])

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
