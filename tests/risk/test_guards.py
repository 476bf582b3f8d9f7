"""Each guard: what makes it restrict trading, what lifts it, and what it remembers over a restart."""

from decimal import Decimal

import pytest

from app.domain.events import Severity
from app.domain.margin import MarginMode
from app.domain.order import Side
from app.risk.loss_guards import CLOSED_DAYS_KEPT_MAX, ConsecutiveLosses, DailyLoss, Drawdown, FundingCost
from app.risk.market_guards import LiquidationBuffer, MarginRatio, MarkStaleness, VolatilityBreaker
from tests.builders import BTC, ETH, at, fill, funding_paid
from tests.risk.account import Account

DAY_S = 86_400
HALF = Decimal("0.5")
TENTH = Decimal("0.1")


def equity_path(guard, *seconds_and_equity):
    """Show a guard the equity at some times; return the last verdict."""
    verdict = None
    for seconds, equity in seconds_and_equity:
        verdict = guard.look(None, Decimal(equity), at(seconds))
    return verdict


def look(guard, account):
    return guard.look(account.books, account.portfolio.equity, account.clock.now_ns)


class TestDailyLoss:
    def test_it_halts_below_the_days_floor_and_not_at_it(self):
        """10 % of the 1000 that the day began with."""
        guard = DailyLoss(TENTH)
        assert equity_path(guard, (0, 1000), (1, 900)) is None
        breach = equity_path(guard, (2, "899.99"))
        assert (breach.severity, breach.value, breach.limit, breach.latched) == (
            Severity.HALTED,
            "100.01 lost today",
            "100 (10 %)",
            False,
        )

    def test_it_ends_when_the_loss_is_made_up_for(self):
        guard = DailyLoss(TENTH)
        assert equity_path(guard, (0, 1000), (1, 890), (2, 900)) is None

    def test_it_ends_with_the_utc_day(self):
        """The next day begins with the last equity of the old one."""
        guard = DailyLoss(TENTH)
        assert equity_path(guard, (0, 1000), (DAY_S - 1, 890)) is not None
        assert equity_path(guard, (DAY_S, 885)) is None
        assert (guard.figure(), guard.nearness()) == ("-5.00 today, limit 89.00 (10 %)", pytest.approx(5 / 89))

    def test_a_gain_of_the_same_day_is_not_the_base(self):
        guard = DailyLoss(TENTH)
        assert equity_path(guard, (0, 1000), (1, 2000), (2, 900)) is None

    def test_each_day_that_ended_is_told_once(self):
        guard = DailyLoss(None)
        equity_path(guard, (0, 1000), (5, 1010), (DAY_S, 1007))
        (day,) = guard.closed_days()
        assert (day.day, day.equity_start, day.equity_end, day.time_ns) == ("2026-01-01", 1000, 1010, at(DAY_S))
        assert guard.closed_days() == []

    def test_days_that_nobody_reads_do_not_pile_up(self):
        guard = DailyLoss(None)
        equity_path(guard, *((day * DAY_S, 1000) for day in range(CLOSED_DAYS_KEPT_MAX + 5)))
        assert len(guard.closed_days()) == CLOSED_DAYS_KEPT_MAX

    def test_a_restart_within_the_day_goes_on_from_the_same_start(self):
        before, after = DailyLoss(TENTH), DailyLoss(TENTH)
        equity_path(before, (0, 1000), (1, 950))
        after.restore(before.snapshot())
        assert equity_path(after, (2, 905)) is None
        assert equity_path(after, (3, 899)) is not None

    def test_a_restart_on_another_day_does_not_carry_yesterdays_loss_over(self):
        """80 of 1000 were lost yesterday; 30 more today are within the 92 of today."""
        before, after = DailyLoss(TENTH), DailyLoss(TENTH)
        equity_path(before, (0, 1000), (1, 920))
        after.restore(before.snapshot())
        assert equity_path(after, (DAY_S, 890)) is None
        assert after.closed_days()[0].equity_end == 920

    def test_without_a_limit_it_only_keeps_count(self):
        guard = DailyLoss(None)
        assert equity_path(guard, (0, 1000), (1, 1)) is None
        assert (guard.figure(), guard.nearness()) == ("-999.00 today, no limit", 0)

    def test_a_fresh_one_has_nothing_to_remember(self):
        guard = DailyLoss(TENTH)
        guard.restore(guard.snapshot())
        assert equity_path(guard, (0, 1000), (1, 900)) is None


