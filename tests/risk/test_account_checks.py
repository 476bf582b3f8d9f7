"""Each check of what the account would come to: working and unknown orders count in full."""

from decimal import Decimal

import pytest

from app.domain.events import OrderUnknown
from app.domain.instrument import MarginTier
from app.domain.margin import MarginMode
from app.domain.order import OrderType, Side
from app.risk import account_checks
from app.risk.exposure import worst_contracts, worst_notional
from tests.builders import BTC, BTC_INVERSE, ETH, fill, instrument, inverse, limit, order
from tests.risk.account import Account, judge, limits

SELL = Side.SELL


def rule(denial):
    return None if denial is None else denial.rule


def test_the_worst_case_is_everything_that_may_still_fill(account):
    """Held 1; buys of 2 and 3 work, of which 1 has filled; a sell of 4: up to 5, down to -3, with 0.5 more 5.5."""
    account.fill("1")
    account.works(order("a", contracts="2"))
    account.works(order("b", contracts="3"))
    account.tracker.sent("b")
    account.tracker.fill(fill("x", client_order_id="b", contracts="1"))
    account.works(order("c", SELL, "4"))
    account.works(order("stop", SELL, "9", reduce_only=True))
    assert worst_contracts(account.books, BTC) == (5, -3)
    assert worst_contracts(account.books, BTC, order(contracts="0.5")) == (Decimal("5.5"), -3)
    assert worst_contracts(account.books, BTC, order(side=SELL, contracts="3")) == (5, -6)
    assert worst_notional(account.books, BTC) == 500
    assert worst_notional(account.books, BTC, order(side=SELL, contracts="3")) == 600


def test_an_order_of_unknown_outcome_counts(account):
    account.works(order("a", contracts="2"))
    account.tracker.sent("a")
    account.tracker.apply(OrderUnknown("a", BTC, 1, "time-out"))
    assert worst_contracts(account.books, BTC) == (2, 0)


def test_without_a_mark_a_position_is_worth_its_cost():
    account = Account()
    assert worst_notional(account.books, BTC) == 0


def test_the_position_of_a_symbol_does_not_become_too_large(account):
    """1 held and 2 working at 100: another 2 make 500."""
    account.fill("1")
    account.works(order("w", contracts="2"))
    at_most = limits(position_notional_max="500")
    assert judge(account_checks.position_size, order(contracts="2"), account.books, at_most) is None
    denial = judge(account_checks.position_size, order(contracts="2.001"), account.books, at_most)
    assert str(denial) == "position_notional: 500.1, limit 500"
    assert judge(account_checks.position_size, order(contracts="2.001"), account.books, limits()) is None


def test_a_short_position_is_limited_alike(account):
    account.fill("-1")
    at_most = limits(position_notional_max="300")
    assert judge(account_checks.position_size, order(side=SELL, contracts="2"), account.books, at_most) is None
    assert rule(judge(account_checks.position_size, order(side=SELL, contracts="2.001"), account.books, at_most)) == (
        "position_notional"
    )


def test_all_positions_together_do_not_become_too_large(account):
    """Long 100 BTC at 100 and short 50 ETH at 100 are 15,000: with 50 more twice the equity of 10,000."""
    account.fill("100")
    account.mark("100", ETH)
    account.works(order("w", SELL, "50", symbol=ETH))
    at_most = limits(gross_exposure_ratio_max="2")
    assert judge(account_checks.gross_exposure, order(contracts="50"), account.books, at_most) is None
    denial = judge(account_checks.gross_exposure, order(contracts="50.001"), account.books, at_most)
    assert str(denial) == "gross_exposure: 20000.1 on an equity of 10000, limit 2 times"
    assert judge(account_checks.gross_exposure, order(contracts="50.001"), account.books, limits()) is None


def test_longs_and_shorts_do_not_lean_to_one_side(account):
    """Long 100 BTC and short 50 ETH lean by 5,000: 50 more are the equity of 10,000; selling has room for 150."""
    account.fill("100")
    account.mark("100", ETH)
    account.fill("-50", symbol=ETH)
    at_most = limits(net_exposure_ratio_max="1")
    assert judge(account_checks.net_exposure, order(contracts="50"), account.books, at_most) is None
    assert rule(judge(account_checks.net_exposure, order(contracts="50.001"), account.books, at_most)) == "net_exposure"
    assert judge(account_checks.net_exposure, order(contracts="50.001"), account.books, limits()) is None
    assert judge(account_checks.net_exposure, order(side=SELL, contracts="150"), account.books, at_most) is None
    assert rule(judge(account_checks.net_exposure, order(side=SELL, contracts="150.001"), account.books, at_most)) == (
        "net_exposure"
    )


def test_a_symbol_without_a_mark_cannot_lean(account):
    account.works(order("w", symbol=ETH))
    assert judge(account_checks.net_exposure, order(), account.books, limits(net_exposure_ratio_max="1")) is None


def test_the_account_is_levered_at_most_so_much(account):
    at_most = limits(leverage_max="2")
    assert judge(account_checks.leverage, order(contracts="200"), account.books, at_most) is None
    assert str(judge(account_checks.leverage, order(contracts="200.001"), account.books, at_most)) == (
        "leverage: 20000.1 on 10000, limit 2"
    )
    assert judge(account_checks.leverage, order(contracts="200.001"), account.books, limits()) is None


