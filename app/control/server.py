"""The bot's end of the control socket: one line in, one line out, and no client can harm another or the bot."""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path

import msgspec

from app.control.address import SOCKET_FILE, socket_address
from app.ports.control import Answer, Reply, Request
from app.ports.exit_codes import ExitCode

REQUEST_BYTES_MAX = 4_096
"""A request is a few words."""
LINE_S = 5.0
"""For a client to say its line, and to take the reply."""
ANSWER_MARGIN_S = 5.0
"""What an answer may take beyond the wait that its request allows."""
CLIENTS_MAX = 8
"""At once. An operator has two hands; more is a script gone wild."""
PAUSE_S = 0.5
"""After an accept that failed: out of file handles, most likely."""
BUSY = Reply(ExitCode.UNCLEAN_STOP, (f"{CLIENTS_MAX} others ask at once",), busy=True)
SLOW = Reply(ExitCode.UNCLEAN_STOP, ("the bot could not answer in time: what was commanded may hold, look at status",))


class ControlSocket:
    """Implements ``ControlSurface`` on a unix socket in the state folder, for its owner only.

    The bot that serves holds the folder's lock, so a socket that lies there already was left by one that was killed.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / SOCKET_FILE

    async def serve(self, answer: Answer) -> None:
        """Have each request answered by ``answer``, until cancelled.

        Raises:
            SocketPathTooLong: There is no room for the socket; the message says what to do.
            OSError: The socket cannot be made.
        """
        with self._listen() as listener:
            try:
                async with asyncio.TaskGroup() as clients:
                    await self._accept(listener, answer, clients)
            finally:
                self.path.unlink(missing_ok=True)

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.path.unlink(missing_ok=True)
            # Private from its first moment, whatever the folder's own mode is.
            mask = os.umask(0o177)
            try:
                with socket_address(self.path.parent) as address:
                    listener.bind(address)
            finally:
                os.umask(mask)
            listener.listen(CLIENTS_MAX)
            listener.setblocking(False)  # noqa: FBT003 - the name of the socket's own method
        except BaseException:
            listener.close()
            raise
        return listener

    @staticmethod
    async def _accept(listener: socket.socket, answer: Answer, clients: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        served: set[asyncio.Task[None]] = set()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(PAUSE_S)
                continue
            if len(served) >= CLIENTS_MAX:
                _turn_away(client)
                continue
            task = clients.create_task(_serve(client, answer))
            served.add(task)
            task.add_done_callback(served.discard)


async def _serve(client: socket.socket, answer: Answer) -> None:
    """Serve one client. It may hang, send nonsense or go away: that is its own affair."""
    with client, suppress(OSError, TimeoutError):
        async with asyncio.timeout(LINE_S):
            line = await _line_from(client)
        reply = await _reply_to(line, answer)
        async with asyncio.timeout(LINE_S):
            await asyncio.get_running_loop().sock_sendall(client, _line(reply))


async def _line_from(client: socket.socket) -> bytes:
    """Return what the client says, up to the end of its line; cut where it says too much."""
    loop, line = asyncio.get_running_loop(), b""
    while b"\n" not in line and len(line) <= REQUEST_BYTES_MAX:
        more = await loop.sock_recv(client, REQUEST_BYTES_MAX)
        if not more:
            break
        line += more
    return line


async def _reply_to(line: bytes, answer: Answer) -> Reply:
    if len(line) > REQUEST_BYTES_MAX:
        return _refuse(f"it is longer than {REQUEST_BYTES_MAX} bytes")
    try:
        request = msgspec.json.decode(line, type=Request)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _refuse(str(error))
    try:
        async with asyncio.timeout(request.wait_s + ANSWER_MARGIN_S):
            return await answer(request)
    except TimeoutError:
        return SLOW
    except Exception as error:  # noqa: BLE001 - a bug in one answer must not take the control socket away
        return Reply(ExitCode.BUG, (f"this is a bug in perps-bot: {type(error).__name__}: {error}",))


def _turn_away(client: socket.socket) -> None:
    with client, suppress(OSError):
        client.send(_line(BUSY))


def _line(reply: Reply) -> bytes:
    return msgspec.json.encode(reply) + b"\n"


def _refuse(why: str) -> Reply:
    return Reply(ExitCode.USAGE, (f"the request is refused: {why}",))
