"""What the execution coordinator does with targets, facts, restrictions and stops."""

import asyncio
from decimal import Decimal

import msgspec
import pytest
from dependency_injector import providers

from app.coordinators.reconciler import Reconciler, ReconciliationFailed
from app.coordinators.stop_policy import LeftAtExchange
from app.domain.events import (
    AccountSeen,
    BookStale,
    CancelRejected,
    Fill,
    InstrumentChanged,
    OrderAccepted,
    OrderCanceled,
    OrderRejected,
    OrderUnknown,
    ReasonCleared,
    ReasonRaised,
    Severity,
    StreamReset,
    Timer,
)
from app.domain.market import SECOND_NS, Quote
from app.domain.order import OrderStatus, OrderType, Purpose, Side
from app.domain.position import Position
from app.domain.records import Mismatch, OrderIntended, StateSaved
from app.domain.target import Entry
from app.domain.trading_state import TradingLevel
from app.execution.overheard import QUIET_NS
from app.lifecycle import Deadlines, HealthState, StartFailed
from app.settings import load_settings
from tests.builders import BTC, ETH, START_NS, bar, fill, funding_paid, instrument, mark, order, order_record, target
from tests.conftest import SETTINGS
from tests.settling import settle

LONG = Decimal("0.5")


@pytest.fixture
async def ready(bot, exchange):
    """A bot that knows the mark of BTC: 100."""
    exchange.tell(mark("100"))
    await settle()
    return bot


async def open_long(bot, exchange):
    """Have the bot hold 0.5 BTC, bought at 100."""
    bot.execution.stage.pursue([target(LONG, stop=Decimal(90))])
    exchange.tell(filled_of(exchange.submitted[-1], "t1"))
    await settle()


def why(context, code):
    """Return the words with which execution holds trading back for ``code``."""
    held = context.trading_state.current.reasons
    return next(reason.detail for reason in held if (reason.owner, reason.code) == ("execution", code))


def filled_of(sent, trade_id, price="100", contracts=None, **changes):
    return fill(
        trade_id, sent.side, contracts or sent.contracts, price, "0", client_order_id=sent.client_order_id, **changes
    )


async def test_a_target_becomes_a_journalled_order(ready, exchange, journal):
    """0.5 wanted, nothing held: one market buy of 0.5, whose intent was on record before it was sent."""
    ready.execution.stage.pursue([target(LONG)])

    [sent] = exchange.submitted
    assert (sent.side, sent.contracts, sent.type) == (Side.BUY, LONG, OrderType.MARKET)
    assert [record.order for record in journal.of(OrderIntended)] == [sent]


async def test_an_older_target_changes_nothing(ready, exchange):
    ready.execution.stage.pursue([target(LONG, sequence=2), target(-LONG, sequence=1)])

    assert [sent.side for sent in exchange.submitted] == [Side.BUY]


async def test_a_held_position_is_protected_by_a_stop_of_its_size(ready, exchange):
    await open_long(ready, exchange)

    stop = exchange.submitted[-1]
    assert (stop.purpose, stop.contracts, stop.trigger_price, stop.reduce_only) == (
        Purpose.STOP_LOSS,
        LONG,
        Decimal(90),
        True,
    )


async def test_a_flip_closes_first_and_opens_after_the_closing_fill(ready, exchange):
    await open_long(ready, exchange)
    exchange.submitted.clear()

    ready.execution.stage.pursue([target(-LONG, sequence=2)])
    [close] = exchange.submitted
    assert (close.side, close.contracts, close.reduce_only) == (Side.SELL, LONG, True)

    exchange.tell(filled_of(close, "t2"))
    await settle()
    opened = exchange.submitted[-1]
    assert (opened.side, opened.contracts, opened.reduce_only) == (Side.SELL, LONG, False)


async def test_a_stop_voids_the_target(ready, exchange):
    """After the stop has closed the position, the same target does not open it again."""
    await open_long(ready, exchange)
    stop = exchange.submitted[-1]
    exchange.tell(filled_of(stop, "t2", "90"), mark("100"))
    await settle()

    assert exchange.submitted[-1] is stop


async def test_a_stop_that_fills_in_part_while_the_exit_is_under_way_leaves_nothing_behind(ready, exchange):
    """Nothing is wanted any more: what the stop and the refused exit have left, 0.3 of 0.5, goes at the next price."""
    await open_long(ready, exchange)
    stop = exchange.submitted[-1]
    ready.execution.stage.pursue([target(0, sequence=2)])
    leaving = next(sent for sent in reversed(exchange.submitted) if sent.purpose is Purpose.EXIT)

    exchange.tell(filled_of(stop, "t2", "90", Decimal("0.2")))
    exchange.tell(OrderRejected(leaving.client_order_id, BTC, START_NS, "busy"), mark("91"))
    await settle()

    again = exchange.submitted[-1]
    assert again is not leaving
    assert (again.purpose, again.contracts, again.reduce_only) == (Purpose.EXIT, Decimal("0.3"), True)


