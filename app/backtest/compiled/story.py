"""A compiled trace, told as the fills, the settlements and the document of a run."""

from array import array
from collections.abc import Iterator
from typing import Any

from app.backtest.compiled.records import (
    CLOSE,
    EQUITY,
    FILL_BAR,
    FILL_FEE,
    FILL_KIND,
    FILL_LOTS,
    FILL_PRICE,
    FILLS_BEFORE,
    HELD,
    HIGH,
    LIQUIDATION,
    LOW,
    MAKER,
    OPEN,
    RECEIVED,
    SETTLED_LOTS,
    TIME,
)
from app.backtest.compiled.scaling import money
from app.backtest.compiled.trace import Trace
from app.backtest.recorder import BacktestFigures, SeenBars
from app.domain.events import Fill, FundingPaid, Liquidity
from app.domain.market import SECOND_NS
from app.domain.money import plain
from app.domain.order import Side
from app.domain.portfolio import Portfolio
from app.domain.times import iso
from app.domain.trading_state import TradingLevel
from app.settings.models import AccountSettings

QUANTA = 10**8
DENIED_BY = f"{TradingLevel.REDUCE_ONLY} (risk:consecutive_losses)"
"""What denies an order here; where something else might, the bot itself runs."""


def fills_of(trace: Trace) -> Iterator[Fill]:
    """Yield the fills, in their order."""
    instrument, times = trace.market.instrument, trace.market.bars[:, TIME].tolist()
    for number, row in enumerate(trace.fills.tolist()):
        yield Fill(
            trade_id=f"T{number + 1}",
            client_order_id=None,
            venue_order_id=None,
            symbol=instrument.symbol,
            side=Side.BUY if row[FILL_LOTS] > 0 else Side.SELL,
            contracts=abs(row[FILL_LOTS]) * instrument.lot_size,
            price=row[FILL_PRICE] * instrument.tick_size,
            fee=money(row[FILL_FEE]),
            fee_currency=instrument.settle,
            liquidity=Liquidity.MAKER if row[FILL_KIND] == MAKER else Liquidity.TAKER,
            time_ns=times[row[FILL_BAR]],
            liquidation=row[FILL_KIND] == LIQUIDATION,
        )


def settlements_of(trace: Trace) -> Iterator[tuple[int, FundingPaid]]:
    """Yield what settled on a position, each with the number of fills before it."""
    market, instrument = trace.market, trace.market.instrument
    for (bar, rate, settles), receipt in zip(market.settlements.tolist(), trace.receipts.tolist(), strict=True):
        if receipt[SETTLED_LOTS]:
            yield (
                receipt[FILLS_BEFORE],
                FundingPaid(
                    symbol=instrument.symbol,
                    time_ns=settles,
                    amount=money(receipt[RECEIVED]),
                    currency=instrument.settle,
                    rate=market.rate(rate),
                    mark_price=int(market.bars[bar, CLOSE]) * instrument.tick_size,
                    contracts=receipt[SETTLED_LOTS] * instrument.lot_size,
                    mark_known=False,
                ),
            )


def figures_of(trace: Trace) -> BacktestFigures:
    """Return what the event path would have seen of the trace."""
    market, first = trace.market, trace.market.first
    instrument = market.instrument
    instruments = {instrument.symbol: instrument}
    nothing = Portfolio("compiled", instrument.settle, instruments)
    figures = BacktestFigures(lambda: nothing, lambda: instruments)
    settled = list(settlements_of(trace))
    for number, fill in enumerate(fills_of(trace)):
        while settled and settled[0][0] <= number:
            figures.on_fact(settled.pop(0)[1])
        figures.on_fact(fill)
    for _, paid in settled:
        figures.on_fact(paid)
    times = market.bars[first:, TIME].tolist()
    held = trace.samples[first:, HELD].tolist()
    figures.times_ns = array("q", times)
    figures.equity = array("d", (quanta / QUANTA for quanta in trace.samples[first:, EQUITY].tolist()))
    bars = figures.bars_of[instrument.symbol] = SeenBars()
    bars.times_ns = figures.times_ns
    bars.opens, bars.highs, bars.lows, bars.closes = (
        array("d", market.price(column)[first:].tolist()) for column in (OPEN, HIGH, LOW, CLOSE)
    )
    steps = zip(times, times[1:], held[1:], strict=False)
    figures.in_market_ns = sum(after - before for before, after, lots in steps if lots)
    return figures


def document_of(trace: Trace, account: AccountSettings, elapsed_s: float) -> dict[str, Any]:
    """Return the trial with the keys of a run's document; None where only the bot itself has something to tell."""
    told, market = trace.figures, trace.market
    interval_ns = market.interval_s * SECOND_NS
    unmarked = [iso(paid.time_ns) for _, paid in settlements_of(trace)]
    return {
        "exit_code": 0,
        "exit_reason": "stream ended",
        "errors": [],
        "time_first": iso(int(market.bars[market.first, TIME]) - interval_ns),
        "time_last": iso(int(market.bars[-1, TIME])),
        "events": None,
        "bars": told.bars,
        "elapsed_s": round(elapsed_s, 3),
        "bars_per_second": round(told.bars / elapsed_s, 1),
        "orders": told.orders,
        "orders_denied": told.orders_denied,
        "orders_denied_by": {DENIED_BY: told.orders_denied} if told.orders_denied else {},
        "fills": told.fills,
        "liquidations": told.liquidations,
        "run_fees": plain(told.fees),
        "run_fees_elsewhere": {},
        "run_funding": plain(told.funding),
        "fees": plain(told.fees),
        "funding": plain(told.funding),
        "settlements_without_mark": unmarked,
        "realized_pnl": plain(told.realized_pnl),
        "unrealized_pnl": plain(told.unrealized_pnl),
        "balance": plain(told.balance),
        "equity": plain(told.equity),
        "currency": account.currency,
        "positions": {market.instrument.symbol: plain(told.contracts)} if told.contracts else {},
        "trading": str(TradingLevel.REDUCE_ONLY if told.held_back else TradingLevel.ACTIVE),
        "held_back": list(told.held_back),
        "orders_digest": None,
        "coordinators": {},
        "problems": {},
    }
