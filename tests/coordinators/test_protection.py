"""Positions whose protection the exchange will not have: told, tried again, and never made bare by the bot."""

from decimal import Decimal

import pytest

from app.coordinators.stop_policy import LeftAtExchange
from app.domain.events import InstrumentChanged, OrderCanceled, ReasonRaised
from app.domain.order import OrderType, Purpose
from app.domain.records import OrderDenied
from app.domain.trading_state import TradingLevel
from app.lifecycle import HealthState
from tests.builders import BTC, START_NS, fill, instrument, mark, target
from tests.coordinators.account import Account

LONG = Decimal("0.5")
BARE = f"unprotected:{BTC}"


@pytest.fixture
async def account(container, bot, exchange):
    """0.5 BTC, bought at 100 with a stop at 90 that was just sent."""
    made = Account(bot, exchange, container)
    await made.tell(mark("100"))
    bot.execution.stage.pursue([target(LONG, stop="90")])
    await made.fill(exchange.submitted[-1], "t1")
    return made


async def test_a_stop_that_is_refused_is_told_and_growth_waits_until_one_rests(account):
    await account.refuse(account.stops[-1])
    assert account.trading.holds("execution", BARE)
    assert account.trading.level is TradingLevel.REDUCE_ONLY
    health = await account.health()
    assert (health.state, health.details["without_stop"]) == (HealthState.DEGRADED, BTC)

    await account.tell(mark("100", 1))
    again = account.stops[-1]
    assert len(account.stops) == 2
    assert account.trading.holds("execution", BARE)
    await account.accept(again)
    assert account.trading.level is TradingLevel.ACTIVE
    assert (await account.health()).state is HealthState.HEALTHY


async def test_a_stop_that_is_refused_for_ever_is_tried_less_and_less_often(account):
    """A price each tenth of a second for a minute: at 0, 1, 4, 11, 26 and 56 s."""
    await account.refuse(account.stops[-1])
    for tenth in range(1, 601):
        before = len(account.stops)
        await account.tell(mark("100", tenth / 10))
        if len(account.stops) > before:
            await account.refuse(account.stops[-1])
    assert len(account.stops) == 1 + 6
    assert account.trading.holds("execution", BARE)


async def test_a_stop_that_is_taken_and_dropped_at_once_is_no_reason_to_flood_the_exchange(account):
    for tenth in range(1, 101):
        if account.bot.execution.stage.orders():
            await account.accept(account.stops[-1])
            await account.drop(account.stops[-1])
        await account.tell(mark("100", tenth / 10))
    assert len(account.stops) <= 6
    assert account.trading.holds("execution", BARE)


async def test_a_stop_is_believed_to_stay_only_after_a_minute_where_others_were_dropped(account):
    for second in (0, 1):
        await account.accept(account.stops[-1])
        await account.drop(account.stops[-1])
        await account.tell(mark("100", second))
    await account.accept(account.stops[-1])
    await account.tell(mark("100", 60.5))
    assert account.trading.holds("execution", BARE)
    assert (await account.health()).state is HealthState.DEGRADED
    await account.tell(mark("100", 61))
    assert account.trading.level is TradingLevel.ACTIVE


async def test_a_stop_that_is_dropped_every_five_seconds_is_sent_anew_at_once_and_told(account):
    for count in range(1, 13):
        await account.accept(account.stops[-1])
        await account.tell(mark("100", count * 5))
        await account.drop(account.stops[-1])
        assert len(account.stops) == count + 1
        assert account.trading.holds("execution", BARE) is (count > 1)


async def test_a_stop_whose_attempt_is_on_its_way_is_not_one_that_protects(account):
    """Health is asked between the attempt and its refusal."""
    await account.refuse(account.stops[-1])
    await account.tell(mark("89", 1))
    assert account.stops[-1].type is OrderType.MARKET
    assert (await account.health()).state is HealthState.DEGRADED


async def test_a_stop_that_is_refused_at_the_market_too_is_tried_less_and_less_often(account):
    await account.refuse(account.stops[-1])
    for tenth in range(1, 601):
        before = len(account.stops)
        await account.tell(mark("89", tenth / 10))
        if len(account.stops) > before:
            await account.refuse(account.stops[-1])
    assert len(account.stops) <= 1 + 7
    assert account.trading.holds("execution", BARE)


async def test_a_take_profit_that_was_refused_leaves_at_the_market_once_the_mark_has_met_it(account):
    await account.accept(account.stops[-1])
    account.bot.execution.stage.pursue([target(LONG, sequence=2, stop="91", take_profit="110")])
    stop, profit = account.exchange.submitted[-2:]
    await account.accept(stop)
    await account.refuse(profit)
    await account.tell(mark("111", 1))
    late = account.exchange.submitted[-1]
    assert (late.purpose, late.type, late.contracts) == (Purpose.TAKE_PROFIT, OrderType.MARKET, LONG)
    assert account.trading.level is TradingLevel.ACTIVE


