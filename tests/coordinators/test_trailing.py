"""A trailing stop at an exchange that holds none: the bot moves an ordinary one, over restarts too."""

from decimal import Decimal

import msgspec
import pytest

from app.domain.events import CancelRejected, OrderAccepted, OrderCanceled, OrderRejected, OrderUnknown
from app.domain.order import OrderType, Purpose, Side
from app.domain.position import Position
from app.domain.records import StateSaved
from app.execution import Pursuit
from tests.builders import BTC, START_NS, fill, mark, target
from tests.settling import settle

LONG = Decimal("0.5")


@pytest.fixture
def exchange(exchange):
    exchange.holds_trailing_stops = False
    return exchange


@pytest.fixture
async def held(bot, exchange):
    """A bot that holds 0.5 BTC, bought at 100, with a stop that trails by 5 and rests."""
    await tell(exchange, mark("100"))
    bot.execution.stage.pursue([target(LONG, trailing="5", take_profit="200")])
    await tell(exchange, filled(exchange.submitted[-1], "t1"))
    await accept(exchange, *exchange.submitted[-2:])
    return bot


def filled(sent, trade_id, price="100"):
    return fill(trade_id, sent.side, sent.contracts, price, "0", client_order_id=sent.client_order_id)


async def tell(exchange, *events):
    exchange.tell(*events)
    await settle()


async def accept(exchange, *orders):
    await tell(exchange, *(OrderAccepted(each.client_order_id, "v", BTC, START_NS) for each in orders))


def stops(exchange):
    return [each for each in exchange.submitted if each.purpose is Purpose.STOP_LOSS]


def triggers(exchange):
    return [each.trigger_price for each in stops(exchange)]


async def test_a_position_has_an_ordinary_stop_at_once(held, exchange):
    (stop,) = stops(exchange)
    assert (stop.type, stop.trigger_price, stop.contracts, stop.reduce_only) == (OrderType.STOP_MARKET, 95, LONG, True)


async def test_the_stop_follows_the_price_by_steps_and_never_goes_back(held, exchange):
    """A step is a tenth of 5: from 100.4 nothing moves, from 101 the stop does, and stays when the price falls."""
    for price in ("100.4", "101", "99"):
        await tell(exchange, mark(price))
    assert triggers(exchange) == [95, 96]
    assert exchange.canceled == []


async def test_the_old_stop_goes_at_the_first_price_after_the_new_one_rests(held, exchange):
    await tell(exchange, mark("110"))
    old, new = stops(exchange)
    await tell(exchange, mark("120"))
    assert exchange.canceled == []
    await accept(exchange, new)
    await tell(exchange, mark("118"))
    assert exchange.canceled == [old.client_order_id]
    assert triggers(exchange) == [95, 105, 115]


async def test_the_old_stop_stays_while_the_new_one_is_refused_or_unknown(held, exchange):
    await tell(exchange, mark("110"))
    new = stops(exchange)[-1]
    await tell(exchange, OrderRejected(new.client_order_id, BTC, START_NS, "no"), mark("111"))
    again = stops(exchange)[-1]
    await tell(exchange, OrderUnknown(again.client_order_id, BTC, START_NS, "?"), mark("130"))
    assert (triggers(exchange), exchange.canceled) == ([95, 105, 106], [])


async def test_a_cancel_that_is_refused_is_asked_for_again(held, exchange):
    await tell(exchange, mark("110"))
    old, new = stops(exchange)
    await accept(exchange, new)
    await tell(exchange, mark("110"), CancelRejected(old.client_order_id, BTC, START_NS, "busy"), mark("110"))
    assert exchange.canceled == [old.client_order_id] * 2


async def test_a_price_that_jumps_past_the_stop_closes_at_the_market(held, exchange):
    """At 95 a stop rests; the price was at 110 and is at 104, where the stop at 105 is refused."""
    await tell(exchange, mark("110"))
    await tell(exchange, OrderRejected(stops(exchange)[-1].client_order_id, BTC, START_NS, "would trigger at once"))
    await tell(exchange, mark("104"))
    exit_ = stops(exchange)[-1]
    assert (exit_.type, exit_.side, exit_.contracts) == (OrderType.MARKET, Side.SELL, LONG)
    before = len(exchange.submitted)
    await tell(exchange, filled(exit_, "t2", "104"), mark("103"))
    assert len(exchange.submitted) == before
    assert set(exchange.canceled) == {each.client_order_id for each in exchange.submitted[1:3]}


async def test_the_next_target_begins_to_trail_at_its_own_price(held, exchange):
    await tell(exchange, mark("110"))
    held.execution.stage.pursue([target(LONG, sequence=2, trailing="5")])
    await tell(exchange, mark("106"))
    held.execution.stage.pursue([target(LONG, sequence=3, trailing="5")])
    assert triggers(exchange)[-1] == 101


async def test_a_restart_goes_on_with_the_best_mark(held, exchange, journal):
    """It was at 110. The stop is gone, and the price at 107: the new one belongs at 105, and not at 102."""
    await tell(exchange, mark("110"))
    (saved,) = journal.of(StateSaved)[-1:]
    restored = msgspec.json.decode(saved.payload, type=dict[str, Pursuit])[BTC]
    assert restored.trail.best == 110
    held.execution.stage.pursuits.restore(saved.payload)
    for stop in stops(exchange):
        await tell(exchange, OrderCanceled(stop.client_order_id, BTC, START_NS, "by the venue"))
    await tell(exchange, mark("107"))
    assert triggers(exchange)[-1] == 105


async def test_a_start_that_has_heard_no_price_protects_from_where_the_position_was_entered(held, exchange):
    """Nobody has told a mark, and 0.5 cost 50: entered at 100."""
    pursuits, portfolio = held.execution.stage.pursuits, held.execution.stage.books.portfolio
    portfolio.restore((Position(BTC, LONG, Decimal(50)),), {}, (), (), {})
    pursuits._pursuits[BTC].trail = None
    for stop in stops(exchange):
        held.execution.stage.books.tracker.apply(OrderCanceled(stop.client_order_id, BTC, START_NS, ""))
    pursuits.resume()
    assert triggers(exchange) == [95, 95]
    held.execution.stage.books.tracker.apply(OrderCanceled(stops(exchange)[-1].client_order_id, BTC, START_NS, ""))
    pursuits.resume()
    assert triggers(exchange) == [95, 95, 95]
