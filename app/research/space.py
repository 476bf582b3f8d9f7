"""The parameters of a strategy that are searched, and where."""

import math
from collections.abc import Container, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from app.research.errors import ResearchRefused
from app.strategies import Search, Strategy

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DIGITS = 12
"""Significant digits of a searched value: enough, and 0.015 does not read 0.015000000000000001."""

STEP_DUST = 1e-9
"""Of a step: what binary fractions may lack when a range is a whole number of them."""


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

    def at(self, point: Sequence[float]) -> dict[str, Any]:
        """Return the parameters at a point of the unit cube, which has a side for each of them.

        Every step has the same share of its side.

        >>> from app.strategies import strategy_class
        >>> Space(strategy_class("t", "trend")).at([0.0, 0.999])
        {'fast': 2, 'slow': 240}
        """
        return self.params(
            {name: self._at(name, part) for name, part in zip(self.ranges, point, strict=True)},
        )

    def _at(self, name: str, part: float) -> float:
        given = self.ranges[name]
        if name in self._whole:
            low, step = int(given.low), int(given.step or 1)
            count = (int(given.high) - low) // step + 1
            if not given.log:
                return low + int(part * count) * step
            # As wide as the whole numbers are when they are rounded.
            bottom, top = math.log(low - 0.5), math.log(int(given.high) + 0.5)
            return min(int(given.high), max(low, round(math.exp(bottom + part * (top - bottom)))))
        if given.log:
            return given.low * math.pow(given.high / given.low, part)
        if given.step is None:
            return given.low + part * (given.high - given.low)
        count = int((given.high - given.low) / given.step + STEP_DUST) + 1
        return given.low + int(part * count) * given.step

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
