"""The bot as a process at a venue on loopback: it trades, is killed, and goes on."""

import asyncio
import os
import sys
from collections import Counter
from decimal import Decimal
from random import Random

import pytest
import sqlalchemy as sa

from app.exchanges.ccxt.venues import VENUES
from app.storage import tables
from tests.loopback.binance import LoopbackBinance
from tests.loopback.hyperliquid import LoopbackHyperliquid
from tests.loopback.profile import keys_of, write_profile

KILLS = 5
READY_S = 60


class Life:
    """One process."""

    def __init__(self, process):
        self._process = process
        self.lines = []

    @classmethod
    async def begin(cls, profile, environment, *words):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app", "run", "--profile", str(profile), "--plain", *words),
            env=clean | environment | {"PYTHONPATH": "."},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return cls(process)

    async def ready(self):
        async with asyncio.timeout(READY_S):
            async for line in self._process.stdout:
                self.lines.append(line.decode())
                if b"READY" in line:
                    return
        raise AssertionError("".join(self.lines))

    async def kill(self):
        self._process.kill()
        await self.end()

    async def end(self):
        async for line in self._process.stdout:
            self.lines.append(line.decode())
        return await self._process.wait()


def journalled(folder):
    engine = sa.create_engine(f"sqlite:///{folder / 'journal.sqlite'}", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        return {row.client_order_id for row in connection.execute(sa.select(tables.orders))}


@pytest.fixture(params=[LoopbackBinance, LoopbackHyperliquid], ids=lambda venue: venue.name)
async def venue(request):
    made = await request.param().start()
    yield made
    await made.stop()


async def wander(venue):
    """Let the price go up and down, far enough for limits and stops to be met."""
    random = Random(7)
    while True:
        await asyncio.sleep(0.05)
        moved = venue.price + random.randint(-60, 60)
        venue.step(min(Decimal(50_500), max(Decimal(49_500), moved)))


async def test_a_bot_that_is_killed_again_and_again_loses_no_order_and_sends_none_twice(venue, tmp_path):
    """After the last start everything is closed, cleanly, and the journal knows every order that ever arrived."""
    folder, profile = tmp_path / "state", tmp_path / "loopback.toml"
    environment = write_profile(profile, venue, folder)
    moving, random, lines = asyncio.create_task(wander(venue)), Random(1), []
    for _ in range(KILLS):
        life = await Life.begin(profile, environment)
        await life.ready()
        await asyncio.sleep(random.uniform(0.3, 2.5))
        await life.kill()
        lines += life.lines
    write_profile(profile, venue, folder, stop_policy="flatten")
    last = await Life.begin(profile, environment, "--for", "3s")
    code = await last.end()
    moving.cancel()
    lines += last.lines
    said = "".join(lines)

    assert code == 0, said
    ids = VENUES[venue.name].ids("main")
    ours = Counter({ids.from_venue(cid): times for cid, times in venue.arrived.items()})
    assert len(ours) > KILLS, said
    assert {cid: times for cid, times in ours.items() if times > 1} == {}
    assert set(ours) <= journalled(folder)
    assert venue.engine.open_orders() == ()
    assert venue.engine.books.positions == ()
    assert [name for name, value in keys_of(venue).items() if value in said] == []


async def test_keys_that_are_missing_get_one_sentence(venue, tmp_path):
    profile = tmp_path / "loopback.toml"
    write_profile(profile, venue, tmp_path / "state")
    life = await Life.begin(profile, {})
    assert await life.end() == 4
    assert f"exchange.ccxt.{VENUES[venue.name].credentials[0]}" in "".join(life.lines)


async def test_paper_needs_no_keys_and_asks_the_venue_for_nothing_but_its_market(venue, tmp_path):
    """It trades, ends cleanly, and goes on with the same account; the venue never sees an order."""
    folder, profile = tmp_path / "state", tmp_path / "paper.toml"
    write_profile(profile, venue, folder, adapter="paper", kind="paper", stop_policy="flatten")
    moving = asyncio.create_task(wander(venue))
    for _ in range(2):
        life = await Life.begin(profile, {}, "--for", "3s")
        assert await life.end() == 0, "".join(life.lines)
    moving.cancel()

    assert len(journalled(folder)) > 2
    assert venue.writes == []
    assert not venue.arrived
