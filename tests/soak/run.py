"""Soaks the bot and prints what it held: ``python tests/soak/run.py virtual 24 10``, ``real 10 100``, ``venue 30 200``.

The numbers are hours (virtual) or minutes (real, venue), and events a second. ``kills 50 200`` kills the bot's process
at the venue so often. The exit code is 1 when something grew, or books and venue do not agree.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from loguru import logger

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.timing import run_virtual
from tests.soak import real, venue, virtual
from tests.soak.vitals import Vitals, growth


def show(vitals: Vitals) -> None:
    """Print a sample at once: whoever waits for hours wants to see."""
    print(vitals.line(), flush=True)


def main(kind: str = "virtual", length: str = "24", rate: str = "10") -> int:
    """Run one soak."""
    logger.remove()
    if kind == "virtual":
        samples = run_virtual(virtual.soak(float(length), float(rate), show))
    else:
        with TemporaryDirectory() as folder:
            try:
                if kind == "kills":
                    asyncio.run(venue.kill_often(int(length), float(rate), Path(folder)))
                    return 0
                soak, place = (venue.soak, Path(folder)) if kind == "venue" else (real.soak, Path(folder) / "state")
                samples = asyncio.run(soak(float(length), float(rate), place, show))
            except venue.Apart as apart:
                print(f"DEFECT: {apart}")
                return 1
    found = growth(samples)
    print("\n".join(found) or "nothing grew")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
