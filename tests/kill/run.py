"""Kills the bot as often as you like: ``python tests/kill/run.py --kills 1000``.

With ``--lanes 2`` two bots die side by side, each with a venue of its own. ``--storage-url`` names a PostgreSQL
database instead of the SQLite file of the run's own folder; it must be empty, and takes one lane.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.kill.harness import Defect, kill_often  # noqa: E402 - the path comes first


async def run(kills: int, seed: int, lanes: int, url: str | None, folder: Path) -> None:
    runs = []
    for lane in range(lanes):
        own = folder / str(lane)
        own.mkdir(parents=True)
        share = kills // lanes + (lane < kills % lanes)
        runs.append(kill_often(own, seed + lane, share, url=url))
    await asyncio.gather(*runs)


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--kills", type=int, default=50)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--lanes", type=int, default=1)
    words.add_argument("--storage-url")
    words.add_argument("--keep", type=Path, help="folder for journals and logs, kept for a look at them")
    given = words.parse_args()
    lanes = 1 if given.storage_url else max(1, min(given.lanes, given.kills))
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        try:
            asyncio.run(run(given.kills, given.seed, lanes, given.storage_url, folder))
        except Defect as defect:
            print(f"DEFECT: {defect}")
            return 1
    print("no order was lost or sent twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())
