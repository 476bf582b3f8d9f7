"""What an account may come to if everything fills that may: worked out from single orders, not by the risk engine."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from app.domain.instrument import Instrument
from app.domain.money import ZERO, plain
from app.domain.order import Order, Side
from app.domain.records import OrderRecord
from app.ports.portfolio import PortfolioView
from app.settings.models import RiskSettings


def excess(
    order: Order,
    working: Iterable[OrderRecord],
    portfolio: PortfolioView,
    instruments: Mapping[str, Instrument],
    limits: RiskSettings,
) -> str:
    """Return which limit is passed by an order that may grow a position, in words; empty for none.

    Args:
        order: What is about to be sent.
        working: All orders of the account that may still fill, of unknown outcome too; ``order`` may be among them.
        portfolio: What is held, and the marks. A symbol without a mark is left out: nothing is claimed about it.
        instruments: By their symbols.
        limits: What may not be passed.
    """
    most = {symbol: {Side.BUY: ZERO, Side.SELL: ZERO} for symbol in instruments}
    most[order.symbol][order.side] += order.contracts
    for record in working:
        other = record.order
        if not other.reduce_only and other.client_order_id != order.client_order_id and other.symbol in most:
            most[other.symbol][other.side] += max(ZERO, other.contracts - record.filled)
    values, equity = {}, portfolio.balance
    for symbol, sides in most.items():
        mark, instrument, position = portfolio.mark(symbol), instruments[symbol], portfolio.position(symbol)
        if mark is None:
            continue
        equity += instrument.value(position.contracts, mark) - position.cost
        worst = max(abs(position.contracts + sides[Side.BUY]), abs(position.contracts - sides[Side.SELL]))
        values[symbol] = abs(instrument.value(worst, mark))
    return _passed(order, values, equity, portfolio.mark(order.symbol), instruments[order.symbol], limits)


def _passed(
    order: Order,
    values: Mapping[str, Decimal],
    equity: Decimal,
    mark: Decimal | None,
    instrument: Instrument,
    limits: RiskSettings,
) -> str:
    price = order.price or order.trigger_price or mark
    if price is not None and limits.order_notional_max is not None:
        value = abs(instrument.value(order.contracts, price))
        if value > limits.order_notional_max:
            return f"the order is {plain(value)} of at most {plain(limits.order_notional_max)}"
    own, most = values.get(order.symbol, ZERO), limits.position_notional_max
    if most is not None and own > most:
        return f"{order.symbol} comes to {plain(own)} of at most {plain(most)}"
    gross = sum(values.values(), ZERO)
    for ratio in (limits.gross_exposure_ratio_max, limits.leverage_max):
        if ratio is not None and gross > ratio * equity:
            return f"all symbols come to {plain(gross)}, at most {plain(ratio)} times {plain(equity)}"
    return ""