async def test_a_liquidation_moves_the_position_and_voids_the_target(ready, exchange, container):
    await open_long(ready, exchange)
    exchange.tell(fill("t9", Side.SELL, LONG, "80", "1", client_order_id=None, liquidation=True))
    await settle()

    portfolio = container.registry.context.portfolio
    assert portfolio.position(BTC).is_flat
    assert portfolio.balance == Decimal(10000) - Decimal("0.5") * 20 - 1


async def test_a_fee_in_another_currency_stops_growth_and_nothing_else(ready, exchange, container):
    """The position is booked and protected, and can be left; no more is bought until the operator says so."""
    ready.execution.stage.pursue([target(LONG, stop=Decimal(90))])
    [entry] = exchange.submitted
    bought = {"client_order_id": entry.client_order_id, "fee_currency": "BNB"}
    exchange.tell(fill("t1", Side.BUY, LONG, "100", "0.0002", **bought))
    await settle()

    context = container.registry.context
    assert (context.portfolio.position(BTC).contracts, context.portfolio.balance) == (LONG, 10_000)
    assert exchange.submitted[-1].purpose is Purpose.STOP_LOSS
    [reason] = context.trading_state.current.reasons
    assert (reason.code, reason.severity, reason.latched) == ("foreign_fee", Severity.REDUCE_ONLY, True)
    assert "0.0002 BNB" in reason.detail
    sent = len(exchange.submitted)
    ready.execution.stage.pursue([target(2 * LONG, sequence=2)])
    assert len(exchange.submitted) == sent
    ready.execution.stage.pursue([target(0, sequence=3)])
    assert exchange.submitted[-1].purpose is Purpose.EXIT


DOGE = "DOGE/USDT:USDT"
NOT_BOOKED = {
    "no price": fill("t8", Side.BUY, LONG, "NaN"),
    "no size": fill("t8", Side.BUY, "NaN", "100"),
    "no fee": fill("t8", Side.BUY, LONG, "100", "NaN", fee_currency="BNB"),
    "a symbol that is not listed": fill("t8", Side.BUY, LONG, "100", symbol=DOGE),
    "funding without an amount": funding_paid("NaN"),
    "funding of a symbol that is not listed": funding_paid("1", symbol=DOGE),
    "funding in another currency": funding_paid("1", currency="BNB"),
}
"""What an exchange may tell, and no books can hold."""


@pytest.mark.parametrize("told", NOT_BOOKED.values(), ids=NOT_BOOKED)
async def test_what_cannot_be_booked_is_left_out_and_the_exchange_is_asked(ready, exchange, container, journal, told):
    """Growth stops until the exchange agrees with the books that have it not; told again it is no news."""
    await open_long(ready, exchange)
    context = container.registry.context
    exchange.held, before = context.portfolio.positions, context.portfolio.revision
    exchange.filled = (told,) if isinstance(told, Fill) else ()
    exchange.settled = () if isinstance(told, Fill) else (told,)
    exchange.tell(told, told)
    await settle()

    assert context.portfolio.revision == before
    assert told not in journal.records
    [reset] = journal.of(StreamReset)
    assert reset.reason
    assert context.trading_state.current.level is TradingLevel.ACTIVE
    assert (await ready.health()).ready


async def test_an_overfill_is_booked_and_stops_growth_until_the_operator_says_so(ready, exchange, container):
    """0.5 ordered, 0.7 filled: 0.7 are held, 0.2 sold at once as no strategy wants them; nothing more is bought."""
    ready.execution.stage.pursue([target(LONG, stop=Decimal(90))])
    [entry] = exchange.submitted
    exchange.tell(filled_of(entry, "t1", contracts=Decimal("0.7")))
    await settle()

    context = container.registry.context
    assert context.portfolio.position(BTC).contracts == Decimal("0.7")
    [reason] = context.trading_state.current.reasons
    assert (reason.code, reason.severity, reason.latched) == ("overfill", Severity.REDUCE_ONLY, True)
    assert "0.7 is more than the 0.5" in reason.detail
    tracked = ready.execution.stage.books.tracker.find(entry.client_order_id)
    assert (tracked.status, tracked.remaining) == (OrderStatus.FILLED, 0)
    ready.execution.stage.pursue([target(2 * LONG, sequence=2)])
    ready.execution.stage.pursue([target(0, sequence=3)])
    assert all(order.reduce_only for order in exchange.submitted[1:])
    assert sum(order.contracts for order in exchange.submitted if order.purpose is Purpose.EXIT) == Decimal("0.7")


