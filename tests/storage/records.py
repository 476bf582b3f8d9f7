"""Records with numbers that can be checked by hand."""

from decimal import Decimal

from app.domain.events import Fill, FundingPaid, Liquidity
from app.domain.ledger import settlement
from app.domain.order import Order, OrderType, Side
from app.domain.position import Position
from app.domain.records import OrderIntended, PositionChanged

BTC = "BTC/USDT:USDT"


def order(client_order_id="main-1-000001", contracts="2", strategy_id="trend", symbol=BTC, created_ns=100):
    return Order(
        client_order_id=client_order_id,
        account_id="main",
        strategy_id=strategy_id,
        symbol=symbol,
        side=Side.BUY,
        type=OrderType.MARKET,
        contracts=Decimal(contracts),
        created_ns=created_ns,
        instrument_version=7,
    )


def intended(client_order_id="main-1-000001", contracts="2", time_ns=100, **more):
    return OrderIntended(order(client_order_id, contracts, **more), time_ns)


def fill(trade_id="t1", client_order_id="main-1-000001", contracts="1", price="100.10", fee="0.05", time_ns=200):
    return Fill(
        trade_id=trade_id,
        client_order_id=client_order_id,
        venue_order_id="v1",
        symbol=BTC,
        side=Side.BUY,
        contracts=Decimal(contracts),
        price=Decimal(price),
        fee=Decimal(fee),
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        time_ns=time_ns,
    )


def filled(trade_id="t1", client_order_id="main-1-000001", contracts="1", held="1", time_ns=200):
    """A fill with what it does to the books, to be appended together."""
    told = fill(trade_id, client_order_id, contracts, time_ns=time_ns)
    entry = settlement(trade_id, Decimal(0), told.fee, "USDT", time_ns)
    return told, entry, PositionChanged(Position(BTC, Decimal(held), Decimal(held) * told.price), time_ns)


def funding(time_ns=300, amount="-0.25"):
    return FundingPaid(
        symbol=BTC,
        time_ns=time_ns,
        amount=Decimal(amount),
        currency="USDT",
        rate=Decimal("0.0001"),
        mark_price=Decimal("100.2"),
        contracts=Decimal(1),
    )
