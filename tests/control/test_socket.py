"""The control socket: private, bounded, and no client can harm another or the bot."""

import asyncio
import contextlib
import json
import os
import socket
import stat
from pathlib import Path

import pytest

from app.control import ControlSocket, NoAnswer, NobodyListens, ask
from app.control.address import OPEN_FOLDERS, PATH_BYTES_MAX, SocketPathTooLong, socket_address
from app.ports.control import Reply, Request
from app.ports.exit_codes import ExitCode

DONE = Reply(ExitCode.CLEAN, ("done",))


@pytest.fixture
def folder(tmp_path):
    """A short path, whatever the test is called."""
    made = tmp_path / "s"
    made.mkdir(mode=0o700)
    return made


@contextlib.asynccontextmanager
async def served(folder, answer):
    """Serve until the block ends."""
    serving = asyncio.ensure_future(ControlSocket(folder).serve(answer))
    # Its first step binds and listens.
    await asyncio.sleep(0)
    try:
        yield serving
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def done(request):
    return DONE


def asked(folder, request):
    return asyncio.to_thread(ask, folder, request)


async def said(folder, line, *, end=True):
    """Say a line to the socket; return the reply."""
    with socket_address(folder) as address:
        reader, writer = await asyncio.open_unix_connection(address)
    writer.write(line)
    if end:
        writer.write_eof()
    reply = await reader.read()
    writer.close()
    await writer.wait_closed()
    return json.loads(reply) if reply else None


async def test_a_request_is_answered(folder):
    requests = []

    async def answer(request):
        requests.append(request)
        return DONE

    request = Request("halt", reason="cable on fire")
    async with served(folder, answer):
        assert await asked(folder, request) == DONE
    assert requests == [request]


async def test_only_the_owner_may_speak_with_it_and_it_goes_with_the_bot(folder):
    mask = os.umask(0o077)
    os.umask(mask)
    async with served(folder, done):
        assert stat.S_IMODE((folder / "control.sock").stat().st_mode) == 0o600
        assert os.umask(mask) == mask
    assert not (folder / "control.sock").exists()
    with pytest.raises(NobodyListens):
        await asked(folder, Request("halt"))


async def test_the_socket_of_a_killed_bot_is_replaced(folder):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "control.sock"))
    with pytest.raises(NobodyListens):
        await asked(folder, Request("halt"))

    async with served(folder, done):
        while True:
            with contextlib.suppress(NobodyListens):
                assert await asked(folder, Request("halt")) == DONE
                return


GARBAGE = [
    (b"\x00\xff\xfe\n", "the request is refused"),
    (b"halt\n", "the request is refused"),
    (b"{}\n", "missing required field `command`"),
    (b"", "the request is refused"),
    (b'{"command": "sell everything"}\n', "Invalid enum value 'sell everything'"),
    (b'{"command": "halt", "colour": "red"}\n', "unknown field `colour`"),
    (b'{"command": "halt", "wait_s": 1e9}\n', "`float` <= 300.0"),
    (b'{"command": "halt", "reason": "' + b"x" * 201 + b'"}\n', "length <= 200"),
    (b"x" * 5000, "longer than 4096 bytes"),
]


@pytest.mark.parametrize(("line", "why"), GARBAGE, ids=[why for _, why in GARBAGE])
async def test_garbage_is_refused_and_the_next_client_served(folder, line, why):
    async with served(folder, done):
        refused = await said(folder, line)
        assert refused["code"] == ExitCode.USAGE
        assert why in refused["lines"][0]
        assert await asked(folder, Request("halt")) == DONE


async def test_a_client_that_hangs_keeps_nobody_waiting(folder, mocker):
    """One says nothing, one is being answered; the third is served at once. The first is dropped after its time."""
    mocker.patch("app.control.server.LINE_S", 0.2)
    release = asyncio.Event()

    async def answer(request):
        if request.command == "flatten":
            await release.wait()
        return DONE

    async with served(folder, answer):
        with socket_address(folder) as address:
            reader, writer = await asyncio.open_unix_connection(address)
        slow = asyncio.ensure_future(asked(folder, Request("flatten")))
        assert await asked(folder, Request("halt")) == DONE
        assert await reader.read() == b""
        writer.close()
        release.set()
        assert await slow == DONE


