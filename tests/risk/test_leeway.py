"""Guards that do not look at every mark say the same, at the same moment, as guards that do."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.margin import MarginMode
from app.risk import RiskEngine
from app.risk.guards import DAY_NS
from app.risk.leeway import FOREVER_NS, NOT_CALM, leeway_around
from app.risk.loss_guards import DailyLoss, Drawdown, FundingCost
from app.risk.market_guards import LiquidationBuffer, MarginRatio, VolatilityBreaker
from tests.builders import BTC, BTC_INVERSE, ETH, funding_paid, inverse
from tests.properties import BRIEF
from tests.risk.account import Account, limits

D = Decimal
LIMITS = {
    "daily_loss_ratio_max": st.sampled_from([None, "0.002", "0.02", "0.2"]),
    "drawdown_ratio_max": st.sampled_from([None, "0.002", "0.03", "0.3"]),
    "consecutive_losses_max": st.sampled_from([None, 1, 2]),
    "liquidation_buffer_ratio_min": st.sampled_from([None, "0.03", "0.2"]),
    "mark_stale_s_max": st.sampled_from([90.0, 400.0, 86_400.0]),
    "volatility_ratio_max": st.sampled_from([None, "1", "5"]),
    "volatility_window": st.just(3),
    "margin_ratio_max": st.sampled_from([None, "0.02", "0.5"]),
    "funding_cost_ratio_max": st.sampled_from([None, "0.0005", "0.01"]),
}
step = st.one_of(
    st.tuples(st.just("mark"), st.sampled_from([BTC, ETH]), st.integers(-60, 60)),
    st.tuples(st.just("mark"), st.sampled_from([BTC, ETH]), st.integers(-8, 8)),
    st.tuples(st.just("fill"), st.sampled_from([BTC, ETH]), st.integers(-50, 50).filter(bool)),
    st.tuples(st.just("timer"), st.sampled_from([1, 60, 3600, 40_000])),
    st.tuples(st.just("fund"), st.integers(-30, 30)),
    st.tuples(st.just("distrust"), st.sampled_from([BTC, ETH])),
)


def watched(engine, account, prices, what):
    """Let one thing happen, as the execution coordinator does; return what the engine says."""
    match what:
        case ("mark", symbol, move):
            prices[symbol] *= 1 + D(move) / 10_000
            must_look = engine.on_mark(symbol, prices[symbol], account.clock.now_ns, account.books)
            account.mark(prices[symbol], symbol)
            return engine.look(account.books) if must_look else []
        case ("timer", seconds):
            account.clock.pass_s(seconds)
            return engine.look(account.books) if engine.on_timer(account.clock.now_ns, account.books) else []
        case ("fill", symbol, contracts):
            told, entry = account.fill(contracts, prices[symbol], fee="0.01", symbol=symbol)
            engine.on_fill(told, entry, account.books)
        case ("fund", amount):
            paid = funding_paid(amount, account.clock.now_ns)
            if account.portfolio.apply_funding(paid) is not None:
                engine.on_funding(paid, account.books)
        case ("distrust", symbol):
            account.books.distrust(symbol)
    return engine.look(account.books)


class LooksAlways(RiskEngine):
    """Guards without any leeway."""

    def _find_leeway(self, books):
        """Leave them none."""


class IsAskedOften(RiskEngine):
    """Guards whose figures somebody asks for by a clock of his own, as the health file does."""

    def on_mark(self, *mark):
        self.figures()
        return super().on_mark(*mark)


@BRIEF
@given(
    settings=st.fixed_dictionaries(LIMITS),
    mode=st.sampled_from(MarginMode),
    deposit=st.sampled_from(["600", "2000", "100000"]),
    steps=st.lists(step, max_size=60),
)
def test_the_same_is_said_with_leeway_and_without(settings, mode, deposit, steps):
    sides = []
    for kind in (RiskEngine, LooksAlways, IsAskedOften):
        account, prices = Account(deposit, mode), {BTC: D(100), ETH: D(50)}
        for symbol, price in prices.items():
            account.mark(price, symbol)
        sides.append((kind(limits(**settings)), account, prices))
    for what in steps:
        with_leeway, without, asked = (watched(*side, what) for side in sides)
        assert with_leeway == without == asked
        for _, account, _ in sides:
            account.clock.pass_s(7)
    (engine, *_), (reference, *_), (asked, *_) = sides
    assert engine.closed_days() == reference.closed_days() == asked.closed_days()
    assert engine.snapshot() == reference.snapshot() == asked.snapshot()
    assert engine.figures() == reference.figures() == asked.figures()


def test_nothing_is_looked_at_while_a_mark_is_within_its_range(account):
    """Long 1, marked at 100: half a percent either way. The first look at a mark after a fill notes that it came."""
    engine = RiskEngine(limits(daily_loss_ratio_max="0.1"))
    account.fill("1")
    for price in ("102", "100"):
        account.mark(price)
        engine.look(account.books)
    assert not engine.on_mark(BTC, D("100.5"), account.clock.now_ns, account.books)
    assert engine.on_mark(BTC, D("100.51"), account.clock.now_ns, account.books)
    assert not engine.on_mark(ETH, D("3"), account.clock.now_ns, account.books)


@pytest.mark.parametrize("is_asked", [False, True])
def test_who_asks_for_the_figures_leaves_no_trace(account, is_asked):
    """Long 1 at 100, within its range at 100.2: what is remembered is the equity of now, whoever looked last."""
    engine = RiskEngine(limits(daily_loss_ratio_max="0.1"))
    account.fill("1")
    for price in ("102", "100"):
        account.mark(price)
        engine.look(account.books)
    assert not engine.on_mark(BTC, D("100.1"), account.clock.now_ns, account.books)
    account.mark("100.1")
    if is_asked:
        engine.figures()
    assert not engine.on_mark(BTC, D("100.2"), account.clock.now_ns, account.books)
    account.mark("100.2")
    assert msgspec.json.decode(engine.snapshot())["guards"]["daily_loss"]["equity"] == "10000.2"


def test_nothing_is_remembered_before_the_first_look():
    assert msgspec.json.decode(RiskEngine(limits()).snapshot())["guards"]["daily_loss"] == {}


def test_a_symbol_that_is_too_wild_is_looked_at(account):
    engine = RiskEngine(limits(volatility_ratio_max="5", volatility_window=2))
    engine.look(account.books)
    for price in ("100", "110", "100"):
        account.clock.pass_s(60)
        said = engine.on_mark(BTC, D(price), account.clock.now_ns, account.books)
    assert said


def test_a_guard_that_cannot_take_a_mark_in_makes_the_others_look(account, mocker):
    engine = RiskEngine(limits())
    mocker.patch.object(engine._volatility, "take", side_effect=OverflowError("too wild"))
    assert engine.on_mark(BTC, D(100), account.clock.now_ns, account.books)
    assert "OverflowError" in engine.look(account.books)[0].detail


def test_without_a_mark_no_price_is_within_the_range():
    account = Account()
    account.fill("1")
    account.portfolio.restore(account.portfolio.positions, dict(account.portfolio.ledger.totals), [], [], {})
    room = leeway_around(account.books).rooms[BTC]
    assert room.low == room.high == 0


@pytest.mark.parametrize(("ratio_max", "is_calm"), [("0.0001", False), ("0.1", True)])
def test_a_day_is_calm_until_it_ends_if_no_move_within_the_range_reaches_its_floor(ratio_max, is_calm):
    """10 contracts at 100: half a percent is 5 of 10,000; the floor is 1 below, or 1,000."""
    account, guard = Account(), DailyLoss(D(ratio_max))
    account.mark("100")
    account.fill("10")
    assert guard.calm_until(leeway_around(account.books), account.books) == NOT_CALM
    guard.look(account.books, account.portfolio.equity, account.clock.now_ns)
    until = guard.calm_until(leeway_around(account.books), account.books)
    assert until == ((account.clock.now_ns // DAY_NS + 1) * DAY_NS if is_calm else NOT_CALM)


@pytest.mark.parametrize(
    ("guard", "deposit", "mode"),
    [
        (LiquidationBuffer(D("0.09")), "10000", MarginMode.ISOLATED),
        (LiquidationBuffer(D("0.9")), "105", MarginMode.CROSS),
        (MarginRatio(D("0.0001")), "10000", MarginMode.CROSS),
        (Drawdown(None), "10000", MarginMode.CROSS),
    ],
)
@pytest.mark.parametrize("contracts", ["10", "-10"])
def test_a_guard_that_a_move_within_the_range_would_alarm_is_not_calm(guard, deposit, mode, contracts):
    """At the mark itself each of them finds nothing wrong, or only just."""
    account = Account(deposit, mode)
    account.mark("100")
    account.fill(contracts)
    assert guard.calm_until(leeway_around(account.books), account.books) == NOT_CALM


def test_funding_that_the_least_equity_would_not_bear_is_not_calm(account):
    """1 % of 10,000, less what was paid, is 99.01 and a move within the range leaves less."""
    guard = FundingCost(D("0.01"))
    account.fill("10")
    guard.on_funding(account.fund("-99"), account.books)
    assert guard.look(account.books, account.portfolio.equity, account.clock.now_ns) is None
    assert guard.calm_until(leeway_around(account.books), account.books) == NOT_CALM


def test_a_position_out_of_reach_of_liquidation_is_calm(account):
    account.fill("1")
    assert LiquidationBuffer(D("0.9")).calm_until(leeway_around(account.books), account.books) == FOREVER_NS


def test_the_other_positions_are_taken_at_their_worst_for_the_collateral():
    """Cross: ETH 10 at 50 may lose 2.5 and a bit, and its maintenance may grow; an isolated margin is its own."""
    account = Account()
    for symbol, price in ((BTC, "100"), (ETH, "50")):
        account.mark(price, symbol)
        account.fill("10", price, symbol=symbol)
    least = leeway_around(account.books).collateral_low(account.books, BTC)
    account.mark("49.75", ETH)
    assert least < account.portfolio.collateral_of(BTC)
    alone = Account(mode=MarginMode.ISOLATED)
    alone.mark("100")
    alone.fill("10")
    assert leeway_around(alone.books).collateral_low(alone.books, BTC) == 100


def test_the_wilder_of_two_wild_symbols_is_named(account):
    guard = VolatilityBreaker(D(5), 2)
    for prices in (("100", "50"), ("105", "51"), ("100", "50")):
        account.clock.pass_s(60)
        for symbol, price in zip((BTC, ETH), prices, strict=True):
            account.mark(price, symbol)
            guard.take(symbol, D(price), account.clock.now_ns)
    assert guard.look(account.books, D(1), account.clock.now_ns).value.startswith(BTC)


def test_while_guards_have_no_leeway_it_is_seldom_worked_out(account, mocker):
    """At every new peak the drawdown guard has to look."""
    tries = mocker.patch("app.risk.engine.leeway_around", wraps=leeway_around)
    engine = RiskEngine(limits(drawdown_ratio_max="0.1"))
    account.fill("1")
    for price in range(100, 135):
        assert engine.on_mark(BTC, D(price), account.clock.now_ns, account.books)
        account.mark(price)
        engine.look(account.books)
    assert tries.call_count == 2


@pytest.mark.parametrize("contracts", ["1000", "-1000"])
def test_the_worst_of_an_inverse_contract_is_within_the_leeway(contracts):
    """1000 contracts of 100 USD at 10,000 are 10 BTC; what they come to at the edges is no worse than foretold."""
    account = Account(deposit="10", instruments={BTC_INVERSE: inverse()})
    account.mark("10000", BTC_INVERSE)
    account.fill(contracts, "10000", symbol=BTC_INVERSE)
    leeway = leeway_around(account.books)
    room = leeway.rooms[BTC_INVERSE]
    for edge in (room.low, room.high):
        account.mark(edge, BTC_INVERSE)
        assert leeway.equity_low <= account.portfolio.equity <= leeway.equity_high
        assert account.portfolio.maintenance_margin <= leeway.maintenance


def test_a_mark_that_has_grown_too_old_is_looked_at_wherever_the_others_are(account):
    engine = RiskEngine(limits(mark_stale_s_max=60))
    account.fill("1")
    for price in ("102", "100"):
        account.mark(price)
        engine.look(account.books)
    assert not engine.on_mark(BTC, D(100), account.clock.now_ns, account.books)
    account.clock.pass_s(60)
    assert not engine.on_mark(ETH, D(50), account.clock.now_ns, account.books)
    assert not engine.on_timer(account.clock.now_ns, account.books)
    account.clock.pass_s(1)
    assert engine.on_mark(ETH, D(50), account.clock.now_ns, account.books)
    assert engine.on_timer(account.clock.now_ns, account.books)
