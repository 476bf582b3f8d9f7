"""Soaks the bot and prints what it held: ``python tests/soak/run.py virtual 24 10`` or ``real 10 100``.

The numbers are hours (virtual) or minutes (real), and events a second. The exit code is 1 when something grew.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from loguru import logger

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.timing import run_virtual
from tests.soak import real, virtual
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
            samples = asyncio.run(real.soak(float(length), float(rate), Path(folder) / "state", show))
    found = growth(samples)
    print("\n".join(found) or "nothing grew")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