class TestDrawdown:
    def test_it_halts_below_its_distance_from_the_peak(self):
        """Peak 1200; 10 % are 120."""
        guard = Drawdown(TENTH)
        assert equity_path(guard, (0, 1000), (1, 1200), (2, 1080)) is None
        breach = equity_path(guard, (3, 1079))
        assert (breach.severity, breach.value, breach.limit) == (
            Severity.HALTED,
            "121 below the peak of 1200",
            "120",
        )
        assert (guard.figure(), guard.nearness()) == ("121.00 below the peak, limit 120.00", pytest.approx(121 / 120))

    def test_it_is_latched(self):
        assert equity_path(Drawdown(TENTH), (0, 1000), (1, 899)).latched

    def test_it_goes_over_days_and_restarts(self):
        before, after = Drawdown(TENTH), Drawdown(TENTH)
        equity_path(before, (0, 1000))
        after.restore(before.snapshot())
        assert equity_path(after, (3 * DAY_S, 899)) is not None

    def test_without_a_limit_it_only_keeps_count(self):
        guard = Drawdown(None)
        assert (guard.figure(), guard.nearness()) == ("0.00 below the peak, limit none", 0)
        assert equity_path(guard, (0, 1000), (1, 1)) is None
        assert guard.figure() == "999.00 below the peak, limit none"

    def test_a_fresh_one_has_nothing_to_remember(self):
        guard = Drawdown(TENTH)
        guard.restore(guard.snapshot())
        assert equity_path(guard, (0, 10)) is None


class TestConsecutiveLosses:
    @staticmethod
    def closed(account, guard, *results):
        """Close a long of one contract from 100, once for each result."""
        for result in results:
            for contracts, price in (("1", "100"), ("-1", 100 + Decimal(result))):
                told, entry = account.fill(contracts, price, fee="0.1")
                guard.on_fill(told, entry, account.books)

    def test_trading_rests_after_so_many_losses_in_a_row(self, account):
        guard = ConsecutiveLosses(3, 600)
        self.closed(account, guard, -1, -1)
        assert look(guard, account) is None
        self.closed(account, guard, -1)
        breach = look(guard, account)
        assert (breach.severity, breach.value, breach.limit) == (Severity.REDUCE_ONLY, "3 losses in a row", "3")

    def test_an_order_that_closes_in_many_fills_counts_once(self, account):
        """Three parts of one exit lose 1 each: one loss. A fourth that wins 5 turns the order into a profit."""
        guard = ConsecutiveLosses(2, 600)
        account.fill("4")
        for price in ("99", "99", "99"):
            guard.on_fill(*account.fill("-1", price, order_id="exit"), account.books)
        assert guard.figure() == "1 in a row, limit 2"
        assert guard.nearness() == HALF
        guard.on_fill(*account.fill("-1", "105", order_id="exit"), account.books)
        assert guard.figure() == "0 in a row, limit 2"

    def test_a_profit_starts_the_count_anew(self, account):
        guard = ConsecutiveLosses(2, 600)
        self.closed(account, guard, -1, 1, -1)
        assert look(guard, account) is None
        assert guard.figure() == "1 in a row, limit 2"

    def test_a_profit_that_its_fee_eats_up_is_a_loss(self, account):
        guard = ConsecutiveLosses(1, 600)
        self.closed(account, guard, "0.05")
        assert look(guard, account) is not None

    def test_a_fee_in_another_currency_eats_up_no_profit(self, account):
        guard = ConsecutiveLosses(1, 600)
        account.fill("1")
        told = fill("t2", Side.SELL, "1", "100.05", "0.1", fee_currency="BNB")
        guard.on_fill(told, account.portfolio.apply(told), account.books)
        assert look(guard, account) is None

    def test_opening_fills_do_not_count(self, account):
        guard = ConsecutiveLosses(1, 600)
        guard.on_fill(*account.fill("1", fee="5"), account.books)
        assert look(guard, account) is None

    def test_the_rest_ends_by_itself_and_the_count_with_it(self, account):
        guard = ConsecutiveLosses(2, 600)
        self.closed(account, guard, -1, -1)
        account.clock.pass_s(599)
        assert look(guard, account) is not None
        account.clock.pass_s(1)
        assert look(guard, account) is None
        self.closed(account, guard, -1)
        assert look(guard, account) is None

    def test_a_loss_during_the_rest_does_not_prolong_it(self, account):
        guard = ConsecutiveLosses(1, 600)
        self.closed(account, guard, -1)
        account.clock.pass_s(300)
        self.closed(account, guard, -1)
        account.clock.pass_s(300)
        assert look(guard, account) is None

    def test_a_restart_goes_on_counting_and_resting(self, account):
        before = ConsecutiveLosses(2, 600)
        self.closed(account, before, -1)
        counting = ConsecutiveLosses(2, 600)
        counting.restore(before.snapshot())
        self.closed(account, counting, -1)
        resting = ConsecutiveLosses(2, 600)
        resting.restore(counting.snapshot())
        assert look(resting, account) is not None

    def test_without_a_limit_it_only_counts(self, account):
        guard = ConsecutiveLosses(None, 600)
        guard.restore({})
        self.closed(account, guard, -1, -1)
        assert look(guard, account) is None
        assert (guard.figure(), guard.nearness()) == ("2 in a row, limit none", 0)