def test_the_margin_table_bounds_the_leverage_by_size():
    """Leverage 10 is set: up to 1,000 the table allows 20, above it 5."""
    tiers = (MarginTier(Decimal(1000), Decimal(20), Decimal("0.01")), MarginTier(None, Decimal(5), Decimal("0.1")))
    account = Account(instruments={BTC: instrument(margin_tiers=tiers)})
    account.mark("100")
    assert judge(account_checks.leverage, order(contracts="10"), account.books, limits()) is None
    assert str(judge(account_checks.leverage, order(contracts="10.001"), account.books, limits())) == (
        "leverage: 10 is set, limit 5 at that size"
    )


def test_the_free_collateral_covers_the_initial_margin(account):
    """10,000 at leverage 10 carry 100,000; 400 BTC held bind 4,000, 100 and 50 working need 1,500 and 500 at 100."""
    account.fill("400")
    account.mark("100", ETH)
    account.works(order("w", contracts="150"))
    account.works(limit("l", contracts="100", price="50", symbol=ETH))
    account.works(order("stop", SELL, "400", reduce_only=True))
    assert judge(account_checks.margin, order(contracts="400"), account.books, limits()) is None
    denial = judge(account_checks.margin, order(contracts="400.01"), account.books, limits())
    assert str(denial) == "initial_margin: 6000.1 USDT needed, limit 6000 free"


def test_a_working_order_without_any_price_binds_no_margin_yet(account):
    account.works(order("w", contracts="900", symbol=ETH))
    assert judge(account_checks.margin, order(contracts="1000"), account.books, limits()) is None


def test_an_order_without_any_price_has_no_known_margin(account):
    denial = judge(account_checks.margin, order(symbol=ETH), account.books, limits())
    assert denial.value == f"no price of {ETH}"


@pytest.mark.parametrize(("side", "inside", "outside"), [(Side.BUY, "106", "107"), (SELL, "104", "105")])
def test_the_mark_stays_far_from_the_liquidation_price(side, inside, outside):
    """1,000 stand for it. Long 106 at 100: p = 9600 / 104.94, 8.5 % below; long 107: 8.4 %. A short alike."""
    account = Account(deposit="1000", leverage="100")
    account.mark("100")
    at_least = limits(liquidation_distance_ratio_min="0.0848")
    if side is Side.SELL:
        at_least = limits(liquidation_distance_ratio_min="0.0847")
    distance = account_checks.liquidation_distance
    assert judge(distance, order(side=side, contracts=inside), account.books, at_least) is None
    denial = judge(distance, order(side=side, contracts=outside), account.books, at_least)
    assert rule(denial) == "liquidation_distance"
    assert judge(distance, order(side=side, contracts="900"), account.books, limits()) is None


def test_an_isolated_position_has_only_its_own_margin_to_lose():
    """Leverage 10 leaves 10 %, less 1 % maintenance: p = 90 / 0.99, 9.09 % away; working orders count."""
    account = Account(mode=MarginMode.ISOLATED)
    account.mark("100")
    near = limits(liquidation_distance_ratio_min="0.0909")
    far = limits(liquidation_distance_ratio_min="0.091")
    assert judge(account_checks.liquidation_distance, order(contracts="1"), account.books, near) is None
    denial = judge(account_checks.liquidation_distance, order(contracts="1"), account.books, far)
    assert denial.value == "0.0909 of the mark after the fill"


def test_nothing_is_near_where_nothing_can_be_liquidated(account):
    """1 BTC at 100 with 10,000; and a symbol without a mark."""
    at_least = limits(liquidation_distance_ratio_min="0.99")
    assert judge(account_checks.liquidation_distance, order(contracts="1"), account.books, at_least) is None
    assert judge(account_checks.liquidation_distance, order(symbol=ETH), account.books, at_least) is None


def test_inverse_contracts_are_limited_in_coins():
    """1,000 contracts of 100 USD at 10,000 are 10 coins."""
    account = Account(deposit="100", instruments={BTC_INVERSE: inverse(contracts_max="100000")})
    account.mark("10000", BTC_INVERSE)
    at_most = limits(position_notional_max="10")
    assert (
        judge(account_checks.position_size, order(contracts="1000", symbol=BTC_INVERSE), account.books, at_most) is None
    )
    denial = judge(account_checks.position_size, order(contracts="1001", symbol=BTC_INVERSE), account.books, at_most)
    assert str(denial) == "position_notional: 10.01, limit 10"


def test_without_a_mark_working_orders_count_at_their_own_prices(account):
    """ETH has no mark: a limit of 3 at 50 counts 150, a stop of 1 at 60 counts 60; what reduces counts nothing."""
    account.works(limit("a", contracts="3", price="50", symbol=ETH))
    account.works(order("b", symbol=ETH, type=OrderType.STOP_MARKET, trigger_price="60"))
    account.works(limit("c", Side.SELL, price="50", symbol=ETH, reduce_only=True))
    account.works(order("d", symbol=ETH))
    assert worst_notional(account.books, ETH) == 210
