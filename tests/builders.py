"""Instruments, orders, fills and bars with defaults, so that a test names only what it is about."""

from decimal import Decimal

from app.domain.events import Fill, FundingPaid, Liquidity, Timer
from app.domain.instrument import Instrument, MarginTier
from app.domain.market import SECOND_NS, Bar, FundingRate, MarkPrice, Quote, Trade
from app.domain.order import Order, OrderType, Side
from app.domain.records import OrderRecord
from app.domain.target import Target

BTC = "BTC/USDT:USDT"
ETH = "ETH/USDT:USDT"
BTC_INVERSE = "BTC/USD:BTC"
START_NS = 1_767_225_600 * SECOND_NS
"""2026-01-01T00:00:00Z, a whole day."""
ONE_TIER = (MarginTier(None, Decimal(100), Decimal("0.01")),)


def number(value):
    """Return a Decimal of what a reader likes to write."""
    return None if value is None else Decimal(str(value))


def instrument(symbol=BTC, **changes):
    """Return a linear contract: one contract is one coin, tick 0.1, lot 0.001, maintenance 1 %, fee 0.05 %."""
    base, _, rest = symbol.partition("/")
    quote, _, settle = rest.partition(":")
    fields = {
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "settle": settle,
        "tick_size": "0.1",
        "lot_size": "0.001",
        "contract_size": "1",
        "contracts_min": "0.001",
        "contracts_max": "1000",
        "notional_min": "5",
        "maker_fee_rate": "0.0002",
        "taker_fee_rate": "0.0005",
        "liquidation_fee_rate": "0.005",
    } | changes
    decimals = {name: number(value) for name, value in fields.items() if name.endswith(NUMBERS)}
    return Instrument(**({"margin_tiers": ONE_TIER, "funding_interval_s": 28_800} | fields | decimals))


NUMBERS = ("_size", "_min", "_max", "_rate")


def inverse(symbol=BTC_INVERSE, **changes):
    """Return an inverse contract worth 100 USD, traded in whole contracts."""
    whole = {"inverse": True, "contract_size": "100", "lot_size": "1", "contracts_min": "1", "notional_min": "0"}
    return instrument(symbol, **(whole | changes))


def order(client_order_id="o1", side=Side.BUY, contracts="1", **changes):
    """Return a market order."""
    prices = ("price", "trigger_price", "trailing_offset")
    decimals = {name: number(changes[name]) for name in prices if name in changes}
    fields = {
        "client_order_id": client_order_id,
        "account_id": "main",
        "strategy_id": "trend",
        "symbol": BTC,
        "side": side,
        "type": OrderType.MARKET,
        "contracts": number(contracts),
        "created_ns": START_NS,
    }
    return Order(**(fields | changes | decimals))


def limit(client_order_id="o1", side=Side.BUY, contracts="1", price="100", **changes):
    """Return a limit order."""
    return order(client_order_id, side, contracts, **({"type": OrderType.LIMIT, "price": price} | changes))


def order_record(an_order, status, filled="0", venue_order_id=None, reason=""):
    """Return how far an order is on record."""
    return OrderRecord(an_order, status, number(filled), venue_order_id, reason)


def fill(trade_id="t1", side=Side.BUY, contracts="1", price="100", fee="0", **changes):
    """Return a taker fill of order ``o1``."""
    fields = {
        "trade_id": trade_id,
        "client_order_id": "o1",
        "venue_order_id": None,
        "symbol": BTC,
        "side": side,
        "contracts": number(contracts),
        "price": number(price),
        "fee": number(fee),
        "fee_currency": "USDT",
        "liquidity": Liquidity.TAKER,
        "time_ns": START_NS,
    }
    return Fill(**(fields | changes))


def funding_paid(amount, time_ns=START_NS, symbol=BTC, currency="USDT"):
    """Return a settlement; a positive amount is received."""
    return FundingPaid(
        symbol=symbol,
        time_ns=time_ns,
        amount=number(amount),
        currency=currency,
        rate=Decimal("0.0001"),
        mark_price=Decimal(100),
        contracts=Decimal(1),
    )


def target(contracts="1", sequence=1, **changes):
    """Return what the strategy ``trend`` wants of BTC."""
    decimals = {name: number(changes[name]) for name in ("stop", "take_profit", "trailing") if name in changes}
    fields = {"strategy_id": "trend", "symbol": BTC, "time_ns": START_NS}
    return Target(contracts=number(contracts), sequence=sequence, **(fields | changes | decimals))


def bar(close, index=0, *, high=None, low=None, open_=None, volume="1", interval_s=60, symbol=BTC):
    """Return the bar that is the ``index``-th of its length since the start; without more than a close it is flat."""
    price = number(close)
    first = price if open_ is None else number(open_)
    return Bar(
        symbol,
        START_NS + (index + 1) * interval_s * SECOND_NS,
        interval_s,
        first,
        max(price, first) if high is None else number(high),
        min(price, first) if low is None else number(low),
        price,
        number(volume),
    )


def at(seconds):
    """Return the time ``seconds`` after the start."""
    return START_NS + int(seconds * SECOND_NS)


def trade(price, seconds=0, contracts="1", symbol=BTC):
    """Return a public trade ``seconds`` after the start."""
    return Trade(symbol, at(seconds), number(price), number(contracts), Side.BUY)


def quote(bid, ask, seconds=0, symbol=BTC):
    """Return the top of the book, one contract on each side."""
    return Quote(symbol, at(seconds), number(bid), Decimal(1), number(ask), Decimal(1))


def mark(price, seconds=0, symbol=BTC):
    """Return a mark price."""
    return MarkPrice(symbol, at(seconds), number(price))


def funding_rate(rate, seconds=0, symbol=BTC):
    """Return a funding rate that settles eight hours later."""
    return FundingRate(symbol, at(seconds), number(rate), at(seconds + 28_800))


def timer(seconds):
    """Return the timer event ``seconds`` after the start."""
    return Timer(at(seconds))
