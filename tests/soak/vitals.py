"""What a process holds: memory, tasks, open files. Looked at over time, none of them may grow."""

import asyncio
import gc
import os
from pathlib import Path
from statistics import median

import msgspec

MB = 1_000_000
WARM_RATIO = 0.25
"""Part of a run after which everything that is kept for good has been made: caches, pools, windows."""
MEMORY_MB_MAX = 24.0
TASKS_MAX = 2
FILES_MAX = 2


class Vitals(msgspec.Struct, frozen=True):
    """At one moment."""

    hours: float
    events: int
    memory_mb: float
    """Resident set."""
    tasks: int | None
    """None of another process: nobody but itself can count them."""
    files: int

    def line(self) -> str:
        """Return it for people."""
        return (
            f"{self.hours:8.3f} h {self.events:9d} events  {self.memory_mb:7.1f} MB  "
            f"{'?' if self.tasks is None else self.tasks:>3} tasks  {self.files:3d} open files"
        )


def look(seconds: float, events: int, pid: int | None = None) -> Vitals:
    """Return what this process holds now, or another. Linux only."""
    gc.collect()
    place = f"/proc/{pid or 'self'}"
    pages = int(Path(place, "statm").read_text(encoding="ascii").split()[1])
    return Vitals(
        hours=seconds / 3600,
        events=events,
        memory_mb=pages * os.sysconf("SC_PAGE_SIZE") / MB,
        tasks=len(asyncio.all_tasks()) if pid is None else None,
        files=len(os.listdir(f"{place}/fd")),  # noqa: PTH208 - a path for each would open nothing, and cost more
    )


def growth(samples: list[Vitals]) -> list[str]:
    """Return what has grown since the process was warm, for people; nothing when all is well.

    Tasks and files come and go, so the least of the last quarter is compared with what was usual before it.
    """
    warm = samples[int(len(samples) * WARM_RATIO) :]
    if len(warm) < 4:
        return [f"{len(samples)} samples are too few to judge"]
    split = len(warm) * 3 // 4
    early, late = warm[:split], warm[split:]
    found = []
    grown_mb = min(v.memory_mb for v in late) - min(v.memory_mb for v in early)
    if grown_mb > MEMORY_MB_MAX:
        found.append(f"memory grew by {grown_mb:.1f} MB, at most {MEMORY_MB_MAX:g} MB is no growth")
    for name, limit in (("tasks", TASKS_MAX), ("files", FILES_MAX)):
        if getattr(warm[0], name) is None:
            continue
        grown = min(getattr(v, name) for v in late) - int(median(getattr(v, name) for v in early))
        if grown > limit:
            found.append(f"{name} grew by {grown}, at most {limit} is no growth")
    return found
