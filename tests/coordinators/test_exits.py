"""Positions that the exchange will not let go: told, tried again, and no clean end."""

import asyncio
from decimal import Decimal

import pytest
from dependency_injector import providers

from app.coordinators.stop_policy import LeftAtExchange
from app.domain.events import InstrumentChanged, OrderExpired, OrderRejected
from app.domain.order import OrderType, Purpose
from app.domain.records import DustHeld
from app.domain.trading_state import TradingLevel
from app.lifecycle import HealthState
from app.settings import load_settings
from tests.builders import BTC, START_NS, instrument, mark, target
from tests.conftest import SETTINGS
from tests.coordinators.account import Account
from tests.settling import settle

LONG = Decimal("0.5")
STUCK = f"stuck:{BTC}"


@pytest.fixture
async def account(container, bot, exchange):
    """0.5 BTC, bought at 100, that shall go: the exit was just sent."""
    made = Account(bot, exchange, container)
    await made.tell(mark("100"))
    bot.execution.stage.pursue([target(LONG)])
    await made.fill(exchange.submitted[-1], "t1")
    bot.execution.stage.pursue([target("0", sequence=2)])
    return made


async def test_an_exit_that_is_refused_twice_is_told_and_growth_waits_until_one_fills(account):
    await account.refuse(account.exits[-1])
    assert account.trading.level is TradingLevel.ACTIVE
    await account.tell(mark("100", 1))
    await account.refuse(account.exits[-1])
    assert account.trading.holds("execution", STUCK)
    health = await account.health()
    assert (health.state, health.details["stuck"]) == (HealthState.DEGRADED, f"{BTC}: exit rejected: not now")

    await account.tell(mark("100", 2))
    await account.fill(account.exits[-1], "t2")
    assert account.trading.level is TradingLevel.ACTIVE
    assert (await account.health()).state is HealthState.HEALTHY


@pytest.mark.parametrize("ended", [OrderRejected, OrderExpired])
async def test_an_exit_that_never_succeeds_is_tried_less_and_less_often(account, ended):
    """A price each tenth of a second for a minute."""
    await account.tell(ended(account.exits[-1].client_order_id, BTC, START_NS, "not now"))
    for tenth in range(1, 601):
        before = len(account.exits)
        await account.tell(mark("100", tenth / 10))
        if len(account.exits) > before:
            await account.tell(ended(account.exits[-1].client_order_id, BTC, START_NS, "not now"))
    assert len(account.exits) == 1 + 6
    assert account.trading.holds("execution", STUCK)


async def test_a_strategy_that_wants_out_anew_at_every_price_does_not_begin_the_row_anew(account):
    """A price and a new target each tenth of a second for a minute: as often as with one target, and told."""
    sequence = 2
    await account.refuse(account.exits[-1])
    for tenth in range(1, 601):
        before, sequence = len(account.exits), sequence + 1
        await account.tell(mark("100", tenth / 10))
        account.bot.execution.stage.pursue([target("0", sequence=sequence)])
        if len(account.exits) > before:
            # The answer comes when the next target is already there.
            account.bot.execution.stage.pursue([target("0", sequence=(sequence := sequence + 1))])
            await account.refuse(account.exits[-1])
    assert len(account.exits) == 1 + 6
    assert account.trading.holds("execution", STUCK)
    assert (await account.health()).state is HealthState.DEGRADED

    await account.tell(mark("100", 120))
    await account.fill(account.exits[-1], "t2")
    assert account.trading.level is TradingLevel.ACTIVE


async def test_a_position_that_is_to_stay_is_not_stuck_but_what_was_refused_is_remembered(account):
    """Out is refused twice, then half of it is to stay, then the whole, and then out again."""
    await account.refuse(account.exits[-1])
    await account.tell(mark("100", 1))
    await account.refuse(account.exits[-1])
    account.bot.execution.stage.pursue([target("0.2", sequence=3)])
    assert account.trading.holds("execution", STUCK)
    account.bot.execution.stage.pursue([target(LONG, sequence=4)])
    assert account.trading.level is TradingLevel.ACTIVE
    assert (await account.health()).state is HealthState.HEALTHY

    account.bot.execution.stage.pursue([target("0", sequence=5)])
    assert len(account.exits) == 2
    await account.tell(mark("100", 2))
    assert len(account.exits) == 3
    await account.refuse(account.exits[-1])
    assert account.trading.holds("execution", STUCK)


async def test_a_part_that_was_let_go_ends_the_row(account):
    """0.3 of 0.5 leave at the third attempt; the next refusal is a first one again."""
    account.bot.execution.stage.pursue([target("0.2", sequence=3)])
    await account.refuse(account.exits[-1])
    for second in (1, 2):
        await account.tell(mark("100", second))
        await account.refuse(account.exits[-1])
    await account.tell(mark("100", 9))
    await account.fill(account.exits[-1], "t2", contracts="0.3")
    account.bot.execution.stage.pursue([target("0", sequence=4)])
    await account.refuse(account.exits[-1])
    assert account.trading.level is TradingLevel.ACTIVE


async def test_an_exit_that_fills_in_parts_goes_on_at_each_price(account):
    for number in range(4):
        order = account.exits[-1]
        await account.fill(order, f"p{number}", contracts="0.1")
        await account.tell(OrderExpired(order.client_order_id, BTC, START_NS, "rest of an IOC"), mark("100", number))
        assert account.exits[-1].contracts == order.contracts - Decimal("0.1")
    assert account.trading.level is TradingLevel.ACTIVE


async def test_the_operator_s_flatten_is_tried_at_once_however_long_the_wait(account):
    for second in (0, 1, 4, 11):
        await account.refuse(account.exits[-1])
        await account.tell(mark("100", second))
    await account.refuse(account.exits[-1])
    sent = len(account.exits)
    account.bot.execution.stage.flatten("by hand")
    assert len(account.exits) == sent + 1
    assert account.trading.level is TradingLevel.ACTIVE


