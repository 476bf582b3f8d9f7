"""What a strategy decides on some data: the targets of a whole run of the bot."""

import asyncio
from collections.abc import Iterable, Iterator

from loguru import logger

from app.backtest import Backtest
from app.domain.money import ZERO
from app.domain.target import Target
from app.exchanges.simulated import open_recorded
from app.ports.exit_codes import ExitCode
from app.research.errors import Interrupted, ResearchRefused, TrialFailed
from app.settings import LoadedSettings


def decisions_of(loaded: LoadedSettings) -> list[Target]:
    """Run the bot to the end of the data; return its targets, in their order.

    Raises:
        Interrupted: A signal came.
        TrialFailed: It did not run through.
    """
    logger.remove()
    run = asyncio.run(Backtest(loaded).run())
    if run.interruption is not None:
        raise Interrupted(f"{run.interruption}: there is no verdict")
    if run.result.is_signalled:
        # This run had ended by then; what was to end is the analysis.
        raise Interrupted("interrupted: there is no verdict")
    if run.exit_code is not ExitCode.CLEAN:
        raise TrialFailed(f"a run did not go through: {'; '.join(run.failures)}")
    return run.figures.targets


def opens_of(loaded: LoadedSettings, bars_min: int) -> list[int]:
    """Return when the bars open that a run is on, UTC nanoseconds: those between the times that the settings give.

    Args:
        loaded: Of a backtest on the candles of one symbol.
        bars_min: Fewer tell nothing.

    Raises:
        BadDataFile: The file cannot be used.
        ResearchRefused: There are fewer.
    """
    simulated = loaded.settings.exchange.simulated
    (candles,) = simulated.data
    rows, _ = open_recorded(simulated, candles).table(0)
    if len(rows) < bars_min:
        raise ResearchRefused(f"the data has {len(rows)} bars between the times asked for: {bars_min} are the least")
    opens: list[int] = rows["time"].to_list()
    return opens


def refuse_if_none(decisions: Iterable[list[Target]]) -> None:
    """Refuse to call equal what is empty.

    Raises:
        ResearchRefused: No run decided anything.
    """
    if not any(decisions):
        raise ResearchRefused("nothing was decided at the times that are compared: there is no verdict")


def sides_at(targets: list[Target], times_ns: Iterable[int]) -> Iterator[int]:
    """Yield which side was wanted at each of rising times: 1 long, -1 short, 0 none or nothing yet."""
    place, contracts = 0, ZERO
    for time_ns in times_ns:
        while place < len(targets) and targets[place].time_ns <= time_ns:
            contracts = targets[place].contracts
            place += 1
        yield (contracts > 0) - (contracts < 0)
