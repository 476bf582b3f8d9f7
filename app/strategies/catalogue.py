"""Strategies by name, and a strategy's own by dotted path."""

from collections.abc import Mapping
from importlib import import_module
from inspect import iscoroutinefunction

from pydantic import ValidationError

from app.settings.errors import nearest
from app.settings.models import StrategySettings
from app.strategies.blame import place_of
from app.strategies.misspelt import words_of_class, words_of_module
from app.strategies.sizing import sizing_from
from app.strategies.strategy import Strategy

BUILT_IN = {
    "breakout": "app.strategies.breakout.Breakout",
    "funding_carry": "app.strategies.funding_carry.FundingCarry",
    "mean_reversion": "app.strategies.mean_reversion.MeanReversion",
    "trend": "app.strategies.trend.Trend",
}
HOOKS = tuple(name for name in vars(Strategy) if name.startswith("on_"))
"""What the bot calls with events. A strategy whose method is misspelt would trade without it, and nobody would know."""
CALLED = (*HOOKS, "setup", "subscriptions", "snapshot", "restore")
"""What the bot calls, and does not await."""


class StrategyRefused(Exception):
    """A strategy in the settings cannot be used: it does not import, is none, or its parameters are wrong."""

    def __init__(self, strategy_id: str, message: str) -> None:
        self.strategy_id = strategy_id
        super().__init__(f"strategies.{strategy_id}: {message}")


def strategy_class(strategy_id: str, name: str) -> type[Strategy]:
    """Return the class of a built-in name or of a dotted path.

    Raises:
        StrategyRefused: It does not import, is not a strategy, or has a method that nothing would call or await.
    """
    path = BUILT_IN.get(name, name)
    module, _, attribute = path.rpartition(".")
    if not module or not all(path.split(".")):
        near = nearest(name, BUILT_IN)
        hint = f"use {', '.join(BUILT_IN)}, or a dotted path to a class" if near is None else f"did you mean {near}?"
        raise StrategyRefused(strategy_id, f"there is no strategy {name!r}: {hint}")
    try:
        holder = import_module(module)
    except (Exception, SystemExit) as error:  # the author's module may raise anything while it is imported
        why = words_of_module(path, error.name or "") if isinstance(error, ModuleNotFoundError) else None
        why = why or f"{type(error).__name__}: {error}{place_of(error)}"
        raise StrategyRefused(strategy_id, f"cannot import {path}: {why}") from error
    found = getattr(holder, attribute, None)
    if found is None:
        raise StrategyRefused(strategy_id, f"cannot import {path}: {words_of_class(holder, attribute)}")
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise StrategyRefused(strategy_id, f"{path} is not a subclass of app.strategies.Strategy")
    _check_methods(strategy_id, found)
    return found


def create(strategy_id: str, settings: StrategySettings) -> tuple[Strategy, ...]:
    """Return one instance for each symbol.

    Raises:
        StrategyRefused: The strategy or its parameters cannot be used.
    """
    found = strategy_class(strategy_id, settings.strategy)
    try:
        params = found.Params.model_validate(settings.params)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(("params", *map(str, first["loc"])))
        if first["type"] == "extra_forbidden":
            known = found.Params.model_fields
            near = nearest(str(first["loc"][-1]), known)
            hint = f"did you mean {near}?" if near else f"it has {', '.join(known)}"
            raise StrategyRefused(strategy_id, f"{found.__name__} has no {where}: {hint}") from error
        raise StrategyRefused(strategy_id, f"{where}: {first['msg'].removeprefix('Value error, ')}") from error
    try:
        made = tuple(found(strategy_id, symbol, params, sizing_from(settings.sizing)) for symbol in settings.symbols)
        for strategy in made:
            strategy.checked_warm_up()
    except (Exception, SystemExit) as error:  # the author's setup may raise anything
        why = f"{type(error).__name__}: {error}{place_of(error)}"
        raise StrategyRefused(strategy_id, f"setup of {found.__name__} failed: {why}") from error
    return made


def create_all(sections: Mapping[str, StrategySettings]) -> tuple[Strategy, ...]:
    """Return the strategies of all sections, one instance for each symbol.

    Raises:
        StrategyRefused: One of them, or its parameters, cannot be used.
    """
    return tuple(strategy for name, section in sections.items() for strategy in create(name, section))


def _check_methods(strategy_id: str, found: type[Strategy]) -> None:
    """Refuse a method that reads like a hook and is none, and one that would have to be awaited."""
    for hook in sorted(name for name in dir(found) if name.startswith("on_") and name not in HOOKS):
        if callable(getattr(found, hook)):
            near = nearest(hook, HOOKS)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(HOOKS)}"
            raise StrategyRefused(strategy_id, f"nothing calls {found.__name__}.{hook}: {hint}")
    for name in CALLED:
        if iscoroutinefunction(getattr(found, name)):
            why = f"{found.__name__}.{name} is async, and nothing awaits it: write def {name}"
            raise StrategyRefused(strategy_id, why)