@pytest.mark.parametrize("after_end", [OrderStatus.CANCELED, OrderStatus.FILLED])
async def test_a_fill_after_the_end_is_an_overfill_only_of_an_order_that_was_filled(
    ready, exchange, container, after_end
):
    ready.execution.stage.pursue([target(LONG)])
    [entry] = exchange.submitted
    ends = {
        OrderStatus.CANCELED: OrderCanceled(entry.client_order_id, BTC, START_NS, "by the venue"),
        OrderStatus.FILLED: filled_of(entry, "t1"),
    }
    exchange.tell(ends[after_end], filled_of(entry, "t2"))
    await settle()
    assert container.registry.context.trading_state.current.holds("execution", "overfill") is (
        after_end is OrderStatus.FILLED
    )


async def test_a_trade_id_that_comes_again_with_another_price_is_told_once_and_booked_as_it_was(
    ready, exchange, container, journal
):
    await open_long(ready, exchange)
    context = container.registry.context
    exchange.held, before = context.portfolio.positions, context.portfolio.revision
    other = filled_of(exchange.submitted[0], "t1", price="101")
    exchange.tell(other, other, filled_of(exchange.submitted[0], "t1"))
    await settle()
    [reset] = journal.of(StreamReset)
    assert "at 101, and booked as" in reset.reason
    assert context.portfolio.revision == before
    assert context.trading_state.current.level is TradingLevel.ACTIVE


async def test_a_fill_of_the_wrong_side_is_left_out(ready, exchange, container, journal):
    """The order is to buy: what was sold is not of it, and the exchange is asked what it holds."""
    await open_long(ready, exchange)
    context = container.registry.context
    exchange.held = context.portfolio.positions
    exchange.tell(fill("t8", Side.SELL, LONG, "100", client_order_id=exchange.submitted[0].client_order_id))
    await settle()
    assert context.portfolio.position(BTC).contracts == LONG
    [reset] = journal.of(StreamReset)
    assert "it is a sell" in reset.reason
    assert context.trading_state.current.level is TradingLevel.ACTIVE


async def test_a_time_that_cannot_be_reaches_neither_journal_nor_books(ready, exchange, container, journal):
    """Microseconds, taken for nanoseconds: no store could take them."""
    await open_long(ready, exchange)
    exchange.held = container.registry.context.portfolio.positions
    ready.execution.stage.apply(fill("t8", Side.BUY, LONG, "100", client_order_id=None, time_ns=START_NS * 1000))
    await settle()
    assert container.registry.context.portfolio.position(BTC).contracts == LONG
    [reset] = journal.of(StreamReset)
    assert reset.time_ns < 2 * START_NS


async def test_what_agreement_has_explained_adopts_no_stranger_s_position_later(ready, exchange, container, mocker):
    """A nonsensical fill had moved nothing. What somebody buys by hand in that symbol afterwards is a stranger's."""
    mocker.patch("app.coordinators.reconciler.SETTLING_S", 0)
    await open_long(ready, exchange)
    context, bought = container.registry.context, exchange.submitted[0]
    nonsense = fill("t8", Side.SELL, LONG, "100", client_order_id=bought.client_order_id)
    exchange.held = context.portfolio.positions
    exchange.filled = (nonsense,)
    exchange.tell(nonsense)
    await settle()
    assert context.trading_state.current.level is TradingLevel.ACTIVE

    exchange.held = (Position(BTC, 2 * LONG, Decimal(100)),)
    assert not await ready.execution.stage.agreement.compare()
    assert context.portfolio.position(BTC).contracts == LONG
    assert why(context, "differs").startswith(f"the exchange differs: position {BTC}")


async def test_a_fill_without_a_price_stops_growth_until_it_is_told_with_one(ready, exchange, container):
    """Exits go on meanwhile."""
    await open_long(ready, exchange)
    context, more = container.registry.context, fill("t8", Side.BUY, LONG, "100", client_order_id=None)
    exchange.held = (Position(BTC, 2 * LONG, Decimal(100)),)
    exchange.filled = (msgspec.structs.replace(more, price=Decimal("NaN")),)
    exchange.tell(*exchange.filled)
    await settle()

    assert "t8" in why(context, "reconciling")
    ready.execution.stage.pursue([target(3 * LONG, sequence=2)])
    assert exchange.submitted[-1].purpose is Purpose.STOP_LOSS
    exchange.tell(more)
    await settle()
    assert context.portfolio.position(BTC).contracts == 2 * LONG
    ready.execution.stage.pursue([target(0, sequence=3)])
    assert exchange.submitted[-1].purpose is Purpose.EXIT


