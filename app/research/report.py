"""A search as one page: what scored where, whether it held afterwards, and what it follows from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any

from app.backtest import figure, plotting, write_page
from app.domain.times import iso
from app.research.search import Tried
from app.research.walk_forward import Step

MAPS_MAX = 6
"""Heat maps: four parameters have as many pairs."""
CELLS = 24
"""Of a heat map, along a parameter with more values than that."""


def write_search_report(
    path: Path, title: str, table: Mapping[str, str], tried: Sequence[Tried], steps: Sequence[Step], objective: str
) -> None:
    """Write the page.

    Args:
        path: Of the HTML file; replaced when it is there.
        title: Of the page.
        table: Names and values, as they are to be shown.
        tried: All trials, in their order.
        steps: Of a walk-forward; empty without one.
        objective: What the scores are.

    Raises:
        ExtraMissing: plotly is not installed.
        OSError: The file cannot be written.
    """
    plot = plotting()
    scored = [one for one in tried if one.score is not None]
    charts = [_maps(plot, pair, scored, objective) for pair in _pairs(scored)]
    charts.append(_scores(plot, tried, objective))
    if steps:
        charts.insert(0, _steps(plot, steps))
    write_page(path, title, table, charts)


def _pairs(scored: Sequence[Tried]) -> list[tuple[str, ...]]:
    """Return the pairs of parameters that are drawn; the only parameter, if there is one."""
    names = list(scored[0].params) if scored else []
    return [*combinations(names, min(2, len(names)))][:MAPS_MAX] if names else []


def _maps(plot: Any, names: tuple[str, ...], scored: Sequence[Tried], objective: str) -> Any:  # noqa: ANN401 - plotly has no types
    """Return the mean score over two parameters, or over the only one."""
    places = {name: _binned([float(one.params[name]) for one in scored]) for name in names}
    cells: dict[tuple[float, ...], list[float]] = defaultdict(list)
    for number, one in enumerate(scored):
        cells[tuple(places[name][number] for name in names)].append(one.score or 0.0)
    axes = [sorted(set(places[name])) for name in names]
    if len(names) == 1:
        means = [mean(cells[value,]) for value in axes[0]]
        only = plot.Scatter(x=axes[0], y=means, mode="lines+markers")
        return figure(plot, f"Mean {objective} by {names[0]}", only, height=300)
    rows = [[mean(found) if (found := cells.get((x, y))) else None for x in axes[0]] for y in axes[1]]
    heat = plot.Heatmap(x=axes[0], y=axes[1], z=rows, colorscale="RdYlGn", zmid=0.0, colorbar={"title": objective})
    drawn = figure(plot, f"Mean {objective} by {names[0]} and {names[1]}", heat, height=420)
    drawn.update_layout(xaxis_title=names[0], yaxis_title=names[1])
    return drawn


def _binned(values: Sequence[float]) -> list[float]:
    """Return the values, or the middles of the cells that they lie in when they are too many."""
    if len(set(values)) <= CELLS:
        return list(values)
    low, high = min(values), max(values)
    width = (high - low) / CELLS
    return [low + (min(CELLS - 1, int((value - low) / width)) + 0.5) * width for value in values]


def _scores(plot: Any, tried: Sequence[Tried], objective: str) -> Any:  # noqa: ANN401 - as above
    """Return the score of each trial, and the best so far."""
    best, bests = None, []
    for one in tried:
        if one.score is not None and (best is None or one.score > best):
            best = one.score
        bests.append(best)
    numbers = list(range(1, len(tried) + 1))
    dots = plot.Scatter(x=numbers, y=[one.score for one in tried], mode="markers", name="trial", marker={"size": 5})
    line = plot.Scatter(x=numbers, y=bests, mode="lines", name="best so far")
    return figure(plot, f"{objective.capitalize()} of each trial", dots, line, height=320)


def _steps(plot: Any, steps: Sequence[Step]) -> Any:  # noqa: ANN401 - as above
    """Return what the best of each stretch came to there, and on the stretch after it."""
    begins = [iso(step.test.from_ns) for step in steps]
    found = [next((100 * one.statistics.total_return for one in step.found.figures), None) for step in steps]
    held = [100 * step.out_of_sample.statistics.total_return if step.out_of_sample else None for step in steps]
    bars = (plot.Bar(x=begins, y=found, name="searched on"), plot.Bar(x=begins, y=held, name="out of sample"))
    return figure(plot, "Walk-forward: return of each stretch, %", *bars, height=340)
