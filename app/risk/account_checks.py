"""Checks of what the account would come to if the order filled, along with everything else that may."""

from app.domain.denial import Denial
from app.domain.margin import MarginMode, initial_margin, liquidation_price
from app.domain.money import ZERO, plain
from app.domain.order import Side
from app.risk.case import OrderCase
from app.settings.models import RiskSettings

_BUY = Side.BUY
_ISOLATED = MarginMode.ISOLATED


def position_size(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """The position of one symbol does not become too large."""
    most = limits.position_notional_max
    if most is None or case.exposure.own <= most:
        return None
    return Denial("position_notional", plain(case.exposure.own), plain(most))


def gross_exposure(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """All positions together do not become too large against the equity."""
    most = limits.gross_exposure_ratio_max
    if most is None or case.exposure.gross <= most * case.equity:
        return None
    value = f"{plain(case.exposure.gross)} on an equity of {plain(case.equity)}"
    return Denial("gross_exposure", value, f"{plain(most)} times")


def net_exposure(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """Longs and shorts do not lean too far to one side."""
    most = limits.net_exposure_ratio_max
    if most is None or case.exposure.net <= most * case.equity:
        return None
    value = f"{plain(case.exposure.net)} on an equity of {plain(case.equity)}"
    return Denial("net_exposure", value, f"{plain(most)} times")


def leverage(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """Neither the margin table's leverage at that size nor our own limit is passed."""
    set_to, tier = case.portfolio.leverage, case.instrument.tier(case.exposure.own)
    if set_to > tier.leverage_max:
        return Denial("leverage", f"{plain(set_to)} is set", f"{plain(tier.leverage_max)} at that size")
    most = limits.leverage_max
    if most is None or case.exposure.gross <= most * case.equity:
        return None
    return Denial("leverage", f"{plain(case.exposure.gross)} on {plain(case.equity)}", plain(most))


def margin(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """The free collateral covers the initial margin of this and of all working orders."""
    del limits
    portfolio, books = case.portfolio, case.books
    if case.notional is None:
        return Denial("initial_margin", f"no price of {case.order.symbol}", "a known price")
    need = initial_margin(case.notional, portfolio.leverage)
    for symbol in case.working_symbols:
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


def liquidation_distance(case: OrderCase, limits: RiskSettings) -> Denial | None:
    """After the fill, the mark would still be far from the liquidation price."""
    least, portfolio, order, mark = limits.liquidation_distance_ratio_min, case.portfolio, case.order, case.mark
    if least is None or mark is None:
        return None
    instrument, held = case.instrument, portfolio.position(order.symbol)
    worst = case.exposure.high if order.side is _BUY else case.exposure.low
    added = (
        initial_margin(instrument.notional(order.contracts, mark), portfolio.leverage)
        if portfolio.margin_mode is _ISOLATED
        else None
    )
    after, realized = held.after(instrument, worst - held.contracts, mark, added)
    collateral = after.isolated_margin
    if collateral is None:
        collateral = portfolio.collateral_of(order.symbol) + realized
    at = liquidation_price(instrument, after, collateral)
    if at is None:
        return None
    distance = (mark - at) / mark if after.contracts > ZERO else (at - mark) / mark
    if distance < least:
        return Denial("liquidation_distance", f"{max(distance, ZERO):.4f} of the mark after the fill", plain(least))
    return None
