"""The phases of the bot's life, as a table, and the transition that each step publishes."""

from enum import StrEnum
from types import MappingProxyType

import msgspec


class Phase(StrEnum):
    """Where a bot is in its life."""

    NEW = "new"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


PHASES: MappingProxyType[Phase, frozenset[Phase]] = MappingProxyType(
    {
        Phase.NEW: frozenset({Phase.STARTING}),
        Phase.STARTING: frozenset({Phase.READY, Phase.FAILED}),
        Phase.READY: frozenset({Phase.STOPPING}),
        Phase.STOPPING: frozenset({Phase.STOPPED}),
        Phase.STOPPED: frozenset({Phase.STARTING}),
        Phase.FAILED: frozenset({Phase.STARTING}),
    }
)


class Transition(msgspec.Struct, frozen=True):
    """A step of the lifecycle has ended."""

    component: str
    """A unit, or ``bot`` for the whole."""
    phase: str
    """``initialize``, ``start_background_tasks``, ``drain``, ``shutdown`` of a unit; a phase of the bot."""
    duration_s: float
    error: str | None = None
