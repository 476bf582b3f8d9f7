"""One engine: the first broken rule denies, what reduces passes, and one guard that fails stops no other."""

import pytest

from app.domain.events import ReasonCleared, ReasonRaised, Severity
from app.domain.order import OrderType, Side
from app.risk import GROWTH_CHECKS, REDUCING_CHECKS, RiskEngine
from app.settings.models import RiskSettings
from tests.builders import BTC, funding_paid, limit, order
from tests.risk.account import Account, limits

TIGHT = {
    "mark_age_s_max": 1.0,
    "price_collar_ratio_max": "0.0001",
    "order_contracts_max": "0.001",
    "order_notional_max": "0.001",
    "position_notional_max": "0.001",
    "gross_exposure_ratio_max": "0.001",
    "net_exposure_ratio_max": "0.001",
    "leverage_max": "0.001",
    "liquidation_distance_ratio_min": "1",
    "open_orders_max": 1,
    "orders_per_minute_max": 1,
    "duplicate_window_s": 3600.0,
    "slippage_ratio_max": "0.0001",
}
REDUCING = [
    order(side=Side.SELL, reduce_only=True),
    limit(side=Side.SELL, price="150", reduce_only=True),
    order(side=Side.SELL, type=OrderType.STOP_MARKET, trigger_price="90", reduce_only=True),
]


@pytest.fixture
def breached(account):
    """Every limit is breached: long 90 times the equity, everything stale, halted, one order at work."""
    account.fill("9000")
    account.works(order("resting", symbol=BTC))
    account.books.note_intent(REDUCING[0])
    account.books.distrust(BTC)
    account.clock.pass_s(30)
    account.trading.raise_reason("operator", "halt", Severity.HALTED, "")
    return account


@pytest.mark.parametrize("reducing", REDUCING)
def test_what_reduces_passes_with_every_limit_breached(breached, reducing):
    assert RiskEngine(limits(**TIGHT)).check(reducing, breached.books) is None


def test_what_grows_is_denied_by_the_first_rule_that_it_breaks(breached):
    engine = RiskEngine(limits(**TIGHT))
    assert engine.check(order(), breached.books).rule == "trading_state"
    breached.trading.clear_reason("operator", "halt")
    assert engine.check(order(contracts="0.0005"), breached.books).rule == "lot_size"
    assert engine.check(order(), breached.books).rule == "data_age"
    breached.mark("100")
    assert engine.check(limit(price="101"), breached.books).rule == "price_collar"
    assert engine.check(order(), breached.books).rule == "order_contracts"


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ("order_contracts_max", "order_contracts"),
        ("order_notional_max", "order_notional"),
        ("position_notional_max", "position_notional"),
        ("gross_exposure_ratio_max", "gross_exposure"),
        ("net_exposure_ratio_max", "net_exposure"),
        ("leverage_max", "leverage"),
        ("liquidation_distance_ratio_min", "liquidation_distance"),
        ("open_orders_max", "open_orders"),
        ("orders_per_minute_max", "message_rate"),
        ("duplicate_window_s", "repeated_order"),
    ],
)
def test_each_limit_is_wired_and_denies_by_itself(account, setting, rule):
    account.works(order("resting", contracts="200"))
    account.books.note_intent(order(contracts="200"))
    assert RiskEngine(limits()).check(order(contracts="200"), account.books) is None
    assert RiskEngine(limits(**{setting: TIGHT[setting]})).check(order(contracts="200"), account.books).rule == rule


def test_an_order_within_the_shipped_limits_passes(account):
    assert RiskEngine(RiskSettings()).check(order(), account.books) is None


def test_a_malformed_reducing_order_is_denied_all_the_same(account):
    """The exchange would refuse it anyway."""
    account.fill("1")
    bad = order(side=Side.SELL, contracts="0.0005", reduce_only=True)
    assert RiskEngine(limits()).check(bad, account.books).rule == "lot_size"


def test_every_check_of_what_reduces_is_one_of_what_grows():
    assert set(REDUCING_CHECKS) < set(GROWTH_CHECKS)


def test_a_breach_is_raised_once_and_cleared_once(account):
    engine = RiskEngine(limits(mark_stale_s_max=10.0))
    account.fill("1")
    account.clock.pass_s(11)
    (raised,) = engine.look(account.books)
    assert raised == ReasonRaised(
        time_ns=account.clock.now_ns,
        owner="risk",
        code="mark_stale",
        severity=Severity.REDUCE_ONLY,
        detail="a mark is 11.0 s old, limit 10.0 s",
    )
    account.clock.pass_s(1)
    assert engine.look(account.books) == []
    account.mark("100")
    assert engine.look(account.books) == [ReasonCleared(time_ns=account.clock.now_ns, owner="risk", code="mark_stale")]
    assert engine.look(account.books) == []


