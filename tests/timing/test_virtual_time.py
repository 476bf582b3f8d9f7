"""The event loop of virtual time."""

import asyncio
import socket
import time

import pytest

from app.timing import VirtualDeadlock, run_virtual


def test_a_week_of_sleep_costs_no_wall_time():
    started = time.monotonic()

    async def sleep_a_week():
        await asyncio.sleep(7 * 86_400)
        return asyncio.get_running_loop().time()

    assert run_virtual(sleep_a_week()) == pytest.approx(7 * 86_400)
    assert time.monotonic() - started < 5


def test_timers_fire_in_the_order_of_their_times():
    """Whatever the order in which they were set, and each at its time."""

    async def main():
        loop = asyncio.get_running_loop()
        woken = []

        async def sleeper(delay_s):
            await asyncio.sleep(delay_s)
            woken.append((delay_s, round(loop.time(), 6)))

        await asyncio.gather(*(sleeper(delay) for delay in (3, 1, 2)))
        return woken

    assert run_virtual(main()) == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_what_is_ready_runs_before_time_moves():
    async def main():
        loop = asyncio.get_running_loop()
        for _ in range(100):
            await asyncio.sleep(0)
        return loop.time()

    assert run_virtual(main()) == 0


def test_timeouts_are_virtual_too():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3_600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(3_600)


def test_waiting_for_nothing_is_an_error_and_not_a_hang():
    async def main():
        await asyncio.sleep(2)
        await asyncio.Event().wait()

    with pytest.raises(VirtualDeadlock, match=r"at 2\.000000 s of virtual time every task waits") as caught:
        run_virtual(main())
    assert caught.value.now_s == 2


def test_a_socket_that_is_ready_is_read_before_time_jumps():
    async def main():
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            loop = asyncio.get_running_loop()
            loop.call_later(3_600, pytest.fail, "time jumped")
            loop.call_soon(loop.call_soon, theirs.send, b"x")
            return await loop.sock_recv(ours, 1), loop.time()

    assert run_virtual(main()) == (b"x", 0)


def test_exceptions_come_out():
    async def main():
        await asyncio.sleep(1)
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        run_virtual(main())


def test_cancelled_timers_are_not_kept():
    """The loop reaches into asyncio's own: this is what it must leave as asyncio itself would."""

    async def main():
        loop = asyncio.get_running_loop()
        for delay_s in range(1, 1001):
            loop.call_later(delay_s, pytest.fail, "cancelled").cancel()
            await asyncio.sleep(0.001)
        await asyncio.sleep(2_000)
        return len(loop._scheduled), loop._timer_cancelled_count, len(loop._ready)

    assert run_virtual(main()) == (0, 0, 0)
