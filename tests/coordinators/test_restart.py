"""What the execution coordinator does after a crash: asks for what it does not know, and sends nothing twice."""

from contextlib import suppress
from decimal import Decimal

import msgspec
import pytest
from dependency_injector import providers

from app.domain.denial import Denial
from app.domain.events import (
    CancelRejected,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderRejected,
    OrderUnknown,
    ResumeCommand,
)
from app.domain.order import OrderStatus, OrderType, Purpose, Side
from app.domain.position import Position
from app.domain.records import EventLeftOut, MemoryLost, Mismatch, OrderIntended, StateSaved
from app.domain.target import Entry
from app.domain.trading_state import TradingLevel
from app.execution import Pursuit
from app.execution.flawed_fills import KEPT_MAX
from app.lifecycle import Deadlines, StartFailed
from app.ports.connection import ExchangeUnavailable
from app.ports.journal import JournalFailed
from app.telemetry.fact_bus import FactBus
from tests.builders import BTC, ETH, START_NS, at, fill, instrument, mark, order, order_record, target
from tests.fakes.exchange import FakeExchange
from tests.settling import settle

LONG = Decimal("0.5")
STOP = Decimal(90)
ENTRY_AT_99 = Entry(type=OrderType.LIMIT, price=Decimal(99))


class Lives:
    """One bot after another on the same exchange; each begins with what the one before had made durable."""

    def __init__(self, container, exchange, journal):
        self.container, self.exchange, self.journal = container, exchange, journal

    @property
    def execution(self):
        return self.container.bot().execution

    @property
    def trading(self):
        return self.container.registry.context.trading_state.current

    @property
    def portfolio(self):
        return self.container.registry.context.portfolio

    async def begin(self, seconds=0):
        """Start a bot that knows the marks: 100."""
        await self.container.init_resources()
        await self.tell(mark("100", seconds), mark("100", seconds, ETH))

    async def crash(self):
        """End as a kill does: the journal ends here, and nothing that is done at a stop reaches exchange or journal."""
        left = self.journal.crashed()
        submitted, canceled = list(self.exchange.submitted), list(self.exchange.canceled)
        await self.end()
        self.exchange.submitted, self.exchange.canceled = submitted, canceled
        self.exchange._events.clear()
        self.journal = left
        self.container.journal.override(providers.Object(left))

    async def end(self):
        with suppress(ExceptionGroup):  # nobody confirms what the stop asks for
            await self.container.shutdown_resources()

    async def price(self, price, seconds=0):
        self.exchange.tell(mark(price, seconds))
        await settle()

    async def tell(self, *events):
        self.exchange.tell(*events)
        await settle()


@pytest.fixture
def exchange():
    return FakeExchange(instrument(), instrument(ETH))


@pytest.fixture
async def lives(container, exchange, journal):
    container.deadlines.override(providers.Object(Deadlines(drain_s=0.01)))
    made = Lives(container, exchange, journal)
    yield made
    await made.end()


async def test_a_stop_that_could_not_be_sent_holds_growth_back_until_one_rests(lives, exchange, mocker):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, stop=STOP)])
    mocker.patch("app.risk.engine.REDUCING_CHECKS", (lambda *_: Denial("test", "1", "0"),))
    await lives.tell(executed(exchange, exchange.submitted[0], "t1", held=LONG))
    assert lives.trading.holds("execution", f"unprotected:{BTC}")
    mocker.stopall()
    await lives.crash()

    await lives.begin()
    stop = exchange.submitted[-1]
    assert stop.purpose is Purpose.STOP_LOSS
    assert lives.trading.holds("execution", f"unprotected:{BTC}")
    await lives.tell(OrderAccepted(stop.client_order_id, "V1", BTC, at(1)))
    assert lives.trading.level is TradingLevel.ACTIVE