class TestFundingCost:
    def test_it_restricts_when_a_days_funding_costs_too_much(self, account):
        """1 % of 10,000, less what was paid: 100 is just too much of 9,900."""
        guard = FundingCost(Decimal("0.01"))
        guard.on_funding(account.fund("-99"), account.books)
        assert look(guard, account) is None
        assert guard.nearness() == pytest.approx(0.99, abs=0.01)
        account.clock.pass_s(1)
        guard.on_funding(account.fund("-1"), account.books)
        breach = look(guard, account)
        assert (breach.severity, breach.value, breach.limit) == (
            Severity.REDUCE_ONLY,
            "100 paid today",
            "1 % of equity",
        )

    def test_what_was_received_counts_against_it(self, account):
        guard = FundingCost(Decimal("0.01"))
        for amount in ("-150", "100"):
            guard.on_funding(account.fund(amount), account.books)
            account.clock.pass_s(1)
        assert look(guard, account) is None

    def test_it_ends_with_the_utc_day(self, account):
        guard = FundingCost(Decimal("0.001"))
        guard.on_funding(account.fund("-50"), account.books)
        assert look(guard, account) is not None
        account.clock.pass_s(DAY_S)
        assert look(guard, account) is None
        guard.on_funding(account.fund("-5"), account.books)
        assert guard.figure() == "5.00 paid today, limit 0.1 % of equity"

    def test_the_first_settlement_of_a_day_begins_it(self, account):
        """Told before any look at that day."""
        guard = FundingCost(Decimal("0.001"))
        guard.on_funding(funding_paid("-50", at(0)), account.books)
        guard.on_funding(funding_paid("-5", at(DAY_S)), account.books)
        assert guard.figure() == "5.00 paid today, limit 0.1 % of equity"

    def test_a_settlement_of_yesterday_that_is_told_late_changes_nothing(self, account):
        guard = FundingCost(Decimal("0.001"))
        guard.on_funding(account.fund("-50"), account.books)
        guard.on_funding(funding_paid("-3", at(-1)), account.books)
        assert look(guard, account).value == "50 paid today"

    def test_a_restart_within_the_day_remembers(self, account):
        before, after = FundingCost(Decimal("0.001")), FundingCost(Decimal("0.001"))
        before.on_funding(account.fund("-50"), account.books)
        after.restore(before.snapshot())
        assert look(after, account) is not None

    def test_without_a_limit_it_only_counts(self, account):
        guard = FundingCost(None)
        guard.restore(guard.snapshot())
        guard.on_funding(account.fund("-50"), account.books)
        assert look(guard, account) is None
        assert (guard.figure(), guard.nearness()) == ("50.00 paid today, limit none", 0)


