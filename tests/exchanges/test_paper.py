"""What paper makes of the market that it is told: its account lives by that alone."""

from decimal import Decimal

import msgspec
import pytest

from app.domain.events import Fill, InstrumentChanged, OrderAccepted, OrderRejected
from app.domain.order import OrderType, Side
from app.exchanges.paper import PaperExchange
from app.settings.models import AccountSettings
from app.settings.simulated import SimulatedSettings
from tests.builders import START_NS, instrument, limit, mark, order, quote
from tests.fakes.exchange import FakeExchange
from tests.fakes.journal import FakeJournal


@pytest.fixture
def market():
    return FakeExchange()


@pytest.fixture
async def paper(market):
    settings = SimulatedSettings(deposit=Decimal(10_000), latency_ms=0, latency_jitter_ms=0)
    made = PaperExchange(market, settings, AccountSettings(), FakeJournal(), resumable=False)
    await made.connect()
    return made


def told(paper):
    return list(iter(paper.next_event, None))


def of_orders(events):
    return [(type(event), event.client_order_id) for event in events if hasattr(event, "client_order_id")]


async def test_orders_go_by_the_tick_as_it_is_now(market, paper):
    """From 0.1 the tick becomes 1: what rests stays; 90.5 is refused from then on, 90 is taken."""
    market.tell(quote("100", "101"), mark("100"))
    paper.submit(limit("before", price="90.5"))
    assert (OrderAccepted, "before") in of_orders(told(paper))

    coarser = InstrumentChanged(msgspec.structs.replace(instrument(), tick_size=Decimal(1)), START_NS)
    market.tell(coarser)
    assert coarser in told(paper)
    assert await paper.instruments() == (coarser.instrument,)
    paper.submit(limit("finer", price="90.5"))
    paper.submit(limit("on it", price="90"))
    market.tell(quote("100", "101", 1))
    assert of_orders(told(paper)) == [(OrderRejected, "finer"), (OrderAccepted, "on it")]
    assert [record.order.client_order_id for record in await paper.open_orders()] == ["before", "on it"]


async def test_a_price_that_cannot_be_true_triggers_nothing(market, paper):
    """A mark below zero is below every stop. It is handed on as it came: the pump keeps it from the bot."""
    market.tell(quote("100", "101"), mark("100"))
    told(paper)
    paper.submit(order("entry"))
    market.tell(quote("100", "101", 1))
    assert (Fill, "entry") in of_orders(told(paper))
    paper.submit(order("stop", Side.SELL, type=OrderType.STOP_MARKET, trigger_price="50", reduce_only=True))
    assert of_orders(told(paper)) == [(OrderAccepted, "stop")]

    nonsense = [mark("-1", 2), mark("NaN", 3), quote("-2", "-1", 4)]
    market.tell(*nonsense)
    assert told(paper) == nonsense
    market.tell(mark("49", 5), quote("49", "49.1", 5))
    assert (Fill, "stop") in of_orders(told(paper))
