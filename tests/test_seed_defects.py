"""Defects that an earlier bot was proven to have, one test each that this one does the opposite."""

import asyncio
from contextlib import suppress
from decimal import Decimal
from math import isclose, sqrt

import pytest
from dependency_injector import providers

from app.domain.events import OrderAccepted, OrderUnknown, Severity
from app.domain.order import OrderStatus, OrderType, Side
from app.execution import clamp_to_position
from app.lifecycle import BaseCoordinator, HealthState, Phase, RestartPolicy, StartFailed
from app.risk import RiskEngine
from app.settings import SettingsRefused, load_settings
from tests.builders import BTC, ETH, START_NS, mark, order, target
from tests.lifecycle.parts import NAMES, Part, parts, stubborn
from tests.risk.account import Account, limits
from tests.settling import settle

# -- lifecycle --------------------------------------------------------------------------------------------------


async def test_a_failing_initialize_rolls_everything_back_and_leaves_no_newer_context():
    container, notes = parts(strategy__initialize="fail")
    with pytest.raises(StartFailed):
        await container.init_resources()
    assert notes.stopped() == ["strategy", "execution", "runtime", "telemetry"]
    with pytest.raises(Exception, match="exists only while the bot is up"):
        _ = container.registry.context


async def test_one_shutdown_that_raises_leaves_no_earlier_one_running():
    container, notes = parts(execution__shutdown="fail")
    await container.init_resources()
    with pytest.raises(ExceptionGroup):
        await container.shutdown_resources()
    assert notes.stopped() == list(NAMES[::-1])


async def test_a_shutdown_that_hangs_does_not_block_for_ever():
    container, _ = parts(execution__shutdown="hang")
    await container.init_resources()
    with suppress(ExceptionGroup):
        await asyncio.wait_for(container.shutdown_resources(), 5)
    assert container.registry.phase is Phase.STOPPED


async def test_a_crashed_background_task_is_not_reported_healthy():
    class Crashes(Part):
        async def start_background_tasks(self, context, supervisor):
            async def crash():
                raise OSError("gone")

            supervisor.spawn("crash", crash, restart=RestartPolicy.temporary(), critical=True, owner=self.name)

    container, notes = parts()
    container.strategy_factory.override(providers.Factory(Crashes, "strategy", notes))
    await container.init_resources()
    await settle()
    report = await container.health()
    assert [item.state for item in report.components if item.component == "strategy"] == [HealthState.UNHEALTHY]
    await container.shutdown_resources()


async def test_somebody_asks_for_health(bot, mocker):
    """The system monitor does, all the time that the bot is up."""
    asked = mocker.spy(bot.strategy, "health_check")
    bot.system_monitor._settings = bot.system_monitor._settings.model_copy(update={"check_every_s": 0.001})
    watching = asyncio.ensure_future(bot.system_monitor._watch())
    await asyncio.sleep(0.02)
    watching.cancel()
    assert asked.call_count > 0


async def test_a_coordinator_can_be_started_twice():
    container, _ = parts()
    for _ in range(2):
        await container.init_resources()
        await container.shutdown_resources()


async def test_an_exception_in_a_cycle_does_not_end_with_exit_code_0(container, exchange, mocker):
    bot = container.bot()

    def break_it():
        bot.execution.stage.takes[type(mark("1"))] = mocker.Mock(side_effect=ArithmeticError("broken"))
        exchange.tell(mark("100"))

    result = await bot.run(break_it)
    assert result.exit_code == 5


async def test_a_silent_stream_can_be_stopped(container):
    """The exchange never says anything, and the stop does not wait for it."""
    await container.init_resources()
    await settle()
    await asyncio.wait_for(container.shutdown_resources(), 2)


async def test_what_ignores_its_cancellation_is_left_behind():
    class Hangs(BaseCoordinator):
        name = "strategy"

        async def shutdown(self):
            await stubborn(2)

    container, _ = parts()
    container.strategy_factory.override(providers.Factory(Hangs))
    await container.init_resources()
    with pytest.raises(ExceptionGroup) as group:
        await container.shutdown_resources()
    assert "strategy (shutdown)" in str(group.value.exceptions[0])
    await asyncio.sleep(0.35)


# -- risk -------------------------------------------------------------------------------------------------------


@pytest.fixture
def account():
    account = Account()
    account.mark("100")
    account.mark("100", symbol=ETH)
    return account


def test_the_staleness_guard_looks_at_the_books_themselves(account):
    engine = RiskEngine(limits(mark_stale_s_max=60))
    account.fill("1")
    assert engine.look(account.books) == []
    account.clock.pass_s(61)
    assert [change.code for change in engine.look(account.books)] == ["mark_stale"]


def test_exposure_counts_all_positions_and_all_working_orders(account):
    """Equity 10,000, at most once: 60 BTC and 30 ETH at 100 are held, 5 ETH work; 6 more are too many."""
    engine = RiskEngine(limits(gross_exposure_ratio_max=1))
    account.fill("60")
    account.fill("30", symbol=ETH)
    account.works(order("w", contracts="5", symbol=ETH))
    assert engine.check(order(contracts="5"), account.books) is None
    assert engine.check(order(contracts="6"), account.books).rule == "gross_exposure"