class TestMarkStaleness:
    def test_it_restricts_when_the_mark_of_a_position_grows_old(self, account):
        guard = MarkStaleness(10.0)
        assert (guard.figure(), guard.nearness()) == ("unknown, limit 10.0 s", 0)
        account.fill("1")
        account.clock.pass_s(10)
        assert look(guard, account) is None
        account.clock.pass_s(0.1)
        breach = look(guard, account)
        assert (breach.severity, breach.value, breach.limit) == (
            Severity.REDUCE_ONLY,
            "a mark is 10.1 s old",
            "10.0 s",
        )
        account.mark("100")
        assert look(guard, account) is None
        assert (guard.figure(), guard.nearness()) == ("0.0 s, limit 10.0 s", 0)

    def test_only_marks_of_positions_matter(self, account):
        account.clock.pass_s(1000)
        assert look(MarkStaleness(10.0), account) is None

    def test_a_mark_that_is_not_trusted_is_as_bad_as_a_stale_one(self, account):
        account.fill("1")
        account.books.distrust(BTC)
        assert look(MarkStaleness(10.0), account).value == f"no trusted mark of {BTC}"

    def test_it_has_no_memory(self):
        guard = MarkStaleness(10.0)
        guard.restore({"x": "y"})
        assert guard.snapshot() == {}


class TestVolatilityBreaker:
    @staticmethod
    def marked(account, guard, prices, symbol=BTC, every_s=60):
        """Show a guard some marks; return the verdict at the last."""
        for price in prices:
            account.clock.pass_s(every_s)
            account.mark(price, symbol)
            guard.take(symbol, Decimal(price), account.clock.now_ns)
        return look(guard, account)

    def test_it_restricts_when_the_market_moves_too_much(self, account):
        """1 % a minute, up and down: 0.00995 times the root of 525,600 minutes is 721 % a year."""
        guard = VolatilityBreaker(Decimal(7), 3)
        assert self.marked(account, guard, ["101", "100", "101"]) is None
        breach = self.marked(account, guard, ["100"])
        assert (breach.severity, breach.value, breach.limit) == (
            Severity.REDUCE_ONLY,
            f"{BTC} moves 721 % a year",
            "700 %",
        )
        assert (guard.figure(), guard.nearness()) == ("721 % a year, limit 700 %", pytest.approx(7.21 / 7, abs=0.001))

    def test_it_bears_what_is_within_the_limit(self, account):
        assert self.marked(account, VolatilityBreaker(Decimal("7.3"), 2), ["101", "100", "101"]) is None

    def test_it_ends_when_the_market_has_calmed_down(self, account):
        guard = VolatilityBreaker(Decimal(7), 2)
        assert self.marked(account, guard, ["101", "100", "101"]) is not None
        assert self.marked(account, guard, ["101", "101"]) is None

    def test_time_between_marks_counts(self, account):
        """The same moves once in four minutes are half as wild."""
        guard = VolatilityBreaker(Decimal("3.7"), 2)
        assert self.marked(account, guard, ["101", "100", "101"], every_s=240) is None
        assert guard.figure() == "361 % a year, limit 370 %"

    def test_a_mark_counts_once(self, account):
        guard = VolatilityBreaker(Decimal(7), 2)
        self.marked(account, guard, ["101"])
        guard.take(BTC, Decimal(100), account.clock.now_ns)
        look(guard, account)
        assert guard.figure() == "unknown a year, limit 700 %"

    def test_a_symbol_whose_mark_is_not_trusted_is_left_to_the_guard_of_stale_marks(self, account):
        guard = VolatilityBreaker(Decimal(7), 2)
        assert self.marked(account, guard, ["101", "100", "101"]) is not None
        account.books.distrust(BTC)
        assert look(guard, account) is None

    def test_each_symbol_is_watched(self, account):
        guard = VolatilityBreaker(Decimal(7), 2)
        assert self.marked(account, guard, ["101", "100", "101"], ETH).value.startswith(ETH)

    def test_without_a_limit_it_does_not_look(self, account):
        guard = VolatilityBreaker(None, 2)
        assert self.marked(account, guard, ["101", "50", "101"]) is None
        assert (guard.figure(), guard.nearness()) == ("unknown a year, limit none", 0)


