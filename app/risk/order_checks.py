"""Checks of the order by itself: is it allowed, well formed, fairly priced, not too large, not sent by mistake?"""

from decimal import Decimal

from app.domain.denial import Denial
from app.domain.errors import InvalidOrder
from app.domain.market import SECOND_NS
from app.domain.money import plain
from app.domain.order import CONDITIONAL, OrderType, check_order
from app.domain.trading_state import TradingLevel
from app.risk.case import OrderCase
from app.settings.models import RiskSettings

_MARKET = OrderType.MARKET


def trading_state(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """Nothing grows unless trading is active, in all symbols and in the order's."""
    del limits
    state = case.books.trading
    if not state.reasons:
        return None
    symbol = case.order.symbol
    level = state.level_in(symbol)
    if level is TradingLevel.ACTIVE:
        return None
    reasons = ", ".join(f"{reason.owner}:{reason.code}" for reason in state.holding(symbol))
    return Denial("trading_state", f"{level} ({reasons})", "active")


def well_formed(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """The instrument is known, and tick, lot, bounds and minimum notional are kept."""
    del limits
    order, instrument = case.order, case.listed
    if instrument is None:
        return Denial("instrument", f"{order.symbol} is not listed", "a listed symbol")
    try:
        check_order(order, instrument)
    except InvalidOrder as error:
        return Denial(error.rule, str(error), "the instrument's rules")
    if order.reduce_only or case.notional is None or case.notional >= instrument.notional_min:
        return None
    return Denial("notional_min", f"{plain(case.notional)} {instrument.settle}", plain(instrument.notional_min))


def data_age(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """The mark is known and fresh."""
    symbol = case.order.symbol
    mark_ns = case.books.mark_ns(symbol)
    if mark_ns is None:
        return Denial("data_age", f"no trusted mark of {symbol}", f"{limits.mark_age_s_max} s")
    age_s = (case.now_ns - mark_ns) / SECOND_NS
    if age_s > limits.mark_age_s_max:
        return Denial("data_age", f"mark of {symbol} is {age_s:.1f} s old", f"{limits.mark_age_s_max} s")
    return None


def price_collar(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """A limit price is not far from the mark."""
    collar, mark, price = limits.price_collar_ratio_max, case.mark, case.order.price
    if collar is None or price is None or mark is None:
        return None
    distance = abs(price - mark) / mark
    if distance > collar:
        return Denial("price_collar", f"limit {plain(price)} is {distance:.4f} from the mark", plain(collar))
    return None


def order_size(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """One order is not too large, in contracts and in value."""
    most, contracts = limits.order_contracts_max, case.order.contracts
    if most is not None and contracts > most:
        return Denial("order_contracts", plain(contracts), plain(most))
    most, notional = limits.order_notional_max, case.notional
    if most is None or notional is None or notional <= most:
        return None
    return Denial("order_notional", plain(notional), plain(most))


def open_orders(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """There are not too many orders at once."""
    if case.open_orders >= limits.open_orders_max:
        return Denial("open_orders", str(case.open_orders), str(limits.open_orders_max))
    return None


def message_rate(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """Orders do not come too fast."""
    recent = case.books.orders_since(case.now_ns - 60 * SECOND_NS)
    if recent >= limits.orders_per_minute_max:
        return Denial("message_rate", f"{recent} orders in the last minute", str(limits.orders_per_minute_max))
    return None


def repeated_order(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """The same order was not sent a moment ago."""
    if not limits.duplicate_window_s:
        return None
    at = case.books.last_like(case.order)
    if at is None:
        return None
    ago_s = (case.now_ns - at) / SECOND_NS
    if ago_s < limits.duplicate_window_s:
        return Denial("repeated_order", f"an equal order was sent {ago_s:.3f} s ago", f"{limits.duplicate_window_s} s")
    return None


def self_trade(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """It would not trade with a resting order of ours."""
    del limits
    order = case.order
    if order.type in CONDITIONAL:
        return None
    for item in case.working:
        resting = item.order
        if resting.side is order.side or resting.price is None or resting.type is not OrderType.LIMIT:
            continue
        if order.price is None or (order.price - resting.price) * order.side.sign >= 0:
            return Denial("self_trade", f"crosses our {resting.side} at {plain(resting.price)}", "no crossing")
    return None


def expected_slippage(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """Taking the other side of the last quote does not cost too much. Without quotes there is nothing to judge by."""
    order, mark = case.order, case.mark
    most, quote = limits.slippage_ratio_max, case.books.spread(order.symbol)
    if most is None or quote is None or mark is None or order.type is not _MARKET:
        return None
    bid, ask = quote
    cost: Decimal = (ask - mark if order.side.sign > 0 else mark - bid) / mark
    if cost > most:
        return Denial("expected_slippage", f"{cost:.5f} of the mark", plain(most))
    return None