@pytest.mark.parametrize("level", list(Severity))
def test_a_full_close_passes_every_limit_and_every_state(account, level):
    """Every limit is broken and trading is halted: the position can be closed all the same."""
    tight = dict.fromkeys(("order_notional_max", "position_notional_max", "gross_exposure_ratio_max"), "0.0001")
    engine = RiskEngine(limits(**tight, leverage_max="0.0001", open_orders_max=1))
    account.fill("10")
    account.works(order("w", symbol=ETH))
    account.trading.raise_reason("operator", "kill", level, "kill switch")
    account.clock.pass_s(80_000)
    assert engine.check(order("x", Side.SELL, "10", reduce_only=True), account.books) is None


def test_reduce_only_never_flips(account):
    cut = clamp_to_position(order("x", Side.SELL, "5", reduce_only=True), Decimal(2))
    assert cut.contracts == 2


def test_every_mode_has_the_same_guards(container):
    assert set(container.risk().figures()) == set(RiskEngine(load_settings("simulated").settings.risk).figures())


def test_a_profile_s_limits_apply_and_an_unknown_key_is_refused(tmp_path):
    profile = tmp_path / "mine.toml"
    profile.write_text('[risk]\ndaily_loss_ratio_max = "0.01"\n')
    assert load_settings(str(profile)).settings.risk.daily_loss_ratio_max == Decimal("0.01")
    profile.write_text('[risk]\ndaily_loss_max = "0.01"\n')
    with pytest.raises(SettingsRefused, match="did you mean risk"):
        load_settings(str(profile))


def test_the_daily_loss_is_daily_and_remembers_closed_positions(account):
    """5 % of 10,000 are 500. A loss of 600 on a position that is closed counts; the next UTC day begins anew."""
    engine = RiskEngine(limits(daily_loss_ratio_max="0.05"))
    engine.look(account.books)
    account.fill("10")
    account.fill("-10", "40")
    assert [change.code for change in engine.look(account.books)] == ["daily_loss"]
    account.clock.pass_s(86_400)
    assert [type(change).__name__ for change in engine.look(account.books)] == ["ReasonCleared"]


def test_volatility_goes_by_the_time_between_marks(account):
    """1 % a minute is 0.01 * sqrt(525,600) = 7.25 a year, not 0.01 * sqrt(365)."""
    engine = RiskEngine(limits(volatility_ratio_max="7", volatility_window=3))
    price = Decimal(100)
    engine.on_mark(BTC, price, account.clock.now_ns, account.books)
    for _ in range(3):
        account.clock.pass_s(60)
        price *= Decimal("1.01")
        must_look = engine.on_mark(BTC, price, account.clock.now_ns, account.books)
        account.mark(price)
    assert must_look
    assert [change.code for change in engine.look(account.books)] == ["volatility"]
    assert isclose(float(engine.figures()["volatility"].split()[0]), 100 * 0.00995 * sqrt(525_600), rel_tol=0.01)


def test_one_guard_s_error_does_not_skip_the_rest(account, mocker):
    engine = RiskEngine(limits(mark_stale_s_max=60))
    first = engine._guards[0]
    engine._looks = ((first.name, mocker.Mock(side_effect=LookupError)), *engine._looks[1:])
    account.fill("1")
    account.clock.pass_s(61)
    assert [change.code for change in engine.look(account.books)] == [first.name, "mark_stale"]


# -- orders -----------------------------------------------------------------------------------------------------


async def test_an_outage_never_marks_a_live_order_as_canceled(bot, exchange):
    exchange.tell(mark("100"))
    await settle()
    bot.execution.stage.pursue([target("0.5")])
    [sent] = exchange.submitted
    exchange.tell(OrderAccepted(sent.client_order_id, "V1", BTC, START_NS))
    await settle()
    exchange.down = True
    with suppress(Exception):
        await bot.execution.stage.agreement.compare()
    assert bot.execution.stage.books.tracker.find(sent.client_order_id).status is OrderStatus.OPEN


async def test_an_order_whose_answer_was_lost_is_kept_and_asked_for(bot, exchange):
    exchange.tell(mark("100"))
    await settle()
    bot.execution.stage.pursue([target("0.5")])
    [sent] = exchange.submitted
    exchange.tell(OrderUnknown(sent.client_order_id, BTC, START_NS, "read failed"))
    await settle()
    assert bot.execution.stage.books.tracker.find(sent.client_order_id).status is OrderStatus.UNKNOWN
    assert bot.execution.stage.books.tracker.open_orders == 1
    assert len(exchange.submitted) == 1


async def test_positions_that_cannot_be_read_are_not_flat(container, exchange):
    exchange.down = True
    with pytest.raises(StartFailed, match="the fake is down"):
        await container.init_resources()


# -- use --------------------------------------------------------------------------------------------------------


def test_a_flag_that_was_not_given_overrides_nothing(tmp_path):
    profile = tmp_path / "mine.toml"
    profile.write_text("[telemetry]\nlog_json = true\n")
    assert load_settings(str(profile)).settings.telemetry.log_json


def test_the_simulator_has_fees_partial_fills_and_rejections():
    from tests.exchanges.venue import Venue

    venue = Venue(deposit="1000")
    assert type(venue.send(order(contracts="999"))[0]).__name__ == "OrderRejected"
    venue.send(order("b", type=OrderType.MARKET))
    [fill] = venue.bar("100")
    assert fill.fee == Decimal("0.05")