async def test_what_a_fill_has_made_that_is_never_corrected_is_adopted_and_protected(
    ready, exchange, container, journal, mocker
):
    """0.5 are bought, and told without a price for ever. The exchange holds them, so the books do, too.

    They get their stop, may be left, and nothing more is bought until the operator has looked. What the fee was the
    exchange alone knows: the balance is taken from it, too.
    """
    mocker.patch("app.coordinators.reconciler.SETTLING_S", 0)
    ready.execution.stage.pursue([target(LONG, stop=Decimal(90))])
    [entry] = exchange.submitted
    exchange.held, exchange.money = (Position(BTC, LONG, Decimal(50)),), Decimal("9999.9")
    exchange.filled = (filled_of(entry, "t1", price="NaN"),)
    exchange.tell(*exchange.filled)
    await settle()

    context, stop = container.registry.context, exchange.submitted[-1]
    assert context.portfolio.position(BTC).contracts == LONG
    assert context.portfolio.position(BTC).average_price(exchange.listed[0]) == 100
    assert (stop.purpose, stop.contracts, stop.trigger_price) == (Purpose.STOP_LOSS, LONG, 90)
    assert ready.execution.stage.books.tracker.find(entry.client_order_id).status is OrderStatus.FILLED
    adopted = next(reason for reason in context.trading_state.current.reasons if reason.code == "position_adopted")
    assert (adopted.severity, adopted.latched) == (Severity.REDUCE_ONLY, True)
    assert f"the position of 0.5 {BTC} and the balance of 9999.9 was taken from the exchange" in adopted.detail
    assert context.portfolio.balance == Decimal("9999.9")
    codes = {reason.code for reason in context.trading_state.current.reasons}
    assert codes.isdisjoint({"differs", "reconciling"})
    ready.execution.stage.pursue([target(2 * LONG, sequence=2)])
    assert [order.purpose for order in exchange.submitted].count(Purpose.ENTRY) == 1

    # It is told with its price at last: what it did is in the books.
    exchange.filled = (filled_of(entry, "t1"),)
    exchange.tell(*exchange.filled)
    exchange.working = tuple(order_record(order, OrderStatus.OPEN) for order in exchange.submitted[1:])
    await settle()
    assert await ready.execution.stage.agreement.compare()
    assert context.portfolio.position(BTC).contracts == LONG
    ready.execution.stage.pursue([target(0, sequence=3)])
    assert (exchange.submitted[-1].purpose, exchange.submitted[-1].contracts) == (Purpose.EXIT, LONG)


async def test_no_fee_in_another_currency_is_no_fee(ready, exchange, container):
    exchange.tell(fill("t1", Side.BUY, LONG, "100", "0", client_order_id=None, fee_currency="BNB"))
    await settle()
    assert container.registry.context.trading_state.current.level is TradingLevel.ACTIVE


async def test_a_refused_exit_is_tried_again_at_the_next_price(ready, exchange):
    await open_long(ready, exchange)
    stop = exchange.submitted[-1]
    exchange.tell(OrderCanceled(stop.client_order_id, BTC, START_NS, "test"))
    ready.execution.stage.pursue([target(0, sequence=2)])
    first = exchange.submitted[-1]
    exchange.tell(OrderRejected(first.client_order_id, BTC, START_NS, "busy"))
    await settle()
    assert exchange.submitted[-1] is first

    exchange.tell(mark("99"))
    await settle()
    again = exchange.submitted[-1]
    assert (again.contracts, again.reduce_only) == (LONG, True)
    assert again is not first


async def test_a_refused_stop_is_tried_again_at_the_next_price(ready, exchange):
    """Not at once: an exchange that does not hold such an order would be asked as fast as it refuses."""
    await open_long(ready, exchange)
    first = exchange.submitted[-1]
    exchange.tell(OrderRejected(first.client_order_id, BTC, START_NS, "not held here"))
    await settle()
    assert exchange.submitted[-1] is first

    exchange.tell(mark("99"))
    await settle()
    again = exchange.submitted[-1]
    assert (again.purpose, again.contracts, again.trigger_price) == (Purpose.STOP_LOSS, LONG, Decimal(90))
    assert again is not first


async def test_an_unknown_outcome_restricts_growth_until_it_is_resolved(ready, exchange, container):
    ready.execution.stage.pursue([target(LONG)])
    [sent] = exchange.submitted
    trading = container.registry.context.trading_state
    exchange.tell(OrderUnknown(sent.client_order_id, BTC, START_NS, "timed out"))
    await settle()
    assert trading.current.holds("execution", "unknown_orders")
    assert (await ready.execution.health_check()).state is HealthState.DEGRADED

    exchange.known[sent.client_order_id] = order_record(sent, OrderStatus.OPEN, venue_order_id="V1")
    await ready.execution.stage.agreement.resolve()
    assert not trading.current.holds("execution", "unknown_orders")


async def test_an_exchange_that_cannot_be_asked_leaves_an_unknown_order_unknown(ready, exchange, container):
    ready.execution.stage.pursue([target(LONG)])
    exchange.tell(OrderUnknown(exchange.submitted[0].client_order_id, BTC, START_NS, "timed out"))
    await settle()
    exchange.down = True

    await ready.execution.stage.agreement.resolve()

    assert container.registry.context.trading_state.current.holds("execution", "unknown_orders")


