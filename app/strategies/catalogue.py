"""Strategies by name, and a strategy's own by dotted path."""

from importlib import import_module

from pydantic import ValidationError

from app.settings.errors import nearest
from app.settings.models import StrategySettings
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


class StrategyRefused(Exception):
    """A strategy in the settings cannot be used: it does not import, is none, or its parameters are wrong."""

    def __init__(self, strategy_id: str, message: str) -> None:
        self.strategy_id = strategy_id
        super().__init__(f"strategies.{strategy_id}: {message}")


def strategy_class(strategy_id: str, name: str) -> type[Strategy]:
    """Return the class of a built-in name or of a dotted path.

    Raises:
        StrategyRefused: It does not import, is not a strategy, or has a method that reads like a hook and is none.
    """
    path = BUILT_IN.get(name, name)
    module, _, attribute = path.rpartition(".")
    if not module:
        known = ", ".join(BUILT_IN)
        raise StrategyRefused(strategy_id, f"there is no strategy {name!r}: use {known}, or a dotted path to a class")
    try:
        found = getattr(import_module(module), attribute)
    except (Exception, SystemExit) as error:  # the author's module may raise anything while it is imported
        raise StrategyRefused(strategy_id, f"cannot import {path}: {type(error).__name__}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise StrategyRefused(strategy_id, f"{path} is not a subclass of app.strategies.Strategy")
    for hook in sorted(name for name in dir(found) if name.startswith("on_") and name not in HOOKS):
        if callable(getattr(found, hook)):
            near = nearest(hook, HOOKS)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(HOOKS)}"
            raise StrategyRefused(strategy_id, f"nothing calls {found.__name__}.{hook}: {hint}")
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
        raise StrategyRefused(strategy_id, f"{where}: {first['msg']}") from error
    try:
        return tuple(found(strategy_id, symbol, params, sizing_from(settings.sizing)) for symbol in settings.symbols)
    except Exception as error:  # the author's setup may raise anything
        raise StrategyRefused(strategy_id, f"setup failed: {type(error).__name__}: {error}") from error
