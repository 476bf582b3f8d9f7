"""What a bot that is up says of itself: what runs, where its state lies, and what holds trading back."""

from collections.abc import Iterator
from pathlib import Path

from loguru import logger

from app.domain.events import ReasonRaised
from app.domain.reasons import EXECUTION, LIFECYCLE, MARK_STALE, RECONCILING, RISK, STOPPING
from app.domain.trading_state import TradingState
from app.settings import LoadedSettings
from app.state import journal_place

LOOK_AGAIN_S = 30.0
"""After the start, what belongs to every start is over; if it is not, somebody must know."""
OF_EVERY_START = frozenset({(LIFECYCLE, STOPPING), (EXECUTION, RECONCILING), (RISK, MARK_STALE)})
"""Reasons, by owner and code, that a start holds until the books are compared and each mark has come."""


def greet(loaded: LoadedSettings, folder: Path | None, trading: TradingState) -> None:
    """Say what runs, and warn of what holds trading back."""
    settings = loaded.settings
    running = ", ".join(
        f"{name if item.strategy == name else f'{name} ({item.strategy})'} on {' '.join(item.symbols)}"
        for name, item in settings.strategies.items()
    )
    if folder is None:
        state, look = "state is kept in memory only", ""
    else:
        state, look = f"state lies in {journal_place(settings, folder)}", f"{loaded.command('status')}, "
    logger.info(f"READY: {running or 'no strategy'}; exchange {settings.exchange.adapter}, profile {settings.profile}")
    logger.info(f"{state}")
    logger.info(f"Ctrl-C stops cleanly; try next: {look}python -m app strategy new my_idea")
    for words in _held_back(loaded, trading, [r for r in trading.reasons if (r.owner, r.code) not in OF_EVERY_START]):
        logger.warning(f"READY, but {words}")


def warn_of_what_stayed(loaded: LoadedSettings, trading: TradingState) -> None:
    """Warn of what belongs to every start and is still there: it was no warning then."""
    if trading.holds(LIFECYCLE, STOPPING):
        return
    for words in _held_back(loaded, trading, [r for r in trading.reasons if (r.owner, r.code) in OF_EVERY_START]):
        logger.warning(f"{LOOK_AGAIN_S:g} s after the start still {words}")


def _held_back(loaded: LoadedSettings, trading: TradingState, reasons: list[ReasonRaised]) -> Iterator[str]:
    if reasons:
        why = ", ".join(f"{reason.owner}:{reason.code} ({reason.detail})" for reason in reasons)
        lifted = f": {loaded.command('resume')} lifts what is latched" if any(r.latched for r in reasons) else ""
        yield f"{trading.level}: {why}{lifted}"
