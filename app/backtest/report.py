"""A backtest as one page that works offline: the script that draws it is in it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.backtest.months import months_of
from app.backtest.page import figure, plotting, write_page
from app.backtest.recorder import BacktestFigures
from app.backtest.round_trips import RoundTrip
from app.domain.order import Side

POINTS_MAX = 4000
"""Points of a line: more than a screen has columns."""
CANDLES_MAX = 1500
FILLS_MAX = 400
"""Of a side: more of them would hide the prices."""
LARGE_FILLS_MAX = 60
"""Of a side that are drawn large enough to be found one by one."""


def write_report(path: Path, title: str, figures: BacktestFigures, table: Mapping[str, str]) -> None:
    """Write the page.

    Args:
        path: Of the HTML file; replaced when it is there.
        title: Of the page.
        figures: What the backtest saw; at least one bar.
        table: Names and values, as they are to be shown.

    Raises:
        ExtraMissing: plotly is not installed.
        OSError: The file cannot be written.
    """
    graph_objects = plotting()
    over_time = [
        _equity(graph_objects, figures),
        _drawdown(graph_objects, figures),
        _prices(graph_objects, figures),
    ]
    for chart in over_time:
        chart.update_xaxes(range=_moments([figures.times_ns[0], figures.times_ns[-1]]))
    charts = [
        *over_time,
        _months(graph_objects, figures),
        _trips(graph_objects, figures.trips.closed),
        _costs(graph_objects, figures),
    ]
    write_page(path, title, table, charts)


def _moments(times_ns: Sequence[int]) -> list[datetime]:
    return [datetime.fromtimestamp(time_ns / 1e9, UTC) for time_ns in times_ns]


def _thin(values: Sequence[Any], most: int = POINTS_MAX) -> Sequence[Any]:
    """Return every n-th value, and the last."""
    step = max(1, -(-len(values) // most))
    kept = list(values[::step])
    return kept if (len(values) - 1) % step == 0 else [*kept, values[-1]]


def _equity(plot: Any, figures: BacktestFigures) -> Any:  # noqa: ANN401 - as above
    times = _moments(_thin(figures.times_ns))
    return figure(plot, "Equity", plot.Scatter(x=times, y=_thin(figures.equity), mode="lines", name="equity"))


def _drawdown(plot: Any, figures: BacktestFigures) -> Any:  # noqa: ANN401 - as above
    peak, below = 0.0, []
    for value in figures.equity:
        peak = max(peak, value)
        below.append(100 * (value / peak - 1))
    line = plot.Scatter(x=_moments(_thin(figures.times_ns)), y=_thin(below), fill="tozeroy", name="drawdown")
    return figure(plot, "Drawdown, % of the peak", line, height=260)


def _prices(plot: Any, figures: BacktestFigures) -> Any:  # noqa: ANN401 - as above
    symbol, bars = next(iter(figures.bars_of.items()))
    size = max(1, -(-len(bars.closes) // CANDLES_MAX))
    chunks = [slice(start, start + size) for start in range(0, len(bars.closes), size)]
    candles = plot.Candlestick(
        x=_moments(bars.times_ns[::size]),
        open=[bars.opens[chunk][0] for chunk in chunks],
        high=[max(bars.highs[chunk]) for chunk in chunks],
        low=[min(bars.lows[chunk]) for chunk in chunks],
        close=[bars.closes[chunk][-1] for chunk in chunks],
        name=symbol,
    )
    fills = [fill for fill in figures.all_fills if fill.symbol == symbol]
    marks = [
        plot.Scatter(
            x=_moments([fill.time_ns for fill in shown]),
            y=[float(fill.price) for fill in shown],
            mode="markers",
            marker={"symbol": shape, "size": 8 if len(shown) <= LARGE_FILLS_MAX else 4, "color": color},
            name=side.value if len(shown) == len(of_side) else f"{side.value}: {len(shown)} of {len(of_side)}",
        )
        for side, shape, color in ((Side.BUY, "triangle-up", "#1f6feb"), (Side.SELL, "triangle-down", "#9a3ea8"))
        if (of_side := [fill for fill in fills if fill.side is side]) and (shown := _thin(of_side, FILLS_MAX))
    ]
    drawn = figure(plot, f"{symbol}, with fills", candles, *marks, height=460)
    drawn.update_layout(xaxis_rangeslider_visible=False)
    return drawn


def _months(plot: Any, figures: BacktestFigures) -> Any:  # noqa: ANN401 - as above
    months = months_of(figures.times_ns, figures.equity)
    bars = plot.Bar(x=[month.name for month in months], y=[100 * month.change for month in months])
    drawn = figure(plot, "Return of each month, %", bars, height=280)
    drawn.update_xaxes(type="category")
    return drawn


def _trips(plot: Any, trips: Sequence[RoundTrip]) -> Any:  # noqa: ANN401 - as above
    results = [float(trip.pnl) for trip in trips]
    return figure(plot, "Round trips by their net result", plot.Histogram(x=results, nbinsx=60), height=280)


def _costs(plot: Any, figures: BacktestFigures) -> Any:  # noqa: ANN401 - as above
    sums: dict[str, float] = defaultdict(float)
    for trip in figures.trips.closed:
        sums["before costs"] += float(trip.pnl + trip.fees - trip.funding)
        sums["fees"] -= float(trip.fees)
        sums["funding"] += float(trip.funding)
        sums["net"] += float(trip.pnl)
    return figure(plot, "What closed round trips came to", plot.Bar(x=list(sums), y=list(sums.values())), height=280)