async def test_a_halt_cancels_what_grows_and_keeps_what_protects(ready, exchange, container):
    await open_long(ready, exchange)
    ready.execution.stage.pursue([target(Decimal("0.9"), sequence=2, stop=Decimal(90))])
    entry, stop = exchange.submitted[-2:]
    assert (entry.purpose, stop.purpose) == (Purpose.ENTRY, Purpose.STOP_LOSS)

    container.registry.context.trading_state.raise_reason("operator", "halt", Severity.HALTED, "by hand", latched=True)
    await settle()

    assert entry.client_order_id in exchange.canceled
    assert stop.client_order_id not in exchange.canceled


async def test_a_reset_stream_blocks_growth_until_the_books_agree(ready, exchange, container, journal):
    """Restricted with the reset, free again only after the exchange has been compared."""
    exchange.tell(StreamReset(START_NS, "socket closed"))
    await settle()

    told = [record for record in journal.records if not isinstance(record, StateSaved)]
    reset, raised, cleared = told[-3:]
    assert isinstance(reset, StreamReset)
    assert (raised.code, raised.detail, raised.severity) == ("reconciling", "socket closed", Severity.REDUCE_ONLY)
    assert (cleared.code, type(cleared)) == ("reconciling", ReasonCleared)
    assert container.registry.context.trading_state.current.level is TradingLevel.ACTIVE


async def test_a_reset_stream_stays_blocked_while_the_exchange_cannot_be_read(ready, exchange, container):
    exchange.down = True
    exchange.tell(StreamReset(START_NS, "socket closed"))
    await settle()
    assert container.registry.context.trading_state.current.holds("execution", "reconciling")


async def test_what_the_exchange_says_unasked_has_it_compared_once_it_has_differed_for_a_while(
    ready, exchange, container, journal
):
    """The exchange tells of a position that the books do not have: a fill was missed, and is read."""
    seen = AccountSeen(time_ns=START_NS, balance=None, contracts={BTC: LONG})
    exchange.filled = (fill("t9", Side.BUY, LONG, "100", "0", client_order_id=None),)
    exchange.held = (Position(BTC, LONG, Decimal(50)),)
    exchange.tell(seen, Timer(START_NS + SECOND_NS), Timer(START_NS + 2 * SECOND_NS))
    await settle()
    assert ready.execution.stage.books.portfolio.position(BTC).is_flat

    exchange.tell(Timer(START_NS + SECOND_NS + QUIET_NS))
    await settle()

    assert ready.execution.stage.books.portfolio.position(BTC).contracts == LONG
    assert not journal.of(Mismatch)
    assert container.registry.context.trading_state.current.level is TradingLevel.ACTIVE


async def test_what_the_exchange_says_unasked_is_never_booked(ready, exchange, container, journal):
    """The exchange tells a position, and asked for it says that there is none: nothing happens."""
    exchange.tell(AccountSeen(time_ns=START_NS, balance=Decimal(1), contracts={BTC: LONG}))
    for second in range(10):
        exchange.tell(Timer(START_NS + second * SECOND_NS))
        await settle()
    assert ready.execution.stage.books.portfolio.position(BTC).is_flat
    assert not journal.of(Mismatch)
    assert container.registry.context.trading_state.current.level is TradingLevel.ACTIVE


async def test_a_tick_that_becomes_coarser_is_gone_by_from_then_on(ready, exchange, container):
    """Tick 1 instead of 0.1: the stop of 90.4 is sent at 90, and everybody knows of it."""
    changed = instrument(tick_size="1")
    ready.execution.stage.pursue([target(LONG, stop=Decimal("90.4"), take_profit=Decimal("110.6"))])
    exchange.tell(InstrumentChanged(changed, START_NS), filled_of(exchange.submitted[-1], "t1"))
    await settle()
    assert ready.strategy._view.instrument(BTC) == container.registry.context.instruments[BTC] == changed
    assert [sent.trigger_price for sent in exchange.submitted[1:]] == [90, 111]


@pytest.fixture
def two_listed(exchange):
    exchange.listed = (instrument(), instrument(ETH))


