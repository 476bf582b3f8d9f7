"""Liquidations of the compiled path: rare, and worked out by the very code of the matching engine."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.backtest.compiled.records import CLOSE, HIGH, LOW, OPEN
from app.backtest.compiled.scaling import money
from app.domain.instrument import Instrument
from app.domain.ledger import Account
from app.domain.money import LEDGER_QUANTUM
from app.domain.portfolio import Portfolio
from app.domain.position import Position
from app.exchanges.matching import PriceRange
from app.exchanges.matching.liquidation import due_liquidations
from app.settings.models import AccountSettings


def due_liquidation(
    account: AccountSettings,
    instrument: Instrument,
    state: Any,  # noqa: ANN401 - a record with the fields of State
    row: NDArray[np.int64],
) -> tuple[int, int] | None:
    """Return the price (ticks) and the fee (quanta) at which a bar liquidates the position; None when it does not."""
    symbol, tick, balance = instrument.symbol, instrument.tick_size, money(int(state.balance))
    books = Portfolio(account.id, account.currency, {symbol: instrument}, account.margin_mode, account.leverage)
    position = Position(symbol, int(state.lots) * instrument.lot_size, money(int(state.cost)))
    totals = {Account.WALLET: balance, Account.DEPOSITS: -balance}
    prices = PriceRange(*(int(row[column]) * tick for column in (OPEN, HIGH, LOW, CLOSE)))
    books.restore([position], totals, (), (), {symbol: prices.close})
    for due in due_liquidations(books, {symbol: instrument}, symbol, prices):
        return int(due.price / tick), int(due.fee / LEDGER_QUANTUM)
    return None
