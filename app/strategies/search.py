"""Where an optimisation looks for a parameter: written beside the parameter, as ``Annotated`` metadata."""

import msgspec


class Search(msgspec.Struct, frozen=True):
    """A range of values, both ends included.

    >>> from typing import Annotated
    >>> period = Annotated[int, Search(5, 50)]
    >>> stop_ratio = Annotated[float, Search(0.005, 0.1, step=0.005)]
    >>> width = Annotated[float, Search(0.1, 10, log=True)]
    """

    low: float
    high: float
    step: float | None = None
    """Distance of neighbours; None is one for whole numbers, and any value for others."""
    log: bool = False
    """Whether small values are looked at as closely as large ones; not with a step."""