async def test_a_symbol_that_is_not_listed_any_more_grows_no_further_and_the_others_do(
    two_listed, ready, exchange, container
):
    """0.5 BTC are held: they are closed; an entry is denied, one of ETH is not; until it is listed again."""
    await open_long(ready, exchange)
    state, code = container.registry.context.trading_state, f"unlisted:{BTC}"
    exchange.tell(mark("100", symbol=ETH), InstrumentChanged(instrument(is_listed=False), START_NS))
    await settle()
    assert state.current.holds("execution", code)
    assert state.current.level is TradingLevel.ACTIVE
    exchange.submitted.clear()

    ready.execution.stage.pursue([target(2 * LONG, sequence=2), target(LONG, symbol=ETH)])
    assert [(sent.symbol, sent.purpose) for sent in exchange.submitted] == [(ETH, Purpose.ENTRY)]
    ready.execution.stage.pursue([target(0, sequence=3)])
    closed = exchange.submitted[-1]
    assert (closed.symbol, closed.side, closed.contracts, closed.reduce_only) == (BTC, Side.SELL, LONG, True)

    exchange.tell(filled_of(closed, "t2"), InstrumentChanged(instrument(), START_NS))
    await settle()
    assert not state.current.holds("execution", code)
    ready.execution.stage.pursue([target(LONG / 2, sequence=4)])
    assert exchange.submitted[-1].symbol == BTC
    assert exchange.submitted[-1].purpose is Purpose.ENTRY


@pytest.mark.parametrize("is_listed", [True, False])
async def test_a_symbol_is_held_back_by_what_a_start_finds_listed(container, exchange, journal, is_listed):
    """Whatever the run before knew of it."""
    exchange.listed = (instrument(is_listed=is_listed),)
    reason = {"owner": "execution", "code": f"unlisted:{BTC}", "severity": Severity.SYMBOL_REDUCE_ONLY}
    journal.append(ReasonRaised(time_ns=START_NS, detail="", **reason))
    await container.init_resources()
    held = container.registry.context.trading_state.current.reasons
    assert [raised.code for raised in held] == ([] if is_listed else [f"unlisted:{BTC}"])
    await container.shutdown_resources()


async def test_what_was_read_before_the_stream_broke_again_lifts_nothing(ready, exchange, container, mocker):
    """The second reset comes in the middle of the comparison for the first: only one that begins after it counts."""
    levels, compare = [], Reconciler.compare

    async def interrupted(reconciler):
        levels.append(container.registry.context.trading_state.current.level)
        if len(levels) == 1:
            ready.execution.stage.apply(StreamReset(START_NS, "again"))
            return True
        return await compare(reconciler)

    mocker.patch.object(Reconciler, "compare", interrupted)
    exchange.tell(StreamReset(START_NS, "socket closed"))
    await settle()

    assert levels == [TradingLevel.REDUCE_ONLY, TradingLevel.REDUCE_ONLY]
    assert container.registry.context.trading_state.current.level is TradingLevel.ACTIVE


async def test_a_stale_book_blocks_growth_until_the_next_mark(ready, exchange):
    exchange.tell(BookStale(BTC, START_NS, "gap"))
    await settle()
    ready.execution.stage.pursue([target(LONG)])
    assert not exchange.submitted


async def test_a_rejected_cancel_may_be_asked_again(ready, exchange, container):
    ready.execution.stage.pursue([target(LONG)])
    [sent] = exchange.submitted
    halt = container.registry.context.trading_state
    halt.raise_reason("operator", "halt", Severity.HALTED, "by hand")
    await settle()
    exchange.tell(CancelRejected(sent.client_order_id, BTC, START_NS, "busy"))
    await settle()
    halt.raise_reason("operator", "again", Severity.HALTED, "by hand")
    await settle()
    assert exchange.canceled == [sent.client_order_id] * 2


async def test_funding_reaches_the_books_once(ready, exchange, container):
    await open_long(ready, exchange)
    exchange.tell(funding_paid("-1.5"), funding_paid("-1.5"))
    await settle()
    assert container.registry.context.portfolio.ledger.funding == Decimal("-1.5")


async def test_quotes_and_timers_are_taken_in(ready, exchange):
    exchange.tell(Quote(BTC, START_NS, Decimal(99), Decimal(1), Decimal(101), Decimal(1)), Timer(START_NS))
    await settle()
    assert ready.execution.stage.books.spread(BTC) == (Decimal(99), Decimal(101))


async def test_a_bar_marks_until_a_mark_feed_does(bot, exchange, container):
    portfolio = container.registry.context.portfolio
    exchange.tell(bar("50"))
    await settle()
    assert portfolio.mark(BTC) == Decimal(50)
    exchange.tell(mark("60"), bar("70", 1))
    await settle()
    assert portfolio.mark(BTC) == Decimal(60)


async def test_the_state_of_pursuits_and_guards_is_saved(ready, exchange, journal):
    await open_long(ready, exchange)
    assert {record.owner for record in journal.of(StateSaved)} >= {"execution", "risk"}


# -- start ------------------------------------------------------------------------------------------------------


async def test_the_first_start_takes_the_balance_for_the_opening_deposit(bot, container):
    portfolio = container.registry.context.portfolio
    assert (portfolio.ledger.deposited, portfolio.balance) == (Decimal(10000), Decimal(10000))