async def test_more_clients_than_fit_are_turned_away_and_fit_again_later(folder, mocker):
    mocker.patch("app.control.server.CLIENTS_MAX", 1)
    async with served(folder, done):
        with socket_address(folder) as address:
            _, writer = await asyncio.open_unix_connection(address)
        with pytest.raises(NobodyListens, match="8 others ask at once"):
            await asked(folder, Request("halt"))
        writer.close()
        await writer.wait_closed()
        # The end of a client is noticed by the loop's next turn.
        await asyncio.sleep(0.01)
        assert await asked(folder, Request("halt")) == DONE


async def test_a_client_that_goes_away_harms_nobody(folder):
    async def answer(request):
        if request.command == "flatten":
            await asyncio.sleep(0.05)
        return DONE

    async with served(folder, answer):
        with socket_address(folder) as address:
            _, writer = await asyncio.open_unix_connection(address)
        writer.write(b'{"command": "flatten"}\n')
        writer.transport.abort()
        assert await asked(folder, Request("halt")) == DONE


async def test_a_bug_in_an_answer_is_told_and_the_next_client_served(folder):
    async def answer(request):
        if request.command == "flatten":
            raise ArithmeticError("broken")
        return DONE

    async with served(folder, answer):
        bug = await asked(folder, Request("flatten"))
        assert (bug.code, bug.lines) == (ExitCode.BUG, ("this is a bug in perps-bot: ArithmeticError: broken",))
        assert await asked(folder, Request("halt")) == DONE


async def test_an_answer_that_takes_too_long_is_given_up(folder, mocker):
    mocker.patch("app.control.server.ANSWER_MARGIN_S", 0.0)

    async def answer(request):
        await asyncio.sleep(60)

    async with served(folder, answer):
        reply = await asked(folder, Request("halt", wait_s=0.05))
    assert reply.code is ExitCode.UNCLEAN_STOP
    assert "could not answer in time" in reply.lines[0]


async def test_a_bot_that_hangs_is_given_up_by_the_client(folder, mocker):
    mocker.patch("app.control.client.MARGIN_S", 0.05)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(folder / "control.sock"))
        deaf.listen()
        with pytest.raises(NoAnswer, match="timed out"):
            await asked(folder, Request("halt", wait_s=0))


async def test_a_bot_that_ends_while_it_is_asked_listens_no_more(folder):
    taken = asyncio.Event()

    async def answer(request):
        taken.set()
        await asyncio.sleep(60)

    async with served(folder, answer) as serving:
        asking = asyncio.ensure_future(asked(folder, Request("halt")))
        await taken.wait()
        serving.cancel()
        with pytest.raises(NobodyListens):
            await asking


async def test_an_accept_that_fails_is_tried_again(folder, mocker):
    mocker.patch("app.control.server.PAUSE_S", 0.0)
    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, [OSError(24, "too many open files")]

    async def flaky(listener):
        if failures:
            raise failures.pop()
        return await accept(listener)

    mocker.patch.object(loop, "sock_accept", flaky)
    async with served(folder, done):
        assert await asked(folder, Request("halt")) == DONE


# -- long paths -------------------------------------------------------------------------------------------------


def long_folder(tmp_path):
    made = tmp_path / ("x" * 60) / ("y" * 60)
    made.mkdir(parents=True)
    assert len(os.fsencode(made)) > PATH_BYTES_MAX
    return made


@pytest.mark.skipif(not OPEN_FOLDERS.is_dir(), reason="this system has no folder of open files")
async def test_a_path_that_is_too_long_is_taken_through_the_opened_folder(tmp_path):
    folder = long_folder(tmp_path)
    async with served(folder, done):
        assert (folder / "control.sock").is_socket()
        assert await asked(folder, Request("halt")) == DONE


async def test_where_there_is_no_way_around_a_long_path_it_is_refused(tmp_path, mocker):
    mocker.patch("app.control.address.OPEN_FOLDERS", Path("/nowhere"))
    folder = long_folder(tmp_path)
    with pytest.raises(SocketPathTooLong, match=r"a unix socket may have 103: set storage\.folder to a shorter one"):
        await ControlSocket(folder).serve(done)
    with pytest.raises(NobodyListens):
        await asked(folder, Request("halt"))
