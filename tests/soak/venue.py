"""The bot's process at a venue on loopback, over real sockets: faults every few seconds, or killed again and again."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from random import Random
from signal import SIGKILL, SIGTERM

from app.domain.ledger import Account
from app.domain.order import TERMINAL
from app.storage.engine import JOURNAL_FILE
from tests.kill.audit import Books, read_books
from tests.kill.harness import ROOT, Bot, spread
from tests.loopback.binance import LoopbackBinance
from tests.loopback.profile import write_profile
from tests.soak.vitals import Vitals, look

SAMPLES = 40
EVENTS_A_STEP = 3
"""A quote, a mark and a candle."""
FAULT_EVERY_S = (1.0, 5.0)
COMPARED_MAX = 100
"""How often the bot may ask for its balance in a calm market until books and venue must agree: on a busy machine, as on
an idle one, a comparison is what brings them nearer, and takes as long as it takes."""
ASKED_S_MAX = 60.0
"""Between two such questions: a bot that asks no more will never agree."""
LIFE_S = (0.2, 3.0)
WALK = (49_000, 51_000)
OF_A_STOP = {"lifecycle:stopping", "risk:mark_stale", "system_monitor:stream_silent"}
"""What a bot that was stopped at a silent market leaves, and the next start clears."""
LIMITED = (429, {"Retry-After": "1"})
REQUESTS = (
    *(
        ("submit", fault)
        for fault in ("hang", "hang_executed", "reset_executed", "garbage", "unavailable_executed", LIMITED)
    ),
    *(("cancel", fault) for fault in ("hang", "hang_executed", "reset_executed", "garbage", LIMITED)),
    *((name, fault) for name in ("balance", "openOrders", "userTrades") for fault in ("garbage", LIMITED)),
)


class Apart(AssertionError):
    """Books and venue do not agree, or an order was lost or sent twice."""


class Trouble:
    """Has something go wrong at the venue, again and again, until it is told to stop."""

    def __init__(self, venue: LoopbackBinance, random: Random) -> None:
        self._venue = venue
        self._random = random
        self.count = 0

    async def run(self) -> None:
        acts = (self._request, self._request, self._event, self._sockets, self._silence, self._keys, self._clock)
        while True:
            await asyncio.sleep(self._random.uniform(*FAULT_EVERY_S))
            await self._random.choice(acts)()
            self.count += 1

    async def _request(self) -> None:
        fault = self._random.choice(REQUESTS)
        if all(waiting[0] != fault[0] for waiting in self._venue.faults):
            self._venue.fail(*fault)

    async def _event(self) -> None:
        if not self._venue.event_faults:
            self._venue.event_faults.append(self._random.choice(("drop", "twice", "late")))

    async def _sockets(self) -> None:
        await self._venue.drop_sockets(self._random.choice(("public", "market", "private", None)))

    async def _silence(self) -> None:
        """Nothing comes through any socket, and none is closed."""
        self._venue.frozen = True
        try:
            await asyncio.sleep(self._random.uniform(1.0, 4.0))
        finally:
            self._venue.frozen = False

    async def _keys(self) -> None:
        self._venue.expire_keys()

    async def _clock(self) -> None:
        self._venue.skew_ms = self._random.randint(-400, 400)


class Rig:
    """A venue, its market, and the bot that trades there."""

    def __init__(self, folder: Path, venue: LoopbackBinance) -> None:
        self._folder = folder
        self._venue = venue
        self._environment = write_profile(folder / "loopback.toml", venue, folder / "state", stop_policy="cancel")
        self.bot: Bot | None = None
        self.market_rests = False

    async def start(self) -> float:
        """Start a bot; return the seconds until it was ready."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app", "run", "--profile", str(self._folder / "loopback.toml"), "--plain"),
            cwd=self._folder,
            env=clean | self._environment | {"PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self.bot = Bot(process, self._folder / "bot.log")
        wall_s, _ = await self.bot.ready()
        return wall_s

    async def agree(self) -> None:
        """Return once journal and venue say the same.

        Raises:
            Apart: They do not, however often the bot compares; or an order was sent twice, or is not on record.
        """
        asked = self._venue.asked
        begun = seen = len(asked("balance"))
        seen_s = time.monotonic()
        while found := self._apart():
            count, now_s = len(asked("balance")), time.monotonic()
            if count > seen:
                seen, seen_s = count, now_s
            if count - begun > COMPARED_MAX or now_s - seen_s > ASKED_S_MAX:
                raise Apart("; ".join(found))
            await asyncio.sleep(0.2)

    async def end(self) -> None:
        """Stop the bot cleanly, and have the last word compared. What it leaves protected, no price may meet then."""
        self.market_rests = True
        code = await self.bot.end(SIGTERM)
        if code:
            raise Apart(f"the bot did not stop cleanly: exit code {code}")
        await self.agree()

    def _apart(self) -> list[str]:
        venue, books = self._venue, self._books()
        ours = {key: count for key, count in venue.arrived.items() if key.startswith("main-")}
        defects = [f"{key} arrived {count} times" for key, count in ours.items() if count > 1]
        defects += [f"{key} is not in the journal" for key in ours if key not in books.orders]
        if defects:
            raise Apart("; ".join(defects))
        found = []
        ended = {status.value for status in TERMINAL}
        working = {key for key, status in books.orders.items() if status not in ended}
        there = {record.order.client_order_id for record in venue.engine.open_orders()}
        if working != there:
            found.append(f"orders {sorted(working - there)} only in the journal, {sorted(there - working)} only there")
        positions = {position.symbol: (position.contracts, position.cost) for position in venue.engine.books.positions}
        if positions != books.positions:
            found.append(f"positions {books.positions} in the journal, {positions} at the venue")
        totals = venue.engine.books.ledger.totals
        found += [
            f"{account}: {books.totals[account]} in the journal, {totals[account]} at the venue"
            for account in Account
            if books.totals[account] != totals[account]
        ]
        excused = OF_A_STOP if self.market_rests else set()
        return found + [f"held back: {reason}" for reason in sorted(books.reasons - excused)]

    def _books(self) -> Books:
        return read_books(f"sqlite:///{self._folder / 'state' / JOURNAL_FILE}", "main")


@asynccontextmanager
async def rig(folder: Path, rate: float) -> AsyncIterator[tuple[LoopbackBinance, Rig]]:
    """Open a venue that tells ``rate`` market events a second; at the end nothing is left running."""
    venue = await LoopbackBinance().start()
    venue.quiet = True
    made = Rig(folder, venue)
    market = asyncio.create_task(_wander(venue, EVENTS_A_STEP / rate, lambda: made.market_rests))
    try:
        yield venue, made
    finally:
        if made.bot is not None:
            await made.bot.end(SIGKILL)
        await _end(market)
        await venue.stop()


async def soak(minutes: float, rate: float, folder: Path, show: Callable[[Vitals], None]) -> list[Vitals]:
    """Run for ``minutes`` with a fault every few seconds; return what the bot's process held meanwhile.

    Raises:
        Apart: Books and venue do not agree in the end.
    """
    async with rig(folder, rate) as (venue, made):
        await made.start()
        trouble = Trouble(venue, Random("trouble"))
        troubling, began, samples = asyncio.create_task(trouble.run()), time.monotonic(), []
        try:
            for _ in range(SAMPLES):
                await asyncio.sleep(minutes * 60 / SAMPLES)
                made.bot.still_runs()
                seconds = time.monotonic() - began
                samples.append(look(seconds, int(seconds * rate), made.bot.pid))
                show(samples[-1])
        finally:
            await _end(troubling)
        _calm(venue)
        await made.agree()
        await made.end()
        print(
            f"{trouble.count} faults, {len(venue.arrived)} orders arrived, {len(venue.requests)} requests; books equal"
        )
    return samples


async def kill_often(times: int, rate: float, folder: Path) -> None:
    """Kill the bot ``times`` at the venue, with faults meanwhile, and look at the books after every fifth start.

    Raises:
        Apart: An order was lost or sent twice, or books and venue do not agree.
    """
    random, took = Random("kills"), []
    async with rig(folder, rate) as (venue, made):
        trouble = Trouble(venue, random)
        for number in range(times + 1):
            took.append(await made.start())
            if number % 5 == 0:
                await made.agree()
            if number == times:
                break
            troubling = asyncio.create_task(trouble.run())
            await asyncio.sleep(random.uniform(*LIFE_S))
            await made.bot.end(SIGKILL)
            await _end(troubling)
            _calm(venue)
        await made.end()
        print(f"{times} kills, {trouble.count} faults, {len(venue.arrived)} orders arrived, 0 duplicates, 0 orphans")
        print(f"start to READY: {spread(took)}")


async def _end(task: asyncio.Task) -> None:
    """End a task; what it fell over is raised, for without it the rest would prove nothing."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _calm(venue: LoopbackBinance) -> None:
    venue.faults.clear()
    venue.event_faults.clear()
    venue.frozen, venue.skew_ms = False, 0


async def _wander(venue: LoopbackBinance, every_s: float, rests: Callable[[], bool]) -> None:
    """Let the price go up and down, far enough for limits and stops to be met."""
    random, (low, high) = Random("market"), WALK
    due = time.monotonic()
    while True:
        due += every_s
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if not rests():
            venue.step(min(Decimal(high), max(Decimal(low), venue.price + random.randint(-20, 20))))