@pytest.mark.parametrize("damage", [{"entry": None}, {"stop": "1E+100"}, {"sequence": "9"}])
async def test_a_target_that_cannot_be_read_refuses_no_start_and_holds_growth_back_where_something_is_held(
    lives, exchange, mocker, damage
):
    """BTC is held with a stop; of ETH nothing is. What is wanted anew waits for the operator's ``resume``."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, stop=STOP), target(LONG, symbol=ETH)])
    await lives.tell(executed(exchange, exchange.submitted[0], "t1", held=LONG))
    await lives.crash()
    saved = msgspec.json.decode(lives.journal.state_of("execution"))
    for pursuit in saved.values():
        pursuit["target"] |= damage
    lives.journal.append(StateSaved("execution", msgspec.json.encode(saved), START_NS))
    lives.container.journal.override(providers.Object(lives.journal.crashed()))
    published = mocker.spy(FactBus, "publish")

    await lives.begin()
    told = [call.args[1] for call in published.call_args_list]
    assert [fact.what for fact in told if isinstance(fact, MemoryLost)] == [
        f"what was wanted of {BTC}",
        f"what was wanted of {ETH}",
    ]
    [reason] = lives.trading.latched
    assert reason.code == f"unreadable_target:{BTC}"
    assert f"0.5 {BTC} are held" in reason.detail
    assert f"flatten --symbol {BTC}" in reason.detail
    assert not exchange.canceled

    await lives.tell(ResumeCommand(START_NS, ((reason.owner, reason.code),)))
    assert not lives.trading.latched
    lives.execution.stage.flatten("by hand", [BTC])
    assert exchange.submitted[-1].purpose is Purpose.EXIT


@pytest.mark.parametrize("payload", [b"{", b"[]", b"null"])
@pytest.mark.parametrize(
    ("whose", "held_back"),
    [
        ("execution", f"unreadable_target:{BTC}"),
        ("risk", "watch_failed"),
        *((name, None) for name in ("reconciler", "flawed_fills")),
    ],
)
async def test_a_memory_that_cannot_be_read_as_a_whole_refuses_no_start(lives, exchange, payload, whose, held_back):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, stop=STOP)])
    await lives.tell(executed(exchange, exchange.submitted[0], "t1", held=LONG))
    await lives.crash()
    lives.journal.append(StateSaved(whose, payload, START_NS))
    lives.container.journal.override(providers.Object(lives.journal.crashed()))

    await lives.begin()
    codes = {reason.code for reason in lives.trading.reasons} - {"unknown_orders"}
    assert codes == ({held_back} if held_back else set())
    lives.execution.stage.flatten("by hand", [BTC])
    assert exchange.submitted[-1].purpose is Purpose.EXIT


def executed(exchange, order, trade_id, price="100", *, held):
    """Let the exchange fill an order while nobody listens."""
    filled = fill(trade_id, order.side, order.contracts, price, "0", client_order_id=order.client_order_id)
    exchange.filled += (filled,)
    exchange.known[order.client_order_id] = order_record(order, OrderStatus.FILLED, order.contracts)
    exchange.held = (Position(BTC, held, held * 100),) if held else ()
    return filled


async def test_an_intent_without_an_answer_is_asked_for_and_not_sent_again(lives, exchange):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    [sent] = exchange.submitted
    await lives.crash()

    exchange.known[sent.client_order_id] = order_record(sent, OrderStatus.OPEN, venue_order_id="V1")
    exchange.working = (order_record(sent, OrderStatus.OPEN),)
    await lives.begin()

    assert exchange.submitted == [sent]
    assert lives.execution.stage.books.tracker.find(sent.client_order_id).status is OrderStatus.OPEN
    assert lives.trading.level is TradingLevel.ACTIVE


async def test_an_intent_that_is_not_there_holds_growth_back_while_it_may_be_on_its_way(lives, exchange):
    """A request is valid for 5 s: 4 s after the first question its absence proves nothing, 5 s after it does."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    [sent] = exchange.submitted
    await lives.crash()

    await lives.begin()
    assert lives.trading.holds("execution", "unknown_orders")
    await lives.price("100", 4)
    await lives.execution.stage.agreement.resolve()
    assert lives.trading.holds("execution", "unknown_orders")

    await lives.price("100", 5)
    await lives.execution.stage.agreement.resolve()
    assert lives.trading.level is TradingLevel.ACTIVE
    assert lives.execution.stage.books.tracker.find(sent.client_order_id).status is OrderStatus.REJECTED
    assert exchange.submitted == [sent]


@pytest.fixture
def takes_late_orders(exchange):
    exchange.refuses_late_orders = False