def test_a_latched_breach_says_so(account):
    engine = RiskEngine(limits(drawdown_ratio_max="0.1"))
    account.fill("100")
    engine.look(account.books)
    account.mark("80")
    (raised,) = engine.look(account.books)
    assert (raised.code, raised.latched) == ("drawdown", True)


def test_a_guard_that_fails_restricts_trading_and_the_others_still_look(account):
    """The margin ratio, which comes later in the list, halts although the daily loss cannot be told."""
    engine = RiskEngine(limits(margin_ratio_max="0.0001"))
    engine.look(account.books)

    def fail(books, equity, now_ns):
        raise ZeroDivisionError("no equity")

    name, _ = engine._looks[0]
    looks, engine._looks = engine._looks, ((name, fail), *engine._looks[1:])
    account.fill("1000")
    first, second = engine.look(account.books)
    assert (first.code, first.severity, first.detail) == (
        "daily_loss",
        Severity.REDUCE_ONLY,
        "guard failed: ZeroDivisionError: no equity, limit a verdict",
    )
    assert (second.code, second.severity) == ("margin_ratio", Severity.HALTED)
    engine._looks = looks
    assert [type(change) for change in engine.look(account.books)] == [ReasonCleared]


def test_fills_and_funding_reach_the_guards_that_watch_them(account):
    engine = RiskEngine(limits(consecutive_losses_max=1, funding_cost_ratio_max="0.001"))
    engine.on_fill(*account.fill("1"), account.books)
    engine.on_fill(*account.fill("-1", price="90"), account.books)
    engine.on_funding(account.fund("-50"), account.books)
    assert [change.code for change in engine.look(account.books)] == ["consecutive_losses", "funding_cost"]


def test_a_restart_goes_on_with_the_same_memory_and_raises_nothing_twice(account):
    """10 % of 10,000 were lost today; the reason is on record, so it is only cleared by the engine that follows."""
    settings = limits(daily_loss_ratio_max="0.05", consecutive_losses_max=3)
    before, after = RiskEngine(settings), RiskEngine(settings)
    before.look(account.books)
    account.fill("100")
    account.mark("90")
    (raised,) = before.look(account.books)
    assert raised.code == "daily_loss"
    after.restore(before.snapshot())
    assert after.look(account.books) == []
    account.mark("96")
    assert [type(change) for change in after.look(account.books)] == [ReasonCleared]


def test_a_memory_without_some_guard_leaves_that_one_fresh(account):
    engine = RiskEngine(limits(drawdown_ratio_max="0.1"))
    engine.restore(b'{"guards":{},"held":{}}')
    assert engine.look(account.books) == []


def test_the_figures_name_every_guard():
    assert list(RiskEngine(RiskSettings()).figures()) == [
        "daily_loss",
        "drawdown",
        "consecutive_losses",
        "liquidation_buffer",
        "mark_stale",
        "volatility",
        "margin_ratio",
        "funding_cost",
    ]


def test_days_that_ended_are_told():
    account, engine = Account(), RiskEngine(limits())
    engine.look(account.books)
    account.clock.pass_s(86_400)
    engine.look(account.books)
    assert [day.day for day in engine.closed_days()] == ["2026-01-01"]
    assert engine.closed_days() == []


@pytest.mark.parametrize("what", ["fill", "funding"])
def test_a_guard_that_fails_to_take_something_in_restricts_trading_and_harms_nothing_else(account, mocker, what):
    engine = RiskEngine(limits())
    told, entry = account.fill("1")
    if what == "fill":
        mocker.patch.object(engine._fill_watchers[0], "on_fill", side_effect=LookupError("lost"))
        engine.on_fill(told, entry, account.books)
    else:
        mocker.patch.object(engine._funding_watchers[0], "on_funding", side_effect=LookupError("lost"))
        engine.on_funding(funding_paid("-1"), account.books)
    [raised] = engine.look(account.books)
    assert raised.code == "watch_failed"
    assert "LookupError: lost" in raised.detail
    assert engine.look(account.books) == []


def test_a_reason_that_was_lifted_is_raised_again_while_its_limit_is_passed(account):
    """Equity falls from 10,000 to 7,000, drawdown limit 20 %: raised once; lifted by the operator, raised once more."""
    engine = RiskEngine(limits(drawdown_ratio_max="0.2"))
    account.fill("100")
    account.mark("100")
    engine.look(account.books)
    account.mark("70")

    def raised():
        return [change.code for change in engine.look(account.books) if isinstance(change, ReasonRaised)]

    first = raised()
    assert "drawdown" in first
    assert raised() == []

    engine.keep_raised({code for code in first if code != "drawdown"})

    assert raised() == ["drawdown"]
