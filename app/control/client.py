"""The operator's end of the control socket."""

import socket
from contextlib import suppress
from pathlib import Path
from time import monotonic

import msgspec

from app.control.address import socket_address
from app.ports.control import Reply, Request

REPLY_BYTES_MAX = 65_536
"""A reply names at most some dozens of orders."""
MARGIN_S = 15.0
"""What a bot may take beyond the wait that the request allows: its own margin, and a busy event loop."""


class NobodyListens(Exception):
    """There is no socket, nobody behind it any more, or too many ask at once: the request may be made again."""


class NoAnswer(Exception):
    """Somebody listens, and no reply came in time: the bot hangs. The command may hold or not."""


def ask(folder: Path, request: Request) -> Reply:
    """Return the reply of the bot whose state lies in ``folder``.

    Raises:
        NobodyListens: No bot has its socket there, it ended meanwhile, or it is busy with others.
        NoAnswer: The bot took the request and did not answer within its wait and a margin.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(MARGIN_S)
        try:
            with socket_address(folder) as address:
                connection.connect(address)
        except OSError as error:
            raise NobodyListens(str(error)) from error
        try:
            with suppress(BrokenPipeError):  # a bot that is busy answers before it has read
                connection.sendall(msgspec.json.encode(request) + b"\n")
            line = _line_from(connection, request.wait_s + MARGIN_S)
            reply = msgspec.json.decode(line, type=Reply)
        except TimeoutError as error:
            raise NoAnswer(str(error)) from error
        except (OSError, msgspec.DecodeError) as error:
            raise NobodyListens(str(error)) from error
    if reply.busy:
        raise NobodyListens("; ".join(reply.lines))
    return reply


def _line_from(connection: socket.socket, seconds: float) -> bytes:
    line, ends = b"", monotonic() + seconds
    while not line.endswith(b"\n") and len(line) <= REPLY_BYTES_MAX:
        connection.settimeout(max(0.001, ends - monotonic()))
        more = connection.recv(REPLY_BYTES_MAX)
        if not more:
            break
        line += more
    return line
