"""The parameters of a strategy that are searched, and where."""

from collections.abc import Container
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from app.research.errors import ResearchRefused
from app.strategies import Search, Strategy

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DIGITS = 12
"""Significant digits of a searched value: enough, and 0.015 does not read 0.015000000000000001."""


class Space:
    """What a strategy declares with ``Search``, without what the user has set."""

    def __init__(self, strategy: type[Strategy], fixed: Container[str] = ()) -> None:
        """Read the ranges.

        Raises:
            ResearchRefused: Nothing is left to search.
        """
        self.ranges: dict[str, Search] = {}
        self._whole: set[str] = set()
        for name, field in strategy.Params.model_fields.items():
            for declared in field.metadata:
                if isinstance(declared, Search) and name not in fixed:
                    self.ranges[name] = declared
                    if field.annotation is int:
                        self._whole.add(name)
        if not self.ranges:
            raise ResearchRefused(
                f"{strategy.__name__} has no parameter to search: annotate one in its Params, "
                "as in period: Annotated[int, Search(5, 50)] = 20"
            )

    def distributions(self) -> "dict[str, BaseDistribution]":
        """Return the ranges as Optuna takes them."""
        from optuna.distributions import FloatDistribution, IntDistribution  # noqa: PLC0415 - an extra

        return {
            name: IntDistribution(int(given.low), int(given.high), log=given.log, step=int(given.step or 1))
            if name in self._whole
            else FloatDistribution(given.low, given.high, log=given.log, step=given.step)
            for name, given in self.ranges.items()
        }

    def params(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return values as they are written: whole numbers, or floats without the dust of binary fractions.

        >>> from app.strategies import strategy_class
        >>> space = Space(strategy_class("b", "breakout"))
        >>> space.params({"channel": 20, "stop_ranges": 2.5000000000000004})
        {'channel': 20, 'stop_ranges': 2.5}
        """
        return {name: value if name in self._whole else _rounded(value) for name, value in asked.items()}


def _rounded(value: float) -> float:
    return float(Decimal(f"{value:.{DIGITS}g}"))