@pytest.mark.usefixtures("takes_late_orders")
async def test_where_orders_may_arrive_late_only_the_operator_gives_one_up(lives, exchange):
    """Absent for a minute: growth is held back, aloud, for as long as it takes; then the operator gives it up."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    [sent] = exchange.submitted
    await lives.crash()
    await lives.begin()

    for seconds, held in (59, False), (60, True), (3600, True):
        await lives.price("100", seconds)
        await lives.execution.stage.agreement.resolve()
        assert lives.trading.holds("execution", "lost_orders") is held
        assert lives.execution.stage.books.tracker.find(sent.client_order_id).status is OrderStatus.UNKNOWN

    await lives.tell(ResumeCommand(at(3601), (("execution", "lost_orders"),)))
    await lives.execution.stage.agreement.resolve()
    assert lives.execution.stage.books.tracker.find(sent.client_order_id).status is OrderStatus.REJECTED
    assert lives.trading.level is TradingLevel.ACTIVE
    assert exchange.submitted == [sent]


@pytest.mark.usefixtures("takes_late_orders")
async def test_what_was_given_up_and_is_there_after_all_is_ours(lives, exchange):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    [sent] = exchange.submitted
    await lives.crash()
    await lives.begin()
    await lives.price("100", 60)
    exchange.known[sent.client_order_id] = order_record(sent, OrderStatus.OPEN, venue_order_id="V1")

    await lives.tell(ResumeCommand(at(61), (("execution", "lost_orders"),)))
    await lives.execution.stage.agreement.resolve()
    assert lives.execution.stage.books.tracker.find(sent.client_order_id).status is OrderStatus.OPEN


@pytest.mark.usefixtures("takes_late_orders")
async def test_where_orders_may_arrive_late_an_exit_is_not_waited_for_longer_than_a_minute(lives, exchange):
    """A closing order is absent: a minute later it counts as never received, and nobody has to say so."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    [entry] = exchange.submitted
    await lives.tell(executed(exchange, entry, "t1", held=LONG), mark("100", 1))
    lives.execution.stage.pursue([target(0, sequence=2)])
    closing = exchange.submitted[-1]
    assert closing.reduce_only
    await lives.crash()
    await lives.begin()

    for seconds, status in (59, OrderStatus.UNKNOWN), (61, OrderStatus.REJECTED):
        await lives.price("100", seconds)
        await lives.execution.stage.agreement.resolve()
        assert lives.execution.stage.books.tracker.find(closing.client_order_id).status is status
    assert not lives.trading.holds("execution", "lost_orders")


@pytest.mark.usefixtures("takes_late_orders")
async def test_an_order_that_was_there_cannot_arrive_late(lives, exchange):
    """It rested, and is not known any more: after the 5 s of a copy that lags it is over."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    [sent] = exchange.submitted
    await lives.tell(OrderAccepted(sent.client_order_id, "V1", BTC, at(1)))
    for seconds, status in (2, OrderStatus.OPEN), (8, OrderStatus.CANCELED):
        await lives.price("100", seconds)
        await lives.execution.stage.agreement.compare()
        assert lives.execution.stage.books.tracker.find(sent.client_order_id).status is status


async def test_an_order_that_arrives_after_the_restart_is_ours(lives, exchange):
    """Not there at the start, filled a second later: the books follow, and growth is free again."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    [sent] = exchange.submitted
    await lives.crash()

    await lives.begin()
    await lives.tell(
        OrderAccepted(sent.client_order_id, "V1", BTC, at(1)), executed(exchange, sent, "t1", held=LONG), mark("100", 1)
    )
    assert lives.portfolio.position(BTC).contracts == LONG
    assert lives.trading.level is TradingLevel.ACTIVE


async def test_what_was_unknown_and_is_told_by_a_fill_holds_nothing_back_any_more(lives, exchange):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    [sent] = exchange.submitted
    await lives.tell(OrderUnknown(sent.client_order_id, BTC, START_NS, "timed out"))
    assert lives.trading.holds("execution", "unknown_orders")

    await lives.tell(executed(exchange, sent, "t1", held=LONG))
    assert lives.trading.level is TradingLevel.ACTIVE


