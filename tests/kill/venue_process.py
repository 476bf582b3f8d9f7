"""An exchange in a process of its own: it goes on while bots die and come back, and writes down what they asked.

Like some real venues it takes a client order id again once the first order of that id has ended: whoever sends an order
again without asking has two. Requests travel for a while, may arrive out of order, and go on travelling when their
sender has died. Some answers are lost, some cannot be read.

It ends when its standard input does, so that it outlives nobody who started it.
"""

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from random import Random
from signal import SIGKILL

import msgspec

from app.domain.events import AccountEvent, Fill, FundingPaid, OrderAccepted, StreamEvent
from app.domain.margin import MarginMode
from app.domain.records import OrderRecord
from app.exchanges.matching import MatchingEngine, MatchingRules
from tests.kill.market import Market
from tests.kill.protocol import LINE_MAX, Aim, Cancel, Message, Report, Request, Submit

EVERY_S = 0.01
"""Between two rounds of the market: one event a symbol each, some two hundred a second."""
DEPOSIT = Decimal(1_000_000)
BACKLOG_BYTES_MAX = 8 * 1024 * 1024
"""A client that reads more slowly is cut off, as venues do."""
FAST_S, SLOW_S, TOO_SLOW_S = 0.01, 1.8, 4.0
"""How long requests travel at most: most of them, some, and a few."""


