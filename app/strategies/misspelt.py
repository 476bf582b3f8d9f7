"""Says where a dotted path to a strategy goes astray, and what was probably meant."""

from collections.abc import Iterable
from pathlib import Path
from pkgutil import iter_modules
from sys import modules
from types import ModuleType

from app.settings.errors import nearest
from app.strategies.strategy import Strategy


def words_of_module(path: str, missing: str) -> str | None:
    """Return that a part of a dotted path is no module, and which module is near it; None when it is no part of it.

    What a strategy's module itself imports may be missing, too: that is another thing, and the error says it.

    Args:
        path: To a class.
        missing: The module that Python did not find.
    """
    module, _, attribute = path.rpartition(".")
    if not f"{module}.".startswith(f"{missing}."):
        return None
    package, _, name = missing.rpartition(".")
    places = getattr(modules.get(package), "__path__", ()) if package else [str(Path.cwd())]
    near = nearest(name, [found.name for found in iter_modules(places)])
    where = f"package {package}" if package else str(Path.cwd())
    if near is None:
        return f"there is no module {name} in {where}"
    meant = ".".join(filter(None, [package, near, module[len(missing) + 1 :], attribute]))
    return f"there is no module {name} in {where}: did you mean {meant}?"


def words_of_class(module: ModuleType, attribute: str) -> str:
    """Return that a module has no such class, and which of its strategies is near it."""
    own = [name for name, found in vars(module).items() if _is_strategy_of(module, found)]
    return f"module {module.__name__} has no {attribute}: {_offer(module, attribute, own)}"


def _is_strategy_of(module: ModuleType, found: object) -> bool:
    return isinstance(found, type) and issubclass(found, Strategy) and found.__module__ == module.__name__


def _offer(module: ModuleType, attribute: str, own: Iterable[str]) -> str:
    paths = {name: f"{module.__name__}.{name}" for name in own}
    if not paths:
        return "there is no strategy in it"
    near = nearest(attribute, paths)
    return f"its strategies are {', '.join(paths.values())}" if near is None else f"did you mean {paths[near]}?"