async def test_a_position_that_cannot_be_left_is_no_clean_end(account, container):
    await account.refuse(account.exits[-1])
    await account.tell(mark("100", 1))
    await account.refuse(account.exits[-1])
    with pytest.raises(ExceptionGroup) as unclean:
        await container.shutdown_resources()
    [left] = [error for error in unclean.value.exceptions if isinstance(error, LeftAtExchange)]
    assert f"position 0.5 {BTC} that cannot be left (exit rejected: not now)" in str(left)


async def test_once_an_exit_that_is_not_wanted_any_more_has_ended_what_is_wanted_instead_goes_on(account):
    """0.5 are held, 0.9 are wanted; nobody knows yet what the exit will leave."""
    account.bot.execution.stage.pursue([target("0.9", sequence=3)])
    sent = len(account.exchange.submitted)
    await account.drop(account.exits[-1])
    [more] = account.exchange.submitted[sent:]
    assert (more.purpose, more.contracts) == (Purpose.ENTRY, Decimal("0.4"))


@pytest.fixture
async def flattening(container, exchange):
    """0.5 BTC, bought at 100, of a bot whose stop flattens."""
    container.loaded.override(
        providers.Object(load_settings("benchmark", [*SETTINGS, "execution.stop_policy=flatten"]))
    )
    await container.init_resources()
    made = Account(container.bot(), exchange, container)
    await made.tell(mark("100"))
    made.bot.execution.stage.pursue([target(LONG)])
    await made.fill(exchange.submitted[-1], "t1")
    return made


async def test_what_a_stop_that_flattens_leaves_is_named_once(flattening, container):
    """A position that cannot be left is also one that the policy does not want: one line, with the reason."""
    stopping = asyncio.ensure_future(container.shutdown_resources())
    await settle()
    for second in (1, 2, 3):
        await flattening.refuse(flattening.exits[-1])
        await flattening.tell(mark("100", second))
    with pytest.raises(ExceptionGroup) as unclean:
        await stopping
    [left] = [error for error in unclean.value.exceptions if isinstance(error, LeftAtExchange)]
    assert str(left).count("position ") == 1
    assert f"position 0.5 {BTC} that cannot be left (exit rejected: not now)" in str(left)


async def test_a_position_of_broken_lots_is_left_but_for_the_dust_which_is_told(container, bot, exchange):
    """0.5 BTC when the lot becomes 0.3: 0.3 are sold and 0.2 stay, and another long is bought as if they were not."""
    account = Account(bot, exchange, container)
    told = []
    account.facts.subscribe(told.append, {DustHeld})
    await account.tell(mark("100"))
    bot.execution.stage.pursue([target(LONG, stop="90")])
    await account.fill(exchange.submitted[-1], "t1")
    await account.tell(InstrumentChanged(instrument(lot_size="0.3"), START_NS))
    bot.execution.stage.pursue([target("0.3", sequence=2, stop="91")])
    stop = exchange.submitted[-1]
    assert (stop.purpose, stop.contracts) == (Purpose.STOP_LOSS, Decimal("0.3"))
    bot.execution.stage.pursue([target("0", sequence=3)])
    out = account.exits[-1]
    assert (out.type, out.contracts) == (OrderType.MARKET, Decimal("0.3"))
    await account.fill(out, "t2")
    await account.tell(mark("100", 1), mark("100", 2))
    assert len(account.exits) == 1
    assert account.trading.level is TradingLevel.ACTIVE
    assert [(dust.contracts, dust.lot_size) for dust in told] == [(Decimal("0.2"), Decimal("0.3"))]
    bot.execution.stage.pursue([target("0.3", sequence=4)])
    assert (exchange.submitted[-1].purpose, exchange.submitted[-1].contracts) == (Purpose.ENTRY, Decimal("0.3"))


async def test_a_stop_that_flattens_waits_for_nothing_that_no_order_can_close(flattening, container):
    """0.5 BTC when the lot becomes 0.3: 0.3 are sold, and the end is clean."""
    await flattening.tell(InstrumentChanged(instrument(lot_size="0.3"), START_NS))
    stopping = asyncio.ensure_future(container.shutdown_resources())
    await settle()
    await flattening.fill(flattening.exits[-1], "t2")
    await stopping
    assert flattening.exits[-1].contracts == Decimal("0.3")


async def test_exits_that_never_come_to_the_exchange_are_told_and_slowed_too(account):
    """A price each tenth of a second for a minute."""
    for tenth in range(601):
        before = len(account.exits)
        await account.tell(mark("100", tenth / 10))
        if len(account.exits) > before or not tenth:
            await account.lose(account.exits[-1])
    assert len(account.exits) == 1 + 6
    assert account.trading.holds("execution", STUCK)


async def test_a_smaller_target_off_the_lot_is_approached_by_whole_lots(container, bot, exchange):
    """0.9 held, 0.4 wanted, a lot of 0.3: 0.3 are sold, and the 0.2 that are too much are no order."""
    account = Account(bot, exchange, container)
    await account.tell(mark("100"))
    bot.execution.stage.pursue([target("0.9")])
    await account.fill(exchange.submitted[-1], "t1")
    await account.tell(InstrumentChanged(instrument(lot_size="0.3"), START_NS))
    bot.execution.stage.pursue([target("0.4", sequence=2)])
    assert account.exits[-1].contracts == Decimal("0.3")
    await account.fill(account.exits[-1], "t2")
    await account.tell(mark("100", 1), mark("100", 2))
    assert len(account.exits) == 1
    assert account.trading.level is TradingLevel.ACTIVE
