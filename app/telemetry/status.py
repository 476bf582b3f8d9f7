"""The state of the bot as one plain document: for the health file, the live view and ``status --json``."""

import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from app.domain.instrument import Instrument
from app.domain.money import plain
from app.domain.order import Order
from app.domain.times import iso
from app.lifecycle import CoordinatorContext, HealthReport
from app.telemetry.run_figures import RunFigures


class PositionStatus(msgspec.Struct, frozen=True):
    """A position, as text."""

    symbol: str
    contracts: str
    average_price: str
    mark: str | None
    unrealized: str
    liquidation_price: str | None


class OrderLine(msgspec.Struct, frozen=True):
    """An order that was meant to be sent, and what is known to have become of it, as text."""

    time: str | None
    """When it was meant to be sent; None before this start."""
    symbol: str
    side: str
    contracts: str
    type: str
    purpose: str
    status: str


class FillLine(msgspec.Struct, frozen=True):
    """A fill, as text."""

    time: str
    symbol: str
    side: str
    contracts: str
    price: str
    fee: str


class BotStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an operator looks at. Money as exact text; None is unknown."""

    pid: int
    profile: str
    adapter: str
    phase: str
    ready: bool
    alive: bool
    time: str | None
    """Time of the market."""
    speed: float
    currency: str
    balance: str
    equity: str
    realized_pnl: str
    unrealized_pnl: str
    fees: str
    funding: str
    trading: str
    reasons: tuple[str, ...]
    marks: dict[str, str | None]
    positions: tuple[PositionStatus, ...]
    guards: dict[str, str]
    nearness: dict[str, float]
    """How much of its limit each guard has used up: 1 at the limit."""
    health: dict[str, Any]
    events: int
    bars: int
    orders: int
    denied: int
    fills: int
    last_orders: tuple[OrderLine, ...]
    """The latest first, then those of before this start that still work."""
    last_fills: tuple[FillLine, ...]
    """The latest first."""
    metrics: dict[str, float]


def bot_status(context: CoordinatorContext, report: HealthReport, figures: RunFigures) -> BotStatus:
    """Return the status of a running bot."""
    portfolio, trading = context.portfolio, context.trading_state.current
    settings = context.settings
    return BotStatus(
        pid=os.getpid(),
        profile=settings.profile,
        adapter=settings.exchange.adapter,
        phase=str(report.phase),
        ready=report.ready,
        alive=report.alive,
        time=None if figures.last_ns is None else iso(figures.last_ns),
        speed=round(figures.speed, 1),
        currency=portfolio.currency,
        balance=plain(portfolio.balance),
        equity=plain(portfolio.equity),
        realized_pnl=plain(portfolio.ledger.realized),
        unrealized_pnl=plain(portfolio.unrealized),
        fees=plain(portfolio.ledger.fees),
        funding=plain(portfolio.ledger.funding),
        trading=str(trading.level),
        reasons=tuple(f"{reason.owner}:{reason.code} ({reason.detail})" for reason in trading.reasons),
        marks={symbol: _text(portfolio.mark(symbol)) for symbol in context.instruments},
        positions=_positions(context, context.instruments),
        guards=dict(context.risk.figures()),
        nearness={name: round(part, 3) for name, part in context.risk.nearness().items()},
        health=msgspec.to_builtins(report),
        events=figures.events,
        bars=figures.bars,
        orders=figures.orders,
        denied=figures.denied,
        fills=figures.fills,
        last_orders=_orders(context, figures),
        last_fills=_fills(figures),
        metrics=dict(context.metrics.read()),
    )


def _positions(context: CoordinatorContext, instruments: Mapping[str, Instrument]) -> tuple[PositionStatus, ...]:
    found = []
    for position in context.portfolio.positions:
        instrument, mark = instruments[position.symbol], context.portfolio.mark(position.symbol)
        average = position.average_price(instrument)
        at = context.portfolio.liquidation_price(position.symbol)
        found.append(
            PositionStatus(
                symbol=position.symbol,
                contracts=plain(position.contracts),
                average_price="" if average is None else plain(instrument.round_price(average)),
                mark=_text(mark),
                unrealized="unknown" if mark is None else plain(position.unrealized(instrument, mark)),
                liquidation_price=None if at is None else plain(instrument.round_price(at)),
            )
        )
    return tuple(found)


def _orders(context: CoordinatorContext, figures: RunFigures) -> tuple[OrderLine, ...]:
    latest = {intended.order.client_order_id: intended for intended in reversed(figures.latest_orders)}
    lines = [
        _order_line(intended.order, iso(intended.time_ns), context.execution.status_of(order_id) or "ended")
        for order_id, intended in latest.items()
    ]
    if len(figures.latest_orders) == figures.orders:
        # Else it may be of this run, and no more among the latest.
        lines += [
            _order_line(record.order, None, record.status)
            for record in context.execution.orders()
            if record.order.client_order_id not in latest
        ]
    return tuple(lines)


def _order_line(order: Order, time: str | None, status: str) -> OrderLine:
    return OrderLine(time, order.symbol, order.side, plain(order.contracts), order.type, order.purpose, status)


def _fills(figures: RunFigures) -> tuple[FillLine, ...]:
    return tuple(
        FillLine(iso(fill.time_ns), fill.symbol, fill.side, plain(fill.contracts), plain(fill.price), plain(fill.fee))
        for fill in reversed(figures.latest_fills)
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
