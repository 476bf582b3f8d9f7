"""Starts a venue and a bot, kills the bot again and again, and asks both what they think of it."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from signal import SIGKILL, SIGTERM
from statistics import quantiles
from typing import Any

import msgspec

from app.storage.engine import JOURNAL_FILE
from tests.kill.adapter import ADDRESS_VARIABLE
from tests.kill.audit import differences, duplicates, orphans, read_books, unprotected
from tests.kill.link import Link
from tests.kill.protocol import Aim, Report

ROOT = Path(__file__).parents[2]
PROFILE = Path(__file__).with_name("profile.toml")
ACCOUNT = "killed"
SHORT_LEASE = ("storage.lease_s=1", "storage.lease_renew_every_s=0.3")
"""A dead bot's lease keeps the next one waiting."""
READY_S = 60.0
"""A start that takes longer has failed."""
SETTLED_S = 60.0
"""In a calm market, until books and exchange must agree: several times what a request may travel."""
LIFE_S_MAX = 1.0
EARLY_S_MAX = 1.2
AIM_S = 3.0
"""For the moment aimed at to come; a bot that does nothing is killed without."""
AIMS = ("submit", "cancel", "fill")
WAYS = ("early", "early", "late", "submit", "submit", "cancel", "fill")
"""A start is hit in imports, recovery or reconciliation; a bot that runs at any moment, or at the very worst one."""
AUDIT_EVERY = 3
"""Lives between two looks at the books."""
BOT_OUTLIVES_S = 300
"""A bot whose harness was killed ends by itself."""

STOPPED = {"lifecycle:stopping"}
"""What a bot that was stopped leaves, and the next one clears."""


class Defect(AssertionError):
    """Something that must never happen."""


class Tally(msgspec.Struct):
    """What a run has seen."""

    kills: dict[str, int] = {}
    """By the moment that they hit."""
    audits: int = 0
    ready_s: list[float] = []
    """From the start of the process to READY, of every life but the first."""
    ready_cpu_s: list[float] = []
    """Of it, what the process itself needed: the rest is the machine's load."""
    requests: dict[str, int] = {}
    orders: int = 0
    fills: int = 0
    fills_unseen: int = 0
    late: int = 0
    duplicates: int = 0
    orphans: int = 0

    def lines(self) -> list[str]:
        return [
            f"kills {sum(self.kills.values())}: {json.dumps(self.kills)}; looks at the books {self.audits}",
            f"orders {self.orders}, fills {self.fills}, of them {self.fills_unseen} while no bot listened",
            f"refused as too late {self.late}; requests {json.dumps(self.requests)}",
            f"duplicates {self.duplicates}, orphans {self.orphans}",
            f"restart to READY: {spread(self.ready_s)}; CPU of it: {spread(self.ready_cpu_s)}",
            f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        ]