async def test_a_position_that_was_filled_while_no_bot_ran_gets_its_stop(lives, exchange):
    """The kill came between the entry's intent and its fill: what the entry was for is on record."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, stop=STOP)])
    [entry] = exchange.submitted
    await lives.crash()

    executed(exchange, entry, "t1", held=LONG)
    await lives.begin()

    stop = exchange.submitted[-1]
    assert (stop.purpose, stop.contracts, stop.trigger_price) == (Purpose.STOP_LOSS, LONG, STOP)
    assert len(exchange.submitted) == 2


async def test_a_stop_is_sent_without_waiting_for_a_price(lives, exchange):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, stop=STOP)])
    executed(exchange, exchange.submitted[0], "t1", held=LONG)
    await lives.crash()

    await lives.container.init_resources()
    await settle()
    assert exchange.submitted[-1].purpose is Purpose.STOP_LOSS


async def test_a_stop_that_rests_at_the_exchange_is_not_sent_again(lives, exchange):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, stop=STOP)])
    await lives.tell(executed(exchange, exchange.submitted[0], "t1", held=LONG))
    stop = exchange.submitted[-1]
    await lives.crash()

    exchange.working = (order_record(stop, OrderStatus.OPEN),)
    exchange.known[stop.client_order_id] = order_record(stop, OrderStatus.OPEN)
    await lives.begin()
    assert exchange.submitted[-1] is stop


async def test_nothing_is_sent_for_a_position_that_was_opened_and_closed_meanwhile(lives, exchange):
    """Two missed fills, told one after the other: after the first alone a stop would be due."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, stop=STOP)])
    [entry] = exchange.submitted
    await lives.crash()

    executed(exchange, entry, "t1", held=0)
    exchange.filled += (fill("t2", Side.SELL, LONG, "100", "0", client_order_id=None, liquidation=True),)
    await lives.begin()
    assert exchange.submitted == [entry]
    assert lives.portfolio.position(BTC).is_flat


async def test_what_an_order_is_for_is_on_record_before_the_order(lives, journal):
    """A pursuit that says that it was entered, then the intent of the entry: a crash keeps a prefix."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, stop=STOP)])

    kinds = [type(record) for record in journal.records]
    before = journal.records[: kinds.index(OrderIntended)]
    saved = [record for record in before if isinstance(record, StateSaved) and record.owner == "execution"]
    pursuits = msgspec.json.decode(saved[-1].payload, type=dict[str, Pursuit])
    assert (pursuits[BTC].target.sequence, pursuits[BTC].entered) == (1, True)


async def test_an_entry_that_ended_while_no_bot_ran_is_not_made_again(lives, exchange):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, entry=ENTRY_AT_99)])
    [entry] = exchange.submitted
    await lives.crash()

    exchange.known[entry.client_order_id] = order_record(entry, OrderStatus.EXPIRED)
    await lives.begin()
    assert exchange.submitted == [entry]


async def test_a_flip_goes_on_after_a_restart_once_there_is_a_price(lives, exchange):
    """Killed while the close works, which fills meanwhile. The new side is entered at the first mark, not before."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    await lives.tell(executed(exchange, exchange.submitted[0], "t1", held=LONG))
    lives.execution.stage.pursue([target(-LONG, sequence=2)])
    close = exchange.submitted[-1]
    await lives.crash()

    executed(exchange, close, "t2", held=0)
    await lives.container.init_resources()
    await settle()
    assert exchange.submitted[-1] is close
    await lives.price("100")
    opened = exchange.submitted[-1]
    assert (opened.side, opened.contracts, opened.purpose) == (Side.SELL, LONG, Purpose.ENTRY)


async def test_a_flip_goes_on_when_the_unknown_close_turns_out_to_be_filled(lives, exchange):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    await lives.tell(executed(exchange, exchange.submitted[0], "t1", held=LONG))
    lives.execution.stage.pursue([target(-LONG, sequence=2)])
    close = exchange.submitted[-1]
    await lives.crash()

    await lives.begin()
    assert lives.trading.holds("execution", "unknown_orders")
    await lives.tell(executed(exchange, close, "t2", held=0))
    assert (exchange.submitted[-1].purpose, exchange.submitted[-1].side) == (Purpose.ENTRY, Side.SELL)