async def test_a_stop_at_another_price_waits_a_second_however_often_those_before_it_were_refused(account):
    """Refused at 0, 1, 4 and 11 s: the next one at 90 would leave at 26 s."""
    for second in (0, 1, 4, 11):
        await account.refuse(account.stops[-1])
        await account.tell(mark("100", second))
    await account.refuse(account.stops[-1])
    sent = len(account.stops)
    account.bot.execution.stage.pursue([target(LONG, sequence=2, stop="80")])
    await account.tell(mark("100", 11.9))
    assert len(account.stops) == sent
    await account.tell(mark("100", 12))
    assert [stop.trigger_price for stop in account.stops[sent:]] == [80]


@pytest.mark.parametrize(("step", "most"), [("0", 1 + 6), ("0.1", 1 + 31)])
async def test_a_strategy_that_wants_a_stop_anew_at_every_price_does_not_flood_the_exchange(account, step, most):
    """A price and a new target each tenth of a second for half a minute, with the stop where it was or further on."""
    await account.refuse(account.stops[-1])
    for tenth in range(1, 301):
        before = len(account.stops)
        stop = Decimal(60) + tenth * Decimal(step)
        account.bot.execution.stage.pursue([target(LONG, sequence=tenth + 1, stop=stop)])
        await account.tell(mark("100", tenth / 10))
        if len(account.stops) > before:
            await account.refuse(account.stops[-1])
    assert len(account.stops) <= most
    assert account.trading.holds("execution", BARE)


async def test_a_stop_that_rests_is_not_given_up_for_one_that_is_refused(account):
    resting = account.stops[-1]
    await account.accept(resting)
    account.bot.execution.stage.pursue([target(LONG, sequence=2, stop="95")])
    await account.refuse(account.stops[-1])
    await account.tell(mark("100", 1))
    assert account.exchange.canceled == []
    assert account.trading.level is TradingLevel.ACTIVE

    await account.accept(account.stops[-1])
    assert account.exchange.canceled == [resting.client_order_id]


async def test_a_stop_that_risk_denies_costs_the_position_nothing(account, journal):
    """90.05 is off the tick. Denied at each price for ten seconds: less and less often, and the old stop rests."""
    await account.accept(account.stops[-1])
    account.bot.execution.stage.pursue([target(LONG, sequence=2, stop="90.05")])
    for second in range(1, 11):
        await account.tell(mark("100", second))
    assert account.exchange.canceled == []
    assert len(account.stops) == 1
    assert len(journal.of(OrderDenied)) == 4
    assert ReasonRaised not in {type(record) for record in journal.records[-20:]}
    assert account.trading.level is TradingLevel.ACTIVE


async def test_a_stop_that_was_refused_because_the_mark_has_met_it_goes_out_at_the_market(account):
    await account.refuse(account.stops[-1])
    await account.tell(mark("89", 1))
    late = account.stops[-1]
    assert (late.type, late.contracts, late.reduce_only) == (OrderType.MARKET, LONG, True)
    await account.fill(late, "t2", "89")
    await account.tell(mark("89", 2))
    assert account.trading.level is TradingLevel.ACTIVE
    assert len(account.stops) == 2


async def test_a_stop_that_leaves_a_position_bare_is_not_clean(account, container):
    await account.refuse(account.stops[-1])
    with pytest.raises(ExceptionGroup) as unclean:
        await container.shutdown_resources()
    left = [error for error in unclean.value.exceptions if isinstance(error, LeftAtExchange)]
    assert f"position 0.5 {BTC} without its stop" in str(left[0])


async def test_what_is_taken_with_the_other_of_a_pair_is_no_refusal(account):
    """The take-profit has closed the position, and the exchange has dropped the stop."""
    await account.accept(account.stops[-1])
    account.bot.execution.stage.pursue([target(LONG, sequence=2, stop="91", take_profit="110")])
    stop, profit = account.exchange.submitted[-2:]
    await account.accept(stop)
    await account.accept(profit)
    await account.drop(stop)
    await account.fill(profit, "t2", "110")
    await account.tell(mark("110", 1))
    assert account.trading.level is TradingLevel.ACTIVE


async def test_a_position_that_has_grown_beyond_its_stop_is_bare(account):
    """0.5 are protected; 0.4 more are bought, and the stop of 0.9 is refused."""
    await account.accept(account.stops[-1])
    account.bot.execution.stage.pursue([target("0.9", sequence=2, stop="90")])
    await account.fill([each for each in account.exchange.submitted if each.purpose is Purpose.ENTRY][-1], "t2")
    larger = account.stops[-1]
    assert larger.contracts == Decimal("0.9")
    await account.refuse(larger)
    assert account.trading.holds("execution", BARE)
    assert (await account.health()).state is HealthState.DEGRADED
    await account.tell(mark("100", 1))
    await account.accept(account.stops[-1])
    assert account.trading.level is TradingLevel.ACTIVE


async def test_a_stop_that_the_mark_has_met_leaves_at_the_next_price_however_often_it_was_refused(account):
    for second in (0, 1, 4, 11):
        await account.refuse(account.stops[-1])
        await account.tell(mark("100", second))
    await account.refuse(account.stops[-1])
    await account.tell(mark("89", 11.1))
    assert account.stops[-1].type is OrderType.MARKET


