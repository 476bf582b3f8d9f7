"""Checks of the order by itself: is it allowed, well formed, fairly priced, not too large, not sent by mistake?"""

from decimal import Decimal

from app.domain.denial import Denial
from app.domain.errors import InvalidOrder
from app.domain.market import SECOND_NS
from app.domain.money import plain
from app.domain.order import CONDITIONAL, Order, OrderType, check_order
from app.domain.trading_state import TradingLevel
from app.ports.books import Books
from app.settings.models import RiskSettings


def trading_state(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """Nothing grows unless trading is active."""
    del order, limits
    state = books.trading
    if state.level is TradingLevel.ACTIVE:
        return None
    reasons = ", ".join(f"{reason.owner}:{reason.code}" for reason in state.reasons)
    return Denial("trading_state", f"{state.level} ({reasons})", "active")


def well_formed(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """The instrument is known, and tick, lot, bounds and minimum notional are kept."""
    del limits
    instrument = books.instruments.get(order.symbol)
    if instrument is None:
        return Denial("instrument", f"{order.symbol} is not listed", "a listed symbol")
    try:
        check_order(order, instrument)
    except InvalidOrder as error:
        return Denial(error.rule, str(error), "the instrument's rules")
    price = order.price or order.trigger_price or books.portfolio.mark(order.symbol)
    if order.reduce_only or price is None:
        return None
    notional = instrument.notional(order.contracts, price)
    if notional < instrument.notional_min:
        return Denial("notional_min", f"{plain(notional)} {instrument.settle}", plain(instrument.notional_min))
    return None


def data_age(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """The mark is known and fresh."""
    mark_ns = books.mark_ns(order.symbol)
    if mark_ns is None:
        return Denial("data_age", f"no trusted mark of {order.symbol}", f"{limits.mark_age_s_max} s")
    age_s = (books.now_ns - mark_ns) / SECOND_NS
    if age_s > limits.mark_age_s_max:
        return Denial("data_age", f"mark of {order.symbol} is {age_s:.1f} s old", f"{limits.mark_age_s_max} s")
    return None


def price_collar(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """A limit price is not far from the mark."""
    collar, mark = limits.price_collar_ratio_max, books.portfolio.mark(order.symbol)
    if collar is None or order.price is None or mark is None:
        return None
    distance = abs(order.price - mark) / mark
    if distance > collar:
        return Denial("price_collar", f"limit {plain(order.price)} is {distance:.4f} from the mark", plain(collar))
    return None


def order_size(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """One order is not too large, in contracts and in value."""
    most = limits.order_contracts_max
    if most is not None and order.contracts > most:
        return Denial("order_contracts", plain(order.contracts), plain(most))
    price = order.price or books.portfolio.mark(order.symbol)
    if limits.order_notional_max is None or price is None:
        return None
    notional = books.instruments[order.symbol].notional(order.contracts, price)
    if notional > limits.order_notional_max:
        return Denial("order_notional", plain(notional), plain(limits.order_notional_max))
    return None


def open_orders(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """There are not too many orders at once."""
    del order
    if books.open_orders >= limits.open_orders_max:
        return Denial("open_orders", str(books.open_orders), str(limits.open_orders_max))
    return None


def message_rate(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """Orders do not come too fast."""
    del order
    recent = books.orders_since(books.now_ns - 60 * SECOND_NS)
    if recent >= limits.orders_per_minute_max:
        return Denial("message_rate", f"{recent} orders in the last minute", str(limits.orders_per_minute_max))
    return None


def repeated_order(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """The same order was not sent a moment ago."""
    if not limits.duplicate_window_s:
        return None
    at = books.last_like(order)
    if at is None:
        return None
    ago_s = (books.now_ns - at) / SECOND_NS
    if ago_s < limits.duplicate_window_s:
        return Denial("repeated_order", f"an equal order was sent {ago_s:.3f} s ago", f"{limits.duplicate_window_s} s")
    return None


def self_trade(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """It would not trade with a resting order of ours."""
    del limits
    if order.type in CONDITIONAL:
        return None
    for item in books.working(order.symbol):
        resting = item.order
        if resting.side is order.side or resting.price is None or resting.type is not OrderType.LIMIT:
            continue
        if order.price is None or (order.price - resting.price) * order.side.sign >= 0:
            return Denial("self_trade", f"crosses our {resting.side} at {plain(resting.price)}", "no crossing")
    return None


def expected_slippage(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """Taking the other side of the last quote does not cost too much. Without quotes there is nothing to judge by."""
    most, quote = limits.slippage_ratio_max, books.spread(order.symbol)
    mark = books.portfolio.mark(order.symbol)
    if most is None or quote is None or mark is None or order.type is not OrderType.MARKET:
        return None
    bid, ask = quote
    cost: Decimal = (ask - mark if order.side.sign > 0 else mark - bid) / mark
    if cost > most:
        return Denial("expected_slippage", f"{cost:.5f} of the mark", plain(most))
    return None