async def test_an_entry_that_an_earlier_run_left_waits_for_an_order_of_unknown_outcome(lives, exchange):
    """Killed in a flip, the close has filled; of an order in the other symbol nobody knows. The entry comes later."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    await lives.tell(executed(exchange, exchange.submitted[0], "t1", held=LONG))
    lives.execution.stage.pursue([target(-LONG, sequence=2), target(LONG, symbol=ETH)])
    close, other = exchange.submitted[-2:]
    await lives.crash()

    executed(exchange, close, "t2", held=0)
    await lives.begin()
    assert lives.trading.holds("execution", "unknown_orders")
    assert exchange.submitted[-1] is other

    await lives.tell(OrderRejected(other.client_order_id, ETH, START_NS, "too late"))
    await lives.price("100", 1)
    assert (exchange.submitted[-1].purpose, exchange.submitted[-1].symbol) == (Purpose.ENTRY, BTC)


async def test_a_refused_exit_is_tried_again_while_a_stop_rests(lives, exchange):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, stop=STOP)])
    await lives.tell(executed(exchange, exchange.submitted[0], "t1", held=LONG))
    lives.execution.stage.pursue([target(0, sequence=2)])
    first = exchange.submitted[-1]
    assert first.purpose is Purpose.EXIT

    await lives.tell(OrderRejected(first.client_order_id, BTC, START_NS, "busy"))
    assert exchange.submitted[-1] is first
    await lives.price("99", 1)
    again = exchange.submitted[-1]
    assert (again.purpose, again.contracts) == (Purpose.EXIT, LONG)
    assert again is not first


async def test_an_exit_that_risk_denies_is_tried_again_at_the_next_price(lives, exchange, mocker):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    await lives.tell(executed(exchange, exchange.submitted[0], "t1", held=LONG))
    mocker.patch("app.risk.engine.REDUCING_CHECKS", (lambda *_: Denial("test", "1", "0"),))
    lives.execution.stage.pursue([target(0, sequence=2)])
    assert len(exchange.submitted) == 1

    mocker.stopall()
    await lives.price("99", 1)
    assert exchange.submitted[-1].purpose is Purpose.EXIT


async def test_a_refused_cancel_is_asked_again_at_the_next_price(lives, exchange):
    """The entry of an older target must go, or the new one waits for ever."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, entry=ENTRY_AT_99)])
    [entry] = exchange.submitted
    await lives.tell(OrderAccepted(entry.client_order_id, "V1", BTC, START_NS))
    lives.execution.stage.pursue([target(-LONG, sequence=2)])
    await lives.tell(CancelRejected(entry.client_order_id, BTC, START_NS, "busy"))
    assert exchange.canceled == [entry.client_order_id]

    await lives.price("100", 1)
    assert exchange.canceled == [entry.client_order_id] * 2


async def test_a_refused_cancel_of_an_order_that_has_ended_asks_for_nothing(lives, exchange):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, entry=ENTRY_AT_99)])
    [entry] = exchange.submitted
    lives.execution.stage.pursue([target(0, sequence=2)])
    await lives.tell(
        OrderCanceled(entry.client_order_id, BTC, START_NS, "expired"),
        CancelRejected(entry.client_order_id, BTC, START_NS, "it is canceled"),
    )
    await lives.price("100", 1)
    assert exchange.canceled == [entry.client_order_id]


# -- comparing --------------------------------------------------------------------------------------------------


async def test_an_order_that_ended_while_the_stream_was_down_ends_in_the_books(lives, exchange):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, entry=ENTRY_AT_99)])
    [entry] = exchange.submitted
    await lives.tell(OrderAccepted(entry.client_order_id, "V1", BTC, START_NS))

    exchange.known[entry.client_order_id] = order_record(entry, OrderStatus.CANCELED)
    assert await lives.execution.stage.agreement.compare()
    assert lives.execution.stage.books.tracker.open_orders == 0