def spread(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "too few to say"
    cuts = quantiles(seconds, n=20, method="inclusive")
    return f"p50 {cuts[9]:.2f} s, p95 {cuts[18]:.2f} s of {len(seconds)}"


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used (proc_pid_stat(5): utime and stime); 0 of one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bot:
    """One life of the bot: a process of ``python -m app run``."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._began = time.monotonic()
        self._log = log
        self._ready = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @property
    def is_ready(self) -> bool:
        return self._ready.is_set()

    async def ready(self) -> tuple[float, float]:
        """Return how long it took to be ready, by the wall and of processor time."""
        waits = {asyncio.ensure_future(self._ready.wait()), asyncio.ensure_future(self._process.wait())}
        try:
            await asyncio.wait(waits, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not self._ready.is_set():
            await self.end(SIGKILL)
            raise Defect(f"the bot did not start (exit code {self._process.returncode}):\n{self._tail()}")
        return self._took

    @property
    def pid(self) -> int:
        return self._process.pid

    async def died(self, seconds: float) -> None:
        """Return when it has been killed, or after ``seconds``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._process.wait()

    async def end(self, signal: int) -> int:
        """Send a signal, and return the exit code."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal)
        code = await self._process.wait()
        await self._reading
        return code

    def still_runs(self) -> None:
        if self._process.returncode is not None:
            raise Defect(f"the bot ended by itself (exit code {self._process.returncode}):\n{self._tail()}")

    async def _read(self) -> None:
        with self._log.open("ab") as log:
            async for line in self._process.stderr:
                log.write(line)
                if b"READY" in line and not self._ready.is_set():
                    self._took = time.monotonic() - self._began, cpu_s(self.pid)
                    self._ready.set()

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


class Rig:
    """A venue, and the bots that trade on it one after another."""

    def __init__(self, folder: Path, seed: int, port: int, desk: Link, overrides: list[str], url: str | None) -> None:
        self._folder = folder
        self._random = Random(f"kill:{seed}")
        self._desk = desk
        self._overrides = [*overrides, *([] if url is None else ["storage.backend=postgres", *SHORT_LEASE])]
        self._journal = url or f"sqlite:///{folder / 'state' / JOURNAL_FILE}"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("APP_")},
            "PYTHONPATH": str(ROOT),
            ADDRESS_VARIABLE: f"127.0.0.1:{port}",
            # Not on the command line, where everybody could read it.
            **({} if url is None else {"APP__STORAGE__URL": url}),
        }
        self.tally = Tally()
        self._bot: Bot | None = None

    async def kill(self, times: int) -> None:
        """Kill the bot ``times``, each time at another moment of its life, and look at the books in between.

        Raises:
            Defect: An order was lost or sent twice, or books and exchange do not agree.
        """
        for number in range(1, times + 1):
            if number % AUDIT_EVERY == 0:
                await self.audit()
                await self._desk.ask("calm", args=False)
            await self._live_and_die()
        await self.audit()
        code = await self._bot.end(SIGTERM)
        if code:
            raise Defect(f"the last bot did not stop cleanly: exit code {code}")
        await self._compare()

    async def audit(self) -> None:
        """Start a bot in a calm market, and have books and exchange agree."""
        await self._desk.ask("calm", args=True)
        await self._start()
        await self._ready()
        await self._compare()
        self.tally.audits += 1

    async def close(self) -> None:
        if self._bot is not None:
            await self._bot.end(SIGKILL)

    async def _live_and_die(self) -> None:
        how = self._random.choice(WAYS)
        moment = self._random.uniform(0, EARLY_S_MAX if how == "early" else LIFE_S_MAX)
        if self._bot is None:
            await self._start()
        if how != "early" and not self._bot.is_ready:
            await self._ready()
        await asyncio.sleep(moment)
        if how == "early" and self._bot.is_ready:
            how = "late"
        self._bot.still_runs()
        if how in AIMS:
            await self._desk.ask("aim", Aim(self._bot.pid, how))
            await self._bot.died(AIM_S)
            await self._desk.ask("aim", Aim(0, ""))
        await self._bot.end(SIGKILL)
        self.tally.kills[how] = self.tally.kills.get(how, 0) + 1
        self._bot = None

    async def _ready(self) -> None:
        wall_s, needed_s = await self._bot.ready()
        if self.tally.kills:
            # The first start makes the database: that is no restart.
            self.tally.ready_s.append(wall_s)
            self.tally.ready_cpu_s.append(needed_s)

    async def _start(self) -> None:
        words = ["run", "--profile", str(PROFILE), "--plain", "--for", f"{BOT_OUTLIVES_S}s"]
        settings = [f"account.id={ACCOUNT}", f"storage.folder={self._folder / 'state'}", *self._overrides]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app",
            *words,
            *(word for setting in settings for word in ("--set", setting)),
            cwd=self._folder,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self._bot = Bot(process, self._folder / "bot.log")

    async def _compare(self) -> None:
        """Wait until books and exchange agree; what was sent twice or is not on record is a defect at once."""
        deadline = time.monotonic() + SETTLED_S
        while True:
            report: Report = await self._desk.ask("report", timeout_s=60.0)
            books = read_books(self._journal, ACCOUNT)
            self._note(report)
            twice, unknown = duplicates(report), orphans(report, books)
            self.tally.duplicates, self.tally.orphans = len(twice), len(unknown)
            if twice or unknown:
                raise Defect("; ".join(twice + unknown))
            apart = differences(report, books) + unprotected(report)
            apart += [f"trading is still held back: {reason}" for reason in sorted(books.reasons - STOPPED)]
            if not apart:
                return
            if time.monotonic() > deadline:
                raise Defect(f"after {SETTLED_S:g} s in a calm market: {'; '.join(apart)}")
            await asyncio.sleep(0.05)

    def _note(self, report: Report) -> None:
        tally = self.tally
        tally.requests, tally.late = report.requests, report.late
        tally.orders, tally.fills, tally.fills_unseen = len(report.orders), len(report.fills), report.fills_unseen


@asynccontextmanager
async def rig(
    folder: Path, seed: int, overrides: list[str] | None = None, url: str | None = None
) -> AsyncIterator[Rig]:
    """Open a venue; at the end nothing is left running, whatever happened."""
    venue = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.kill.venue_process",
        "--seed",
        str(seed),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        port = int(await venue.stdout.readline())
        desk = Link("127.0.0.1", port)
        await desk.open()
        made = Rig(folder, seed, port, desk, overrides or [], url)
        try:
            yield made
        finally:
            await made.close()
            await desk.close()
    finally:
        venue.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await venue.wait()
        if venue.returncode is None:
            venue.kill()
            await venue.wait()


async def kill_often(folder: Path, seed: int, times: int, **given: Any) -> Tally:
    """Run a rig for so many kills; return what it has seen."""
    async with rig(folder, seed, **given) as made:
        try:
            await made.kill(times)
        finally:
            print("\n".join(f"seed {seed}: {line}" for line in made.tally.lines()), flush=True)
        return made.tally
