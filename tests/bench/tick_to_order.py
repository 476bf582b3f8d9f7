"""Measures how soon an order leaves after the price that it was decided on: the whole bot at a venue on loopback."""

import asyncio
import gc
import os
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

from tests.builders import BTC

ORDERS = 300
EVERY_S = 0.03
PATIENCE_S = 120


def tick_to_order():
    """Return p50 and p99, in ms, from a parsed mark to a signed request, of its two halves, and of two floors.

    The first half is the bot's: decision, checks, journal. The second is the adapter's: its turn, translation, ccxt.
    The floors are one row committed with SQLite FULL and then ccxt's create_order, with nothing of ours around them, as
    seldom as the orders above; and a bare fsync.
    """
    with tempfile.TemporaryDirectory() as folder:
        return (*asyncio.run(_measure(Path(folder))), _fsyncs(Path(folder)))


async def _measure(folder):
    """From the mark taken off the socket to ccxt's hand-over of the signed request: journal commit included."""
    from loguru import logger

    from app.container import Container
    from app.domain.market import MarkPrice
    from app.settings import load_settings
    from tests.loopback.binance import LoopbackBinance
    from tests.loopback.profile import write_profile

    logger.remove()
    venue = await LoopbackBinance().start()
    venue.quiet = True
    profile = folder / "bench.toml"
    os.environ.update(write_profile(profile, venue, folder / "state"))
    container = Container(
        loaded=load_settings(
            str(profile),
            ["exchange.ccxt.requests_per_s_max=100", "strategies.fickle.strategy=tests.bench.strategies.Switching"],
        )
    )
    await container.init_resources()
    gc.freeze()  # as ``python -m app run`` does
    exchange = container.exchange()
    times, decided, parsed, submitted = [], [], [0.0], [0.0]
    queue, client, sender = exchange._market.session.queue, exchange._connected.line.client, exchange._connected.sender
    put, fetch, request = queue.put, client.fetch, sender._request

    def seen(event):
        if isinstance(event, MarkPrice):
            parsed[0] = time.perf_counter()
        put(event)

    def asked(order):
        submitted[0] = time.perf_counter()
        return request(order)

    async def handed_over(url, method="GET", headers=None, body=None):
        if method == "POST" and parsed[0] and "rder" in url:
            times.append(time.perf_counter() - parsed[0])
            decided.append(submitted[0] - parsed[0])
            parsed[0] = 0.0
        return await fetch(url, method, headers, body)

    queue.put, client.fetch, sender._request = seen, handed_over, asked
    deadline = time.monotonic() + PATIENCE_S
    while len(times) < ORDERS and time.monotonic() < deadline:
        venue.step()
        await asyncio.sleep(EVERY_S)
    floors = await _floors(client, folder / "floor.sqlite3")
    await container.shutdown_resources()
    await venue.stop()
    sent = [whole - half for whole, half in zip(times, decided, strict=True)]
    return _spread(times), _spread(decided), _spread(sent), _spread(floors)


class _Signed(Exception):
    """The request would be handed over now."""


async def _floors(client, path):
    async def signed(*_, **__):
        raise _Signed

    client.fetch, times = signed, []
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript("pragma journal_mode=wal; pragma synchronous=full; create table intents (payload)")
        for number in range(ORDERS):
            await asyncio.sleep(EVERY_S)
            began = time.perf_counter()
            database.execute("begin immediate")
            database.execute("insert into intents values (?)", ("x" * 400,))
            database.execute("commit")
            with suppress(_Signed):
                await client.create_order(BTC, "limit", "buy", 0.01, 50_000.0, {"newClientOrderId": f"floor{number}"})
            times.append(time.perf_counter() - began)
    return times


def _fsyncs(folder):
    times = []
    with (folder / "bare").open("wb") as file:
        for _ in range(ORDERS):
            file.write(b"x" * 200)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return _spread(times)


def _spread(seconds):
    ordered = sorted(seconds)
    return len(ordered), ordered[len(ordered) // 2] * 1000, ordered[int(len(ordered) * 0.99) - 1] * 1000