async def test_an_order_that_is_gone_is_over_only_when_it_stays_gone(lives, exchange):
    """A venue may answer from a copy that lags behind: not there at 0 s and at 4 s is no proof, at 5 s it is one."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, entry=ENTRY_AT_99)])
    [entry] = exchange.submitted
    await lives.tell(OrderAccepted(entry.client_order_id, "V1", BTC, START_NS))

    await lives.execution.stage.agreement.compare()
    await lives.price("100", 4)
    await lives.execution.stage.agreement.resolve()
    assert lives.execution.stage.books.tracker.open_orders == 1
    await lives.price("100", 5)
    await lives.execution.stage.agreement.resolve()
    assert lives.execution.stage.books.tracker.open_orders == 0


async def test_an_order_that_was_gone_and_is_told_of_works_on(lives, exchange):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, entry=ENTRY_AT_99)])
    [entry] = exchange.submitted
    await lives.tell(OrderAccepted(entry.client_order_id, "V1", BTC, START_NS))
    await lives.execution.stage.agreement.compare()

    exchange.known[entry.client_order_id] = order_record(entry, OrderStatus.OPEN)
    await lives.price("100", 5)
    await lives.execution.stage.agreement.resolve()
    assert lives.execution.stage.books.tracker.open_orders == 1


async def test_an_order_that_is_listed_is_not_asked_for(lives, exchange, mocker):
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, entry=ENTRY_AT_99)])
    [entry] = exchange.submitted
    await lives.tell(OrderAccepted(entry.client_order_id, "V1", BTC, START_NS))
    exchange.working = (order_record(entry, OrderStatus.OPEN),)
    asked = mocker.spy(exchange, "order")

    assert await lives.execution.stage.agreement.compare()
    asked.assert_not_called()


async def test_after_an_outage_fills_are_asked_for_from_before_it(lives, exchange, mocker):
    """Two questions fail in ten minutes; the third reaches back to a minute before the last answer, at 100 s."""
    await lives.begin()
    await lives.price("100", 100)
    await lives.execution.stage.agreement.compare()
    exchange.down = True
    for seconds in (300, 600):
        await lives.price("100", seconds)
        with pytest.raises(ExchangeUnavailable):
            await lives.execution.stage.agreement.compare()
    exchange.down = False
    asked = mocker.spy(exchange, "fills_since")

    assert await lives.execution.stage.agreement.compare()
    asked.assert_called_once_with(at(40))


async def test_a_restart_asks_for_fills_from_before_the_last_agreement(lives, exchange, mocker):
    """Agreed at 100 s; what was recorded later says nothing of what the stream may have missed."""
    await lives.begin()
    await lives.price("100", 100)
    await lives.execution.stage.agreement.compare()
    await lives.price("100", 600)
    lives.execution.stage.pursue([target(LONG, entry=ENTRY_AT_99)])
    exchange.known[exchange.submitted[0].client_order_id] = order_record(exchange.submitted[0], OrderStatus.CANCELED)
    await lives.crash()
    asked = mocker.spy(exchange, "fills_since")

    await lives.begin(600)
    asked.assert_called_once_with(at(40))


async def test_an_account_that_is_older_than_its_books_may_have_a_history(lives, exchange, mocker):
    """What was filled before the first start is in the opening balance: it is never asked for, by no later start."""
    asked = mocker.spy(exchange, "fills_since")
    await lives.begin()
    await lives.crash()
    await lives.begin(10)
    assert [call.args for call in asked.call_args_list] == [(START_NS,), (START_NS,)]


async def test_what_is_filled_while_the_start_compares_does_not_refuse_it(lives, exchange, mocker):
    """The position is read after the fill, the fills before it: the second look sees both."""
    mocker.patch("app.coordinators.reconciler.SETTLING_S", 0)
    await lives.begin()
    lives.execution.stage.pursue([target(LONG)])
    [entry] = exchange.submitted
    await lives.crash()
    told = executed(exchange, entry, "t1", held=LONG)
    mocker.patch.object(exchange, "fills_since", side_effect=[(), (told,)])

    await lives.begin()
    assert lives.portfolio.position(BTC).contracts == LONG
    assert lives.trading.level is TradingLevel.ACTIVE


async def test_an_order_that_nobody_answers_is_asked_for_once_it_is_overdue(lives, exchange, mocker):
    """A request is valid for 5 s: 5 s after it was made nothing is asked, a moment later its symbol and id are."""
    asked = mocker.spy(exchange, "order")
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, symbol=ETH)])
    [sent] = exchange.submitted
    await lives.price("100", 5)
    await lives.execution.stage.agreement.resolve()
    asked.assert_not_called()
    await lives.price("100", 5.001)
    exchange.known[sent.client_order_id] = order_record(sent, OrderStatus.OPEN, venue_order_id="V1")
    await lives.execution.stage.agreement.resolve()
    asked.assert_called_once_with(ETH, sent.client_order_id)
    assert lives.execution.stage.books.tracker.find(sent.client_order_id).status is OrderStatus.OPEN

    await lives.price("100", 60)
    await lives.execution.stage.agreement.resolve()
    asked.assert_called_once()


async def test_a_refused_start_names_each_difference_and_says_what_to_do(lives, exchange):
    """Of what the books have nothing it says none."""
    exchange.held = (Position(BTC, Decimal(1), Decimal(100)),)
    exchange.working = (order_record(order("theirs", symbol=ETH), OrderStatus.OPEN),)
    with pytest.raises(StartFailed) as refused:
        await lives.begin()
    cause = refused.value.cause
    assert [(found.kind, found.symbol, found.time_ns) for found in cause.found] == [
        ("position", BTC, START_NS),
        ("foreign_order", ETH, START_NS),
    ]
    told = "position BTC/USDT:USDT: ours 0, theirs 1; foreign_order ETH/USDT:USDT: ours none, theirs buy 1, id theirs"
    assert told in str(cause)


async def test_a_difference_is_told_with_its_time_and_the_currency(lives, exchange):
    told = []
    await lives.begin()
    lives.container.registry.context.facts.subscribe(told.append)
    exchange.money += 1
    assert not await lives.execution.stage.agreement.compare()
    [found] = [fact for fact in told if isinstance(fact, Mismatch)]
    assert (found.kind, found.symbol, found.time_ns) == ("balance", "USDT", START_NS)


async def test_a_start_that_cannot_put_on_record_what_was_missed_is_refused(lives, exchange, mocker):
    """The books would know of a fill that no journal has: the next start would find a position of nobody."""
    await lives.begin()
    await lives.crash()
    exchange.filled = (fill("missed"),)
    exchange.held = (Position(BTC, Decimal(1), Decimal(100)),)
    real = lives.journal.append

    def append(*records):
        if any(isinstance(record, Fill) for record in records):
            lives.journal.fail("no space left")
        return real(*records)

    mocker.patch.object(lives.journal, "append", append)
    with pytest.raises(StartFailed) as refused:
        await lives.begin()
    assert isinstance(refused.value.cause, JournalFailed)
    assert "no space left" in str(refused.value.cause)


async def test_fills_that_came_the_wrong_way_round_are_divided_as_the_exchange_divides_them(lives, exchange, mocker):
    """Bought 2 at 100, sold 1 at 110, bought 1 at 120; told with the last two exchanged. A restart agrees at once."""
    mocker.patch("app.coordinators.reconciler.SETTLING_S", 0)
    told = []
    await lives.begin()
    lives.container.registry.context.facts.subscribe(told.append)
    first, sold, bought = (
        fill("1", contracts="2", price="100", fee="0"),
        fill("2", side=Side.SELL, contracts="1", price="110", fee="0"),
        fill("3", contracts="1", price="120", fee="0"),
    )
    await lives.tell(first, bought, sold)
    exchange.held, exchange.money = (Position(BTC, Decimal(2), Decimal(220)),), Decimal(10010)
    assert lives.portfolio.ledger.realized == Decimal("3.33333333")
    assert await lives.execution.stage.agreement.compare()
    assert (lives.portfolio.balance, lives.portfolio.position(BTC).cost) == (10010, 220)
    assert [(f.kind, f.action) for f in told if isinstance(f, Mismatch)] == [("balance", "recounted")]

    await lives.crash()
    await lives.begin()
    assert (lives.portfolio.balance, lives.portfolio.position(BTC).cost) == (10010, 220)


async def test_an_order_that_was_there_in_between_is_missed_anew(lives, exchange):
    """Gone at 0 s, there at 2 s, gone again at 6 s: its five seconds begin at 6 s."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, entry=ENTRY_AT_99)])
    [sent] = exchange.submitted
    await lives.tell(OrderUnknown(sent.client_order_id, BTC, START_NS, "no answer"))
    agreement, tracked = lives.execution.stage.agreement, lives.execution.stage.books.tracker.find(sent.client_order_id)
    await agreement.resolve()
    await lives.price("100", 2)
    exchange.known[sent.client_order_id] = order_record(sent, OrderStatus.OPEN, venue_order_id="V1")
    await agreement.resolve()
    assert tracked.status is OrderStatus.OPEN

    del exchange.known[sent.client_order_id]
    await lives.tell(OrderUnknown(sent.client_order_id, BTC, START_NS, "no answer"))
    await lives.price("100", 6)
    await agreement.resolve()
    assert tracked.status is OrderStatus.UNKNOWN
    await lives.price("100", 11)
    await agreement.resolve()
    assert not tracked.is_working