class Client:
    """One connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def tell(self, line: bytes) -> None:
        if self._writer.is_closing():
            return
        self._writer.write(line)
        if self._writer.transport.get_write_buffer_size() > BACKLOG_BYTES_MAX:
            self.hang_up()

    def answer(self, request_id: int, ok: object = None, error: str | None = None) -> None:
        self.tell(line_of(Message(request_id, msgspec.Raw(msgspec.json.encode(ok)), error)))

    def garble(self) -> None:
        self.tell(b'{"id": 1, "ok": {"cut off\n')

    def hang_up(self) -> None:
        self._writer.close()


class Venue:
    """The account, its market, and the record of what was asked."""

    def __init__(self, seed: int) -> None:
        self._random = Random(f"venue:{seed}")
        self._market = Market(seed)
        self._engine = MatchingEngine(
            "venue",
            "USDT",
            self._market.instruments,
            MatchingRules(partial_fill_ratio=Decimal("0.4")),
            self._random.random,
            MarginMode.CROSS,
            Decimal(10),
        )
        self._engine.deposit(DEPOSIT, time.time_ns())
        self._listeners: set[Client] = set()
        self._requests: Counter[str] = Counter()
        self._submits: Counter[str] = Counter()
        self._accepted: Counter[str] = Counter()
        self._known: dict[str, OrderRecord] = {}
        self._fills: list[Fill] = []
        self._fills_unseen = 0
        self._on_the_wire = 0
        self._late = 0
        self._aim = Aim(0, "")
        self._operations: dict[str, Callable[[msgspec.Raw], object]] = {
            "instruments": lambda _: tuple(self._market.instruments.values()),
            "balance": lambda _: self._engine.books.balance,
            "positions": lambda _: self._engine.books.positions,
            "open_orders": lambda _: self._engine.open_orders(),
            "order": lambda args: self._order(msgspec.json.decode(args, type=str)),
            "fills_since": lambda args: since(self._fills, args),
            "funding_since": lambda args: since(self._engine.settlements, args),
            "configure": lambda _: None,
            "calm": self._calm,
            "aim": self._take_aim,
            "report": lambda _: self._report(),
        }

    async def trade(self) -> None:
        """Let the market go on for ever."""
        due = time.monotonic()
        while True:
            for event in self._market.at(time.time_ns()):
                self._engine.on_market(event)
                # What happened within the event comes before it.
                self._tell_outcomes()
                self._broadcast(event)
            due = max(due + EVERY_S, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it goes."""
        client = Client(writer)
        try:
            while line := await reader.readline():
                self._take(client, msgspec.json.decode(line, type=Request))
        except (OSError, msgspec.DecodeError):
            # A killed client leaves half a line, or a reset.
            pass
        finally:
            self._listeners.discard(client)
            client.hang_up()

    def _take(self, client: Client, request: Request) -> None:
        self._requests[request.op] += 1
        killed = self._happened(request.op)
        if request.op == "submit":
            self._carry(client, request, self._arrive, killed=killed)
        elif request.op == "cancel":
            self._carry(client, request, self._arrive_cancel, killed=killed)
        elif request.op == "subscribe":
            self._listeners.add(client)
            client.answer(request.id)
        elif request.op in self._operations:
            client.answer(request.id, self._operations[request.op](request.args))
        else:
            client.answer(request.id, error=f"unknown operation {request.op}")

    # -- orders --------------------------------------------------------------------------------------------------

    def _carry(
        self, client: Client, request: Request, arrive: Callable[[Client, Request], None], *, killed: bool
    ) -> None:
        """Let a request travel. It arrives whether or not its sender lives on: long after, when that was killed."""
        fate = 1.0 if self._market.is_calm else self._random.random()
        most = TOO_SLOW_S if fate < 0.01 else SLOW_S if fate < 0.04 or killed else FAST_S
        self._on_the_wire += 1
        asyncio.get_running_loop().call_later(self._random.uniform(0, most), arrive, client, request)

    def _arrive(self, client: Client, request: Request) -> None:
        self._on_the_wire -= 1
        submit = msgspec.json.decode(request.args, type=Submit)
        order = submit.order
        fate = 1.0 if self._market.is_calm else self._random.random()
        if fate < 0.005:
            # Lost on the way there, and nobody says so.
            return
        self._submits[order.client_order_id] += 1
        if time.time_ns() > submit.valid_until_ns:
            self._late += 1
            client.answer(request.id, error="too late: the request is not valid any more")
            return
        self._forget_ended(order.client_order_id)
        self._engine.submit(order)
        self._tell_outcomes()
        if fate < 0.010:
            # Done, and the answer is lost on the way back.
            return
        if fate < 0.015:
            client.garble()
        elif fate < 0.020:
            client.hang_up()
        else:
            client.answer(request.id)

    def _arrive_cancel(self, client: Client, request: Request) -> None:
        self._on_the_wire -= 1
        cancel = msgspec.json.decode(request.args, type=Cancel)
        self._engine.cancel(cancel.order, cancel.reason)
        self._tell_outcomes()
        client.answer(request.id)

    def _forget_ended(self, client_order_id: str) -> None:
        """Take an id again whose order has ended, as some venues do."""
        self._engine._ended.pop(client_order_id, None)

    def _order(self, client_order_id: str) -> OrderRecord | None:
        return self._engine.order(client_order_id) or self._known.get(client_order_id)

    # -- telling -------------------------------------------------------------------------------------------------

    def _tell_outcomes(self) -> None:
        while self._engine.outcomes:
            outcome = self._engine.outcomes.popleft()
            self._note(outcome)
            self._broadcast(outcome)

    def _note(self, outcome: AccountEvent) -> None:
        if isinstance(outcome, OrderAccepted):
            self._accepted[outcome.client_order_id] += 1
        if isinstance(outcome, Fill):
            self._fills.append(outcome)
            self._fills_unseen += not self._listeners
        known = self._engine.order(getattr(outcome, "client_order_id", None) or "")
        if known is not None:
            self._known[known.order.client_order_id] = known

    def _broadcast(self, event: StreamEvent) -> None:
        if self._listeners:
            line = line_of(Message(event=event))
            for client in tuple(self._listeners):
                client.tell(line)
        if isinstance(event, Fill):
            self._happened("fill")

    # -- the control desk ----------------------------------------------------------------------------------------

    def _calm(self, args: msgspec.Raw) -> None:
        """Let prices rest, and the network be faultless; or not."""
        self._market.is_calm = msgspec.json.decode(args, type=bool)

    def _take_aim(self, args: msgspec.Raw) -> None:
        self._aim = msgspec.json.decode(args, type=Aim)

    def _happened(self, what: str) -> bool:
        """Kill whoever is aimed at, if this is the moment; return whether it was."""
        pid, at = self._aim.pid, self._aim.at
        if not pid or at != what:
            return False
        self._aim = Aim(0, "")
        with suppress(ProcessLookupError):
            os.kill(pid, SIGKILL)
        return True

    def _report(self) -> Report:
        engine = self._engine
        return Report(
            requests=dict(self._requests),
            submits=dict(self._submits),
            accepted=dict(self._accepted),
            orders=[engine.order(key) or known for key, known in self._known.items()],
            working=[known.order.client_order_id for known in engine.open_orders()],
            on_the_wire=self._on_the_wire + len(engine._funding.terms),
            late=self._late,
            fills=self._fills,
            fills_unseen=self._fills_unseen,
            settlements=list(engine.settlements),
            positions=list(engine.books.positions),
            totals=dict(engine.books.ledger.totals),
        )


def since(facts: Iterable[Fill | FundingPaid], args: msgspec.Raw) -> list[Fill | FundingPaid]:
    time_ns = msgspec.json.decode(args, type=int)
    return [fact for fact in facts if fact.time_ns >= time_ns]


def line_of(message: Message) -> bytes:
    return msgspec.json.encode(message) + b"\n"


async def owner_gone() -> None:
    """Return when whoever started this process has closed its standard input, or died."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def run(seed: int) -> None:
    venue = Venue(seed)
    server = await asyncio.start_server(venue.serve, "127.0.0.1", 0, limit=LINE_MAX)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        trading = asyncio.create_task(venue.trade())
        watching = asyncio.create_task(owner_gone())
        done, _ = await asyncio.wait({trading, watching}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    with suppress(KeyboardInterrupt):
        asyncio.run(run(arguments.parse_args().seed))
