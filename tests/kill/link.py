"""A client's connection to the venue: numbered requests, their answers, and the events in between."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec

from app.domain.events import StreamEvent
from tests.kill.protocol import ANSWERS, LINE_MAX, Message, Request


class Refused(Exception):
    """The venue said no: definitely not done."""


class NoAnswer(Exception):
    """Too late, cut off, or unreadable: nobody can say whether it was done."""


async def ignore(event: StreamEvent) -> None:
    """Take no notice."""


class Link:
    """One connection. An answer that cannot be read ends it: whose answer it was cannot be told."""

    def __init__(self, host: str, port: int, on_event: Callable[[StreamEvent], Awaitable[None]] = ignore) -> None:
        self._address = (host, port)
        self._on_event = on_event
        self._last_id = 0
        self._waiting: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task | None = None
        self.why_lost = ""

    @property
    def is_open(self) -> bool:
        return self._writer is not None

    async def open(self) -> None:
        try:
            reader, self._writer = await asyncio.open_connection(*self._address, limit=LINE_MAX)
        except OSError as error:
            raise NoAnswer(f"cannot connect: {error}") from error
        self._reading = asyncio.create_task(self._read(reader))

    def post(self, op: str, args: object = None) -> "asyncio.Future[msgspec.Raw]":
        """Send a request, without waiting; the future brings its answer."""
        answer: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        if self._writer is None:
            answer.set_exception(NoAnswer("not connected"))
            return answer
        self._last_id += 1
        self._waiting[self._last_id] = answer
        self._writer.write(
            msgspec.json.encode(Request(self._last_id, op, msgspec.Raw(msgspec.json.encode(args)))) + b"\n"
        )
        return answer

    async def ask(self, op: str, args: object = None, timeout_s: float = 5.0) -> Any:
        return msgspec.json.decode(await answered(self.post(op, args), timeout_s), type=ANSWERS.get(op, Any))

    async def lost(self) -> None:
        """Return when the connection is gone."""
        if self._reading is not None:
            await asyncio.wait({self._reading})

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def _read(self, reader: asyncio.StreamReader) -> None:
        self.why_lost = "the venue hung up"
        try:
            while line := await reader.readline():
                message = msgspec.json.decode(line, type=Message)
                if message.event is not None:
                    await self._on_event(message.event)
                else:
                    self._settle(message)
        except msgspec.MsgspecError as error:
            self.why_lost = f"unreadable: {error}"
        except OSError as error:
            self.why_lost = str(error)
        finally:
            self._writer.close()
            self._writer = None
            waiting, self._waiting = self._waiting, {}
            for answer in waiting.values():
                if not answer.done():
                    answer.set_exception(NoAnswer(self.why_lost))

    def _settle(self, message: Message) -> None:
        answer = self._waiting.pop(message.id, None)
        if answer is None or answer.done():
            return
        if message.error is None:
            answer.set_result(message.ok)
        else:
            answer.set_exception(Refused(message.error))


async def answered(answer: "asyncio.Future[msgspec.Raw]", timeout_s: float) -> msgspec.Raw:
    """Return the answer, if it comes in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            return await answer
    raise NoAnswer(f"no answer within {timeout_s:g} s")