@pytest.mark.parametrize("missed", [False, True])
async def test_a_fill_whose_fee_is_in_another_currency_is_no_reason_not_to_start(lives, exchange, missed):
    """Told in the life before, or missed by it: held, protected, and no growth before the operator says so."""
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, stop=STOP)])
    [entry] = exchange.submitted
    paid = fill("t1", Side.BUY, LONG, "100", "0.0002", client_order_id=entry.client_order_id, fee_currency="BNB")
    exchange.filled, exchange.held = (paid,), (Position(BTC, LONG, Decimal(50)),)
    if not missed:
        await lives.tell(paid)
    await lives.crash()
    await lives.begin(1)
    await lives.price("100", 2)

    assert lives.portfolio.position(BTC).contracts == LONG
    assert lives.trading.holds("execution", "foreign_fee")
    assert exchange.submitted[-1].purpose is Purpose.STOP_LOSS
    await lives.end()


# -- fills that could not be booked --------------------------------------------------------------------------------


@pytest.fixture
async def nonsense(lives, exchange, mocker):
    """0.5 BTC were bought for a fee of 0.1, and told without a price; returns the entry."""
    mocker.patch("app.coordinators.reconciler.SETTLING_S", 0)
    await lives.begin()
    lives.execution.stage.pursue([target(LONG, stop=STOP)])
    [entry] = exchange.submitted
    executed(exchange, entry, "t1", held=LONG)
    exchange.money = Decimal("9999.9")
    exchange.filled = (msgspec.structs.replace(exchange.filled[0], price=Decimal("NaN")),)
    return entry