async def test_a_restart_finds_orders_and_positions_and_takes_in_what_was_missed(container, exchange, journal):
    """The first run ends with 0.5 long and a stop. The stop fills while no bot runs: the second run learns of it."""
    await container.init_resources()
    exchange.tell(mark("100"))
    await settle()
    await open_long(container.bot(), exchange)
    stop = exchange.submitted[-1]
    exchange.tell(OrderAccepted(stop.client_order_id, "V2", BTC, START_NS))
    await settle()
    exchange.held = (Position(BTC, LONG, Decimal(50)),)
    exchange.working = (order_record(stop, OrderStatus.OPEN),)
    await container.shutdown_resources()

    exchange.held, exchange.working, exchange.money = (), (), Decimal(9995)
    exchange.filled = (filled_of(stop, "t2", "90"),)
    exchange.known[stop.client_order_id] = order_record(stop, OrderStatus.FILLED, filled=LONG)
    container.journal.override(providers.Object(journal.crashed()))
    await container.init_resources()

    context = container.registry.context
    assert context.portfolio.position(BTC).is_flat
    assert context.portfolio.balance == Decimal(9995)
    assert context.trading_state.current.level is TradingLevel.ACTIVE
    await container.shutdown_resources()


@pytest.mark.parametrize("policy", ["cancel", "keep"])
async def test_a_stop_waits_until_the_protection_rests_at_the_exchange(container, exchange, journal, policy):
    """The stop-loss still waits for the store when the stop begins: the position would be bare until the next start."""
    container.loaded.override(
        providers.Object(load_settings("benchmark", [*SETTINGS, f"execution.stop_policy={policy}"]))
    )
    container.deadlines.override(providers.Object(Deadlines(drain_s=5)))
    await container.init_resources()
    exchange.tell(mark("100"))
    await settle()
    container.bot().execution.stage.pursue([target(LONG, stop=Decimal(90))])
    [entry] = exchange.submitted
    journal.delayed = True
    exchange.tell(filled_of(entry, "t1", "100"))
    await settle()
    assert exchange.submitted == [entry]
    assert [text.partition(" ")[0] for text in container.bot().execution.stop_policy.unconfirmed()] == ["sell"]

    stopping = asyncio.ensure_future(container.shutdown_resources())
    await settle()
    journal.commit()
    stop = exchange.submitted[-1]
    assert stop.purpose is Purpose.STOP_LOSS
    exchange.tell(OrderAccepted(stop.client_order_id, "V2", BTC, START_NS))
    await stopping


async def test_a_foreign_position_refuses_the_start(container, exchange, journal):
    exchange.held = (Position(BTC, Decimal(1), Decimal(100)),)

    with pytest.raises(StartFailed, match=r"position BTC/USDT:USDT: ours 0, theirs 1"):
        await container.init_resources()

    assert [mismatch.kind for mismatch in journal.of(Mismatch)] == ["position"]
    assert exchange.connections == 0


async def test_a_foreign_order_refuses_the_start(container, exchange):
    exchange.working = (order_record(order("stranger"), OrderStatus.OPEN),)

    with pytest.raises(StartFailed, match="foreign_order") as refused:
        await container.init_resources()

    assert isinstance(refused.value.cause, ReconciliationFailed)


async def test_an_exchange_that_cannot_be_read_is_not_an_empty_account(container, exchange):
    exchange.down = True
    with pytest.raises(StartFailed, match="the fake is down"):
        await container.init_resources()


# -- comparing while it runs ------------------------------------------------------------------------------------


async def test_a_difference_that_lasts_restricts_trading(bot, exchange, container, mocker):
    mocker.patch("app.coordinators.reconciler.SETTLING_S", 0)
    exchange.held = (Position(BTC, Decimal(1), Decimal(100)),)

    assert not await bot.execution.stage.agreement.compare()
    assert why(container.registry.context, "differs") == f"the exchange differs: position {BTC}: ours 0, theirs 1"
    exchange.held = ()
    assert await bot.execution.stage.agreement.compare()
    assert container.registry.context.trading_state.current.level is TradingLevel.ACTIVE


async def test_a_difference_that_was_on_its_way_is_none(bot, exchange, mocker):
    mocker.patch("app.coordinators.reconciler.SETTLING_S", 0)
    reads = [(Position(BTC, Decimal(1), Decimal(100)),), ()]
    mocker.patch.object(exchange, "positions", side_effect=reads)

    assert await bot.execution.stage.agreement.compare()


# -- stop -------------------------------------------------------------------------------------------------------


async def test_the_stop_cancels_entries_and_waits_for_the_exchange(container, exchange):
    await container.init_resources()
    exchange.tell(mark("100"))
    await settle()
    container.bot().execution.stage.pursue([target(LONG)])
    [sent] = exchange.submitted
    exchange.tell(OrderAccepted(sent.client_order_id, "V1", BTC, START_NS))
    canceled = OrderCanceled(sent.client_order_id, BTC, START_NS, "asked")
    cancel = exchange.cancel

    def confirm(order, reason):
        cancel(order, reason)
        exchange.tell(canceled)

    exchange.cancel = confirm
    await container.shutdown_resources()
    assert exchange.canceled == [sent.client_order_id]
    assert exchange.connections == 0