async def test_what_a_market_stop_could_not_fill_leaves_again_at_once(account):
    await account.refuse(account.stops[-1])
    await account.tell(mark("89", 1))
    for number in range(5):
        late = account.stops[-1]
        part = fill(f"p{number}", late.side, "0.05", "89", "0", client_order_id=late.client_order_id)
        await account.tell(part, OrderCanceled(late.client_order_id, BTC, START_NS, "rest of an IOC"))
        assert account.stops[-1].contracts == late.contracts - Decimal("0.05")


async def test_one_that_has_rested_begins_a_new_row(account):
    """Dropped once an hour, five times: sent anew each time at once."""
    for hour in range(5):
        await account.accept(account.stops[-1])
        await account.tell(mark("100", hour * 3600 + 3599))
        sent = len(account.stops)
        await account.drop(account.stops[-1])
        assert len(account.stops) == sent + 1
    assert account.trading.level is TradingLevel.ACTIVE


async def test_refusals_say_nothing_of_a_stop_that_rests(account):
    """Two were refused; the next one rests, and is believed."""
    for second in (0, 1):
        await account.refuse(account.stops[-1])
        await account.tell(mark("100", second))
    await account.accept(account.stops[-1])
    assert account.trading.level is TradingLevel.ACTIVE
    assert (await account.health()).state is HealthState.HEALTHY


async def test_a_take_profit_that_is_denied_leaves_no_position_bare(account):
    """0.001 is off the tick."""
    await account.accept(account.stops[-1])
    account.bot.execution.stage.pursue([target(LONG, sequence=2, stop="91", take_profit="150.001")])
    await account.tell(mark("100", 1))
    assert account.trading.level is TradingLevel.ACTIVE


async def test_what_is_said_of_a_stop_is_what_health_goes_by(account):
    """Sent, at rest, dropped once and sent again, dropped twice: it may be dropped once more."""
    says = account.bot.execution.stage.protection_of
    assert says(BTC) == "its stop not confirmed yet"
    await account.accept(account.stops[-1])
    assert says(BTC) == "its stop at work"
    await account.drop(account.stops[-1])
    await account.accept(account.stops[-1])
    assert says(BTC) == "its stop at work"
    await account.drop(account.stops[-1])
    await account.tell(mark("100", 1))
    await account.accept(account.stops[-1])
    assert (await account.health()).details["without_stop"] == BTC
    assert says(BTC) == "its stop is too small, or does not stay"


async def test_a_stop_for_a_part_of_the_position_is_none(account):
    await account.accept(account.stops[-1])
    account.bot.execution.stage.pursue([target("0.9", sequence=2, stop="90")])
    [_, more] = [each for each in account.exchange.submitted if each.purpose is Purpose.ENTRY]
    await account.fill(more, "t2")
    assert account.bot.execution.stage.protection_of(BTC) == "its stop not confirmed yet"
    await account.refuse(account.stops[-1])
    assert account.bot.execution.stage.protection_of(BTC) == "its stop is too small, or does not stay"


async def test_while_a_stop_takes_another_s_place_the_position_is_protected(account):
    await account.accept(account.stops[-1])
    account.bot.execution.stage.pursue([target(LONG, sequence=2, stop="91")])
    assert len(account.stops) == 2
    assert account.bot.execution.stage.protection_of(BTC) == "its stop at work"


async def test_nothing_protects_less_than_a_lot(account):
    await account.tell(InstrumentChanged(instrument(lot_size="0.6"), START_NS))
    assert account.bot.execution.stage.protection_of(BTC) == "less than a lot, which no order closes"


async def test_stops_that_never_come_to_the_exchange_are_told_and_slowed_too(account):
    """The first is sent again at once, for nobody refused it; then at the next price, after 1, 3, 7 … seconds."""
    await account.lose(account.stops[-1])
    assert len(account.stops) == 2
    assert account.trading.level is TradingLevel.ACTIVE
    await account.lose(account.stops[-1])
    assert account.trading.holds("execution", BARE)
    assert (await account.health()).state is HealthState.DEGRADED
    for tenth in range(1, 601):
        before = len(account.stops)
        await account.tell(mark("100", tenth / 10))
        if len(account.stops) > before:
            await account.lose(account.stops[-1])
    assert len(account.stops) == 2 + 5
    await account.tell(mark("100", 90))
    await account.accept(account.stops[-1])
    assert account.trading.level is TradingLevel.ACTIVE


async def test_a_stop_that_leaves_at_the_market_leaves_in_parts_that_one_order_may_carry(account):
    await account.tell(InstrumentChanged(instrument(contracts_max="0.3"), START_NS))
    await account.refuse(account.stops[-1])
    await account.tell(mark("89", 1))
    part = account.stops[-1]
    assert (part.type, part.contracts) == (OrderType.MARKET, Decimal("0.3"))
    await account.fill(part, "t2", price="89")
    await account.tell(mark("89", 2))
    assert (account.stops[-1].type, account.stops[-1].contracts) == (OrderType.MARKET, Decimal("0.2"))
