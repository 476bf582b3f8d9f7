"""Which engine runs a search."""

from typing import Literal

import msgspec

from app.backtest import require_compiled
from app.research.event_path import EventPath
from app.research.trial import Movable, Window
from app.settings import ExtraMissing, LoadedSettings

EngineName = Literal["auto", "event", "compiled"]


class Chosen(msgspec.Struct, frozen=True):
    """An engine for all trials."""

    factory: Movable
    not_compiled: str | None = None
    """Why it is not the compiled one, which was wanted if possible."""


def choose_engine(name: EngineName, loaded: LoadedSettings, strategy_id: str, window: Window) -> Chosen:
    """Return the engine: with ``auto`` the compiled one where it can run the settings, otherwise the bot itself.

    Args:
        name: What is wanted.
        loaded: Settings of the search.
        strategy_id: Of the strategy that is searched.
        window: All of the data.

    Raises:
        ExtraMissing: The compiled engine is wanted, and numba is not installed.
        NotCompilable: The compiled engine is wanted, and it does not model what the settings ask for.
    """
    events = EventPath(loaded, strategy_id)
    if name == "event":
        return Chosen(events)
    try:
        require_compiled()
    except ExtraMissing as missing:
        if name == "compiled":
            raise
        return Chosen(events, str(missing))
    from app.backtest.compiled import NotCompilable  # noqa: PLC0415 - slow, and needs an extra
    from app.research.compiled_path import CompiledPath  # noqa: PLC0415 - as above

    compiled = CompiledPath(events)
    try:
        compiled.check(window)
    except NotCompilable as refused:
        if name == "compiled":
            raise
        return Chosen(events, refused.why)
    return Chosen(compiled)
