"""What a compiled trial came to, and all that happened in it."""

from decimal import Decimal

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.backtest.compiled.market import CompiledMarket

Integers = NDArray[np.int64]


class CompiledFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial came to; to the last decimal what the event path says. Settlement currency."""

    bars: int
    orders: int
    orders_denied: int
    fills: int
    liquidations: int
    fees: Decimal
    funding: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    balance: Decimal
    equity: Decimal
    contracts: Decimal
    """Signed position at the end."""
    held_back: tuple[str, ...]
    """What holds trading back at the end, in the words of a run's document: nothing, or losses in a row."""


class Trace(msgspec.Struct, frozen=True):
    """A trial with all that happened in it."""

    figures: CompiledFigures
    market: CompiledMarket
    fills: Integers
    samples: Integers
    receipts: Integers