async def told_wrong_and_then_right(lives, exchange):
    """Nothing was compared in between; now it is."""
    exchange.down = True
    await lives.tell(*exchange.filled)
    exchange.down = False
    exchange.filled = (msgspec.structs.replace(exchange.filled[0], price=Decimal(100), fee=Decimal("0.1")),)
    await lives.tell(*exchange.filled)
    assert await lives.execution.stage.agreement.compare()


def stops_rest(exchange):
    """Let the exchange list every stop that was sent."""
    stops = [sent for sent in exchange.submitted if sent.purpose is Purpose.STOP_LOSS]
    exchange.working = tuple(order_record(stop, OrderStatus.OPEN, venue_order_id="V2") for stop in stops)
    exchange.known |= {record.order.client_order_id: record for record in exchange.working}


@pytest.mark.parametrize("told", ["NaN", "100"])
async def test_what_was_adopted_for_a_fill_is_what_the_next_start_finds(lives, exchange, nonsense, told):
    """Told as before, or with its price at last: held, protected, and no growth before the operator has looked."""
    await lives.tell(*exchange.filled)
    await settle()
    assert lives.portfolio.position(BTC).contracts == LONG
    stops_rest(exchange)
    await lives.crash()

    exchange.filled = (msgspec.structs.replace(exchange.filled[0], price=Decimal(told)),)
    await lives.begin()
    await settle()
    assert (lives.portfolio.position(BTC).contracts, lives.portfolio.balance) == (LONG, Decimal("9999.9"))
    assert lives.trading.holds("reconciler", "position_adopted")
    assert not lives.trading.holds("execution", "differs")
    assert len(exchange.working) == 1
    assert await lives.execution.stage.agreement.compare()


async def test_what_a_kill_left_of_a_fill_that_could_not_be_booked_is_adopted_and_protected(lives, exchange, nonsense):
    """It was told, and the process killed before anything was compared."""
    exchange.down = True
    await lives.tell(*exchange.filled)
    assert lives.portfolio.position(BTC).is_flat
    await lives.crash()

    exchange.down = False
    await lives.begin()
    assert (lives.portfolio.position(BTC).contracts, lives.portfolio.balance) == (LONG, Decimal("9999.9"))
    assert lives.trading.holds("reconciler", "position_adopted")
    stop = exchange.submitted[-1]
    assert (stop.purpose, stop.contracts, stop.trigger_price) == (Purpose.STOP_LOSS, LONG, STOP)


async def test_a_fill_that_is_told_right_before_anything_was_adopted_is_booked(lives, exchange, nonsense):
    await told_wrong_and_then_right(lives, exchange)
    assert (lives.portfolio.position(BTC).contracts, lives.portfolio.balance) == (LONG, Decimal("9999.9"))
    assert not lives.trading.holds("reconciler", "position_adopted")


async def test_a_fill_that_was_told_right_is_no_flaw_when_it_is_told_again(lives, exchange, nonsense):
    """Each look back tells it: it is in the books under its own name, and opens no door to a stranger's position."""
    await told_wrong_and_then_right(lives, exchange)

    await lives.tell(*exchange.filled)
    exchange.held = (Position(BTC, 3 * LONG, 3 * LONG * 100),)
    assert not await lives.execution.stage.agreement.compare()
    assert lives.portfolio.position(BTC).contracts == LONG


async def test_no_more_flawed_fills_are_remembered_than_an_operator_could_look_at(lives, nonsense):
    reconciler = lives.execution.stage.agreement
    for number in range(KEPT_MAX + 1):
        reconciler.leave_out(EventLeftOut(START_NS, f"flaw {number}", BTC, None, f"x{number}"))
    saved = [state for state in lives.journal.of(StateSaved) if state.owner == "flawed_fills"][-1]
    flawed = msgspec.json.decode(saved.payload)["fills"]
    assert len(flawed) == KEPT_MAX
    assert "x0" not in flawed