class TestLiquidationBuffer:
    def test_it_restricts_when_the_mark_comes_near(self):
        """Long 1 at 100 with 10 is liquidated at 90.909…: from 96 that is 5.3 % away, from 95 4.3 %."""
        account = Account(mode=MarginMode.ISOLATED)
        guard = LiquidationBuffer(Decimal("0.05"))
        assert (guard.figure(), guard.nearness()) == ("no position, limit 5 %", 0)
        account.fill("1")
        account.mark("96")
        assert look(guard, account) is None
        assert (guard.figure(), guard.nearness()) == ("5.30 % of the mark, limit 5 %", pytest.approx(0.943, abs=0.001))
        account.mark("95")
        breach = look(guard, account)
        assert (breach.severity, breach.limit) == (Severity.REDUCE_ONLY, "5 % of the mark")
        account.mark("96")
        assert look(guard, account) is None

    def test_a_short_is_watched_alike(self):
        """Short 1 at 100 with 10 is liquidated at 110 / 1.01 = 108.91…: from 104 that is 4.7 % away."""
        account = Account(mode=MarginMode.ISOLATED)
        guard = LiquidationBuffer(Decimal("0.05"))
        account.fill("-1")
        account.mark("103")
        assert look(guard, account) is None
        account.mark("104")
        assert look(guard, account) is not None

    def test_a_position_that_cannot_be_liquidated_is_far_away(self, account):
        """1 BTC at 100 with 10,000."""
        guard = LiquidationBuffer(Decimal("0.9"))
        account.fill("1")
        assert look(guard, account) is None
        assert (guard.figure(), guard.nearness()) == ("unreachable, limit 90 %", 0)

    def test_without_a_limit_it_does_not_look(self):
        account = Account(mode=MarginMode.ISOLATED)
        guard = LiquidationBuffer(None)
        account.fill("1")
        account.mark("91")
        assert look(guard, account) is None
        assert guard.figure().endswith("limit none")


class TestMarginRatio:
    def test_it_halts_when_the_maintenance_margin_eats_the_equity(self):
        """Long 100 at 100 with 1,000: at 91 the maintenance is 91 of an equity of 100."""
        account = Account(deposit="1000")
        guard = MarginRatio(HALF)
        assert (guard.figure(), guard.nearness()) == ("no equity, limit 50 %", 0)
        account.fill("100")
        account.mark("92")
        assert look(guard, account) is None
        account.mark("91")
        breach = look(guard, account)
        assert (breach.severity, breach.value, breach.limit) == (Severity.HALTED, "91 on 100 equity", "50 %")
        assert (guard.figure(), guard.nearness()) == ("91.00 % of equity, limit 50 %", pytest.approx(1.82))

    def test_it_is_within_the_limit_at_the_limit(self):
        """Long 1 at 100 with 2: 1 % maintenance is half of the equity; a bit lower it is more."""
        account = Account(deposit="2")
        account.fill("1")
        assert look(MarginRatio(HALF), account) is None
        account.mark("99.9")
        assert look(MarginRatio(HALF), account) is not None

    def test_an_account_under_water_is_past_any_limit(self):
        account = Account(deposit="2")
        account.fill("1")
        account.mark("90")
        guard = MarginRatio(Decimal(1))
        assert look(guard, account) is not None
        assert guard.nearness() == 1

    def test_without_a_limit_it_only_measures(self):
        account = Account(deposit="2")
        account.fill("1")
        guard = MarginRatio(None)
        assert look(guard, account) is None
        assert (guard.figure(), guard.nearness()) == ("50.00 % of equity, limit none", 0)


@pytest.mark.parametrize("guard", [MarkStaleness(1.0), MarginRatio(HALF), LiquidationBuffer(HALF)])
def test_guards_of_the_present_remember_nothing(guard):
    assert guard.snapshot() == {}
