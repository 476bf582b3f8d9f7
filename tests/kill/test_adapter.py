"""What the adapter tells the bot when the network fails: what is not certain is unknown."""

import asyncio

import msgspec
import pytest

from app.domain.events import CancelRejected, OrderRejected, OrderUnknown, StreamReset
from app.domain.market import MarkPrice
from app.settings import Settings
from tests.builders import BTC, fill, mark, order
from tests.kill import adapter as adapter_module
from tests.kill.adapter import ADDRESS_VARIABLE, RemoteExchange
from tests.kill.protocol import Message, Request

DEADLINE_S = 5.0


class ScriptedVenue:
    """Answers each operation as the test says; what it does not know it answers with nothing."""

    def __init__(self):
        self.asked = []
        self.script = {}
        self.clients = []

    async def serve(self, reader, writer):
        self.clients.append(writer)
        while line := await reader.readline():
            request = msgspec.json.decode(line, type=Request)
            self.asked.append(request.op)
            react = self.script.get(request.op, lambda request, writer: self.answer(writer, request))
            react(request, writer)
        writer.close()

    @staticmethod
    def answer(writer, request, ok=None, error=None):
        writer.write(line_of(Message(request.id, msgspec.Raw(msgspec.json.encode(ok)), error)))

    def tell(self, *events):
        for event in events:
            self.clients[-1].write(line_of(Message(event=event)))


def line_of(message):
    return msgspec.json.encode(message) + b"\n"


@pytest.fixture
async def venue(monkeypatch):
    made = ScriptedVenue()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    monkeypatch.setenv(ADDRESS_VARIABLE, f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    monkeypatch.setattr(adapter_module, "ANSWER_S", 0.05)
    yield made
    server.close()
    for client in made.clients:
        client.close()
    await server.wait_closed()


@pytest.fixture
async def exchange(venue):
    made = RemoteExchange(Settings(), None)
    await made.connect()
    yield made
    await made.close()
    await made.close()


async def next_of(exchange, kind):
    """Return the next event of a kind."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            event = exchange.next_event()
            if isinstance(event, kind):
                return event
            if event is None:
                await exchange.wait()


async def test_an_answer_that_does_not_come_leaves_the_order_unknown(exchange, venue):
    venue.script["submit"] = lambda request, writer: None
    exchange.submit(order())
    assert (await next_of(exchange, OrderUnknown)).reason == "no answer within 0.05 s"


async def test_a_venue_that_hangs_up_leaves_the_order_unknown_and_the_stream_in_doubt(exchange, venue):
    venue.script["submit"] = lambda request, writer: writer.close()
    exchange.submit(order())
    assert (await next_of(exchange, OrderUnknown)).client_order_id == "o1"
    await next_of(exchange, StreamReset)


async def test_an_answer_that_cannot_be_read_is_no_answer(exchange, venue):
    venue.script["submit"] = lambda request, writer: writer.write(b"<html>busy</html>\n")
    exchange.submit(order())
    assert "unreadable" in (await next_of(exchange, OrderUnknown)).reason
    await next_of(exchange, StreamReset)


async def test_only_a_definite_no_is_a_rejection(exchange, venue):
    venue.script["submit"] = lambda request, writer: venue.answer(writer, request, error="too late")
    exchange.submit(order())
    assert (await next_of(exchange, OrderRejected)).reason == "too late"


async def test_an_order_that_never_left_is_rejected_at_once(exchange):
    await exchange.close()
    exchange.submit(order())
    assert isinstance(exchange.next_event(), OrderRejected)


async def test_a_cancel_without_an_answer_may_be_asked_again(exchange, venue):
    venue.script["cancel"] = lambda request, writer: None
    exchange.cancel(order(), "test")
    assert (await next_of(exchange, CancelRejected)).client_order_id == "o1"


async def test_a_query_is_asked_again_on_the_next_connection(exchange, venue):
    def hang_up_once(request, writer):
        del venue.script["balance"]
        writer.close()

    venue.script["balance"] = hang_up_once
    venue.answer, answer = lambda writer, request: answer(writer, request, "12.5"), venue.answer
    assert str(await exchange.balance()) == "12.5"
    assert venue.asked.count("balance") == 2


async def test_a_full_queue_loses_the_oldest_prices_and_no_fact(exchange, venue, monkeypatch):
    """Room for three: of five marks the last three stay; two fills then wait at the socket until there is room."""
    monkeypatch.setattr(adapter_module, "QUEUE_MAX", 3)
    venue.tell(*(mark(str(price)) for price in range(1, 6)), fill("t1"), fill("t2"))
    for _ in range(1000):
        if exchange.market_dropped == 2:
            break
        await asyncio.sleep(DEADLINE_S / 1000)
    assert len(exchange._queue) == 3
    seen = [await next_of(exchange, msgspec.Struct) for _ in range(5)]
    assert [str(event.price) for event in seen if isinstance(event, MarkPrice)] == ["3", "4", "5"]
    assert [event.trade_id for event in seen[3:]] == ["t1", "t2"]
    assert exchange.next_event() is None
    assert seen[0].symbol == BTC
