"""Checks of what the account would come to if the order filled, along with everything else that may."""

from app.domain.denial import Denial
from app.domain.margin import initial_margin, liquidation_price
from app.domain.money import ZERO, plain
from app.domain.order import Order
from app.ports.books import Books
from app.risk.exposure import gross_notional, net_notional, worst_contracts, worst_notional
from app.settings.models import RiskSettings


def position_size(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """The position of one symbol does not become too large."""
    most = limits.position_notional_max
    if most is None:
        return None
    notional = worst_notional(books, order.symbol, order)
    return Denial("position_notional", plain(notional), plain(most)) if notional > most else None


def gross_exposure(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """All positions together do not become too large against the equity."""
    most = limits.gross_exposure_ratio_max
    if most is None:
        return None
    gross, equity = gross_notional(books, order), books.portfolio.equity
    if gross > most * equity:
        return Denial("gross_exposure", f"{plain(gross)} on an equity of {plain(equity)}", f"{plain(most)} times")
    return None


def net_exposure(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """Longs and shorts do not lean too far to one side."""
    most = limits.net_exposure_ratio_max
    if most is None:
        return None
    net, equity = net_notional(books, order), books.portfolio.equity
    if net > most * equity:
        return Denial("net_exposure", f"{plain(net)} on an equity of {plain(equity)}", f"{plain(most)} times")
    return None


def leverage(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """Neither the margin table's leverage at that size nor our own limit is passed."""
    portfolio, instrument = books.portfolio, books.instruments[order.symbol]
    tier = instrument.tier(worst_notional(books, order.symbol, order))
    if portfolio.leverage > tier.leverage_max:
        return Denial("leverage", f"{plain(portfolio.leverage)} is set", f"{plain(tier.leverage_max)} at that size")
    most = limits.leverage_max
    if most is not None and gross_notional(books, order) > most * portfolio.equity:
        return Denial("leverage", f"{plain(gross_notional(books, order))} on {plain(portfolio.equity)}", plain(most))
    return None


def margin(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """The free collateral covers the initial margin of this and of all working orders."""
    del limits
    portfolio = books.portfolio
    price = order.price or portfolio.mark(order.symbol)
    if price is None:
        return Denial("initial_margin", f"no price of {order.symbol}", "a known price")
    need = initial_margin(books.instruments[order.symbol].notional(order.contracts, price), portfolio.leverage)
    for symbol in books.working_symbols:
        at = portfolio.mark(symbol)
        for item in books.working(symbol):
            known = item.order.price or at
            if not item.order.reduce_only and known is not None:
                value = books.instruments[symbol].notional(item.remaining, known)
                need += initial_margin(value, portfolio.leverage)
    free = portfolio.margin_available
    if need > free:
        return Denial("initial_margin", f"{plain(need)} {portfolio.currency} needed", f"{plain(free)} free")
    return None


def liquidation_distance(order: Order, books: Books, limits: RiskSettings) -> Denial | None:
    """After the fill, the mark would still be far from the liquidation price."""
    least, portfolio = limits.liquidation_distance_ratio_min, books.portfolio
    mark = portfolio.mark(order.symbol)
    if least is None or mark is None:
        return None
    instrument, held = books.instruments[order.symbol], portfolio.position(order.symbol)
    high, low = worst_contracts(books, order.symbol, order)
    worst = high if order.signed_contracts > 0 else low
    added = initial_margin(instrument.notional(order.contracts, mark), portfolio.leverage)
    isolated = portfolio.isolated
    after, realized = held.after(instrument, worst - held.contracts, mark, added if isolated else None)
    collateral = after.isolated_margin
    if collateral is None:
        collateral = portfolio.collateral_of(order.symbol) + realized
    at = liquidation_price(instrument, after, collateral)
    if at is None:
        return None
    distance = (mark - at) / mark if after.contracts > 0 else (at - mark) / mark
    if distance < least:
        return Denial("liquidation_distance", f"{max(distance, ZERO):.4f} of the mark after the fill", plain(least))
    return None