async def test_a_cancel_that_is_never_confirmed_makes_the_stop_unclean(container, exchange):
    await container.init_resources()
    exchange.tell(mark("100"))
    await settle()
    container.bot().execution.stage.pursue([target(LONG)])

    with pytest.raises(ExceptionGroup) as unclean:
        await container.shutdown_resources()

    assert "execution (drain)" in str(unclean.value.exceptions[0])
    assert exchange.connections == 0


async def test_a_stop_that_runs_out_of_time_lists_what_is_left(container, exchange, journal):
    """The exchange confirms neither the cancel nor the exit: 0.5 long and a resting stop."""
    container.loaded.override(
        providers.Object(load_settings("benchmark", [*SETTINGS, "execution.stop_policy=flatten"]))
    )
    container.deadlines.override(providers.Object(Deadlines(drain_s=0.05)))
    await container.init_resources()
    exchange.tell(mark("100"))
    await settle()
    await open_long(container.bot(), exchange)

    with pytest.raises(ExceptionGroup) as stopped:
        await container.shutdown_resources()

    [left] = [error for error in stopped.value.exceptions if isinstance(error, LeftAtExchange)]
    assert "left at the exchange" in str(left)
    assert "position 0.5 BTC/USDT:USDT" in str(left)
    assert "sell 0.5 BTC/USDT:USDT" in str(left)


async def test_a_stop_that_keeps_orders_waits_for_the_cancels_that_are_under_way(container, exchange, journal):
    """The journal would call an order working that the exchange has canceled a moment later."""
    container.loaded.override(providers.Object(load_settings("benchmark", [*SETTINGS, "execution.stop_policy=keep"])))
    container.deadlines.override(providers.Object(Deadlines(drain_s=5)))
    await container.init_resources()
    exchange.tell(mark("100"))
    await settle()
    execution = container.bot().execution
    execution.stage.pursue([target(LONG, entry=Entry(type=OrderType.LIMIT, price=Decimal(90)))])
    [entry] = exchange.submitted
    exchange.tell(OrderAccepted(entry.client_order_id, "V1", BTC, START_NS))
    await settle()
    assert execution.stop_policy.unconfirmed() == []
    execution.stage.pursue([target(0, sequence=2)])
    assert exchange.canceled

    stopping = asyncio.ensure_future(container.shutdown_resources())
    await settle()
    assert not stopping.done()
    exchange.tell(OrderCanceled(entry.client_order_id, BTC, START_NS, "asked for"))
    await stopping
    assert execution.stage.orders() == ()


async def test_an_adapter_that_raises_while_it_sends_leaves_an_order_that_is_asked_for(
    ready, exchange, container, mocker, warned
):
    """Nobody knows whether it left: nothing grows until the exchange says that it is there."""
    mocker.patch.object(exchange, "submit", side_effect=ZeroDivisionError("lot"))
    stage = ready.execution.stage
    stage.pursue([target(LONG)])

    [tracked] = stage.books.tracker.all_working()
    assert tracked.status is OrderStatus.UNKNOWN
    assert why(container.registry.context, "unknown_orders") == f"outcome unknown: {tracked.order.client_order_id}"
    assert (await ready.execution.health_check()).state is HealthState.DEGRADED
    assert any("order outcome unknown" in line for line in warned)

    exchange.known[tracked.order.client_order_id] = order_record(tracked.order, OrderStatus.OPEN, "0", "v")
    await stage.agreement.resolve()
    assert tracked.status is OrderStatus.OPEN
    assert container.registry.context.trading_state.current.level is TradingLevel.ACTIVE


async def test_an_adapter_that_raises_while_it_cancels_is_asked_again_at_the_next_price(
    ready, exchange, container, mocker
):
    """A stop at 90 that another at 95 takes the place of: its cancel raises once, and leaves at the next price."""
    await open_long(ready, exchange)
    stage = ready.execution.stage
    first = exchange.submitted[-1]
    exchange.tell(OrderAccepted(first.client_order_id, "V1", BTC, START_NS))
    await settle()
    cancel = mocker.patch.object(exchange, "cancel", side_effect=[KeyError("x"), None])
    stage.pursue([target(LONG, sequence=2, stop=Decimal(95))])
    exchange.tell(OrderAccepted(exchange.submitted[-1].client_order_id, "V2", BTC, START_NS))
    await settle()
    assert stage.status_of(first.client_order_id) is OrderStatus.UNKNOWN
    assert why(container.registry.context, "unknown_orders") == f"outcome unknown: {first.client_order_id}"

    exchange.tell(mark("101"))
    await settle()
    assert [call.args[0] for call in cancel.call_args_list] == [first, first]
