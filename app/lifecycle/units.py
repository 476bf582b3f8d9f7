"""What the registry starts and stops: units, and the order in which they do."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from app.lifecycle.errors import DependencyCycle


@dataclass(frozen=True)
class Unit:
    """A coordinator, or a plain resource such as an open file."""

    name: str
    up: Callable[[], Awaitable[object]]
    """Brings it up and returns it. For a coordinator: makes it; its phases are the registry's."""
    down: Callable[[], Awaitable[None]]
    """Takes it down. Idempotent; called also for a unit whose ``up`` failed half-way."""
    needs: tuple[str, ...] = ()
    """Names of the units that must be up before."""
    is_coordinator: bool = False


def start_order(units: Sequence[Unit]) -> tuple[Unit, ...]:
    """Return the units so that each comes after what it needs; otherwise in the order of their declaration.

    A, B that needs A, C gives A, B, C: what is declared first starts first, wherever needs allow.

    Raises:
        DependencyCycle: Units need each other; it names them.
    """
    by_name = {unit.name: unit for unit in units}
    ordered: dict[str, Unit] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise DependencyCycle((*path[path.index(name) :], name))
        if name not in ordered:
            for need in by_name[name].needs:
                visit(need, (*path, name))
            ordered[name] = by_name[name]

    for unit in units:
        visit(unit.name, ())
    return tuple(ordered.values())
