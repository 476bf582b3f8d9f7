"""What a record of a run is made of: one JSON object a line, in the order in which the bot met or did it.

What came in (``event``, ``posted`` from outside, ``answer``, ``durable``, ``memory``) is played; what went out
(``submit``, ``cancel``, ``posted`` by the bot itself) and the ``end`` are compared. ``at_s`` is when, in seconds of the
event loop since the record began; ``now_ns`` what the bot's clock said from then on.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from app.domain.events import StreamEvent
from app.domain.order import Order
from app.ports.journal import Recovered
from app.recording.final import Final

TAPE_VERSION = 1


class Head(msgspec.Struct, frozen=True, tag="head", kw_only=True):
    """The first line: with what the run began."""

    version: int
    settings: dict[str, Any]
    """Without where they came from, and with the journal in memory: a record holds no secret."""
    is_virtual: bool
    """Whether the stream was the clock."""
    refuses_late_orders: bool = True
    """Whether the exchange was one at which absence is a proof."""
    holds_trailing_stops: bool = True
    """Whether the exchange did; records of older versions say nothing, and were made as if."""
    now_ns: int
    recovered: Recovered


class Memory(msgspec.Struct, frozen=True, tag="memory"):
    """What a part had saved in an earlier run, and read."""

    owner: str
    payload: bytes


class Handed(msgspec.Struct, frozen=True, tag="event"):
    """An event of the exchange that the pump handed on."""

    at_s: float
    now_ns: int
    event: StreamEvent


class Posted(msgspec.Struct, frozen=True, tag="posted"):
    """An event that the bot, or its operator, put on the stream."""

    at_s: float
    now_ns: int
    event: StreamEvent


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """What the exchange said when it was asked."""

    at_s: float
    now_ns: int
    question: str
    """The port's method; with what it was asked about where that decides who gets the answer."""
    value: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    """Why it could not be read."""
    error_type: str = ""


class Durable(msgspec.Struct, frozen=True, tag="durable"):
    """The store had an intent."""

    at_s: float
    now_ns: int
    client_order_id: str
    at_once: bool
    """Whether it had it when it was given it, so that nobody had to be called back."""


class Submitted(msgspec.Struct, frozen=True, tag="submit"):
    """An order left."""

    order: Order


class Canceled(msgspec.Struct, frozen=True, tag="cancel"):
    """A cancel left."""

    client_order_id: str


class Cut(msgspec.Struct, frozen=True, tag="cut"):
    """The record ends before the run did."""

    why: str


class End(msgspec.Struct, frozen=True, tag="end"):
    """The bot has stopped."""

    final: Final


Line = Head | Memory | Handed | Posted | Answer | Durable | Submitted | Canceled | Cut | End


class UnreadableTape(Exception):
    """A file that is no record, or not one of this version."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be replayed: {why}")


def read_tape(path: Path) -> Iterator[tuple[int, Line]]:
    """Yield the lines with their numbers, from 1; the first is a ``Head``.

    A last line without an end is what a kill has left of it, and is passed over; but for the first: without it
    nothing can be played.

    Raises:
        UnreadableTape: The file cannot be read, a line is none, or something comes after the end.
    """
    decode = msgspec.json.Decoder(Line).decode
    number = 1
    try:
        with path.open("rb") as file:
            lines = enumerate(file, 1)
            for number, text in lines:
                if not text.endswith(b"\n"):
                    if number == 1:
                        raise UnreadableTape(path, "its first line is cut off, if it is a record of a run at all")
                    return
                line = decode(text)
                if isinstance(line, Head) is not (number == 1):
                    raise UnreadableTape(path, f"line {number} is out of place")
                if isinstance(line, Head) and line.version != TAPE_VERSION:
                    raise UnreadableTape(path, f"it is of version {line.version}, this is {TAPE_VERSION}")
                if isinstance(line, End) and (after := next(lines, None)):
                    # Nothing that ran wrote it: two records in one file, or one that was tampered with.
                    raise UnreadableTape(path, f"line {after[0]} comes after the end of the record")
                yield number, line
    except OSError as error:
        raise UnreadableTape(path, error.strerror or str(error)) from error
    except msgspec.MsgspecError as error:
        if number == 1:
            raise UnreadableTape(path, "it is no record of a run, as telemetry.record_stream makes one") from error
        raise UnreadableTape(path, f"line {number} is none of a record ({error})") from error
