"""A backtest as one page that works offline: the script that draws it is in it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from app.backtest.recorder import BacktestFigures
from app.backtest.round_trips import RoundTrip
from app.domain.order import Side

POINTS_MAX = 4000
"""Points of a line: more than a screen has columns."""
CANDLES_MAX = 1500


class ReportNeedsPlotly(Exception):
    """The optional dependency that draws is missing."""

    def __init__(self) -> None:
        super().__init__("a report needs plotly: pip install '.[research]'")


def write_report(path: Path, title: str, figures: BacktestFigures, table: Mapping[str, str]) -> None:
    """Write the page.

    Args:
        path: Of the HTML file; replaced when it is there.
        title: Of the page.
        figures: What the backtest saw; at least one bar.
        table: Names and values, as they are to be shown.

    Raises:
        ReportNeedsPlotly: plotly is not installed.
        OSError: The file cannot be written.
    """
    try:
        from plotly import graph_objects, offline  # noqa: PLC0415 - an optional dependency, and a slow one
    except ImportError:
        raise ReportNeedsPlotly from None
    charts = [
        _equity(graph_objects, figures),
        _drawdown(graph_objects, figures),
        _prices(graph_objects, figures),
        _months(graph_objects, figures),
        _trips(graph_objects, figures.trips.closed),
        _costs(graph_objects, figures),
    ]
    script = f"<script>{offline.get_plotlyjs()}</script>"
    parts = [chart.to_html(full_html=False, include_plotlyjs=False) for chart in charts]
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in table.items())
    path.write_text(PAGE.format(title=escape(title), script=script, rows=rows, charts="\n".join(parts)), "utf-8")


def _moments(times_ns: Sequence[int]) -> list[datetime]:
    return [datetime.fromtimestamp(time_ns / 1e9, UTC) for time_ns in times_ns]


def _thin(values: Sequence[Any], most: int = POINTS_MAX) -> Sequence[Any]:
    """Return every n-th value, and the last."""
    step = max(1, -(-len(values) // most))
    kept = list(values[::step])
    return kept if (len(values) - 1) % step == 0 else [*kept, values[-1]]


def _figure(plot: Any, title: str, *traces: Any, height: int = 380) -> Any:  # noqa: ANN401 - plotly has no types
    figure = plot.Figure(traces)
    figure.update_layout(
        title=title, template="plotly_white", height=height, margin={"l": 60, "r": 20, "t": 50, "b": 40}
    )
    return figure


def _equity(plot: Any, figures: BacktestFigures) -> Any:  # noqa: ANN401 - as above
    times = _moments(_thin(figures.times_ns))
    return _figure(plot, "Equity", plot.Scatter(x=times, y=_thin(figures.equity), mode="lines", name="equity"))


def _drawdown(plot: Any, figures: BacktestFigures) -> Any:  # noqa: ANN401 - as above
    peak, below = 0.0, []
    for value in figures.equity:
        peak = max(peak, value)
        below.append(100 * (value / peak - 1))
    line = plot.Scatter(x=_moments(_thin(figures.times_ns)), y=_thin(below), fill="tozeroy", name="drawdown")
    return _figure(plot, "Drawdown, % of the peak", line, height=260)


def _prices(plot: Any, figures: BacktestFigures) -> Any:  # noqa: ANN401 - as above
    symbol = next(iter(figures.closes))
    times, closes = figures.close_times_ns[symbol], figures.closes[symbol]
    size = max(1, -(-len(closes) // CANDLES_MAX))
    chunks = [closes[start : start + size] for start in range(0, len(closes), size)]
    candles = plot.Candlestick(
        x=_moments(times[::size]),
        open=[chunk[0] for chunk in chunks],
        high=[max(chunk) for chunk in chunks],
        low=[min(chunk) for chunk in chunks],
        close=[chunk[-1] for chunk in chunks],
        name=symbol,
    )
    fills = [fill for fill in figures.all_fills if fill.symbol == symbol]
    marks = [
        plot.Scatter(
            x=_moments([fill.time_ns for fill in _thin(of_side)]),
            y=[float(fill.price) for fill in _thin(of_side)],
            mode="markers",
            marker={"symbol": shape, "size": 8, "color": color},
            name=side.value,
        )
        for side, shape, color in ((Side.BUY, "triangle-up", "#1a7f37"), (Side.SELL, "triangle-down", "#b42318"))
        if (of_side := [fill for fill in fills if fill.side is side])
    ]
    figure = _figure(plot, f"{symbol}, with fills", candles, *marks, height=460)
    figure.update_layout(xaxis_rangeslider_visible=False)
    return figure


def _months(plot: Any, figures: BacktestFigures) -> Any:  # noqa: ANN401 - as above
    ends: dict[str, float] = {}
    for moment, value in zip(_moments(figures.times_ns), figures.equity, strict=True):
        ends[f"{moment:%Y-%m}"] = value
    before, returns = figures.equity[0], []
    for value in ends.values():
        returns.append(100 * (value / before - 1))
        before = value
    figure = _figure(plot, "Return of each month, %", plot.Bar(x=list(ends), y=returns), height=280)
    figure.update_xaxes(type="category")
    return figure


def _trips(plot: Any, trips: Sequence[RoundTrip]) -> Any:  # noqa: ANN401 - as above
    results = [float(trip.pnl) for trip in trips]
    return _figure(plot, "Round trips by their net result", plot.Histogram(x=results, nbinsx=60), height=280)


def _costs(plot: Any, figures: BacktestFigures) -> Any:  # noqa: ANN401 - as above
    sums: dict[str, float] = defaultdict(float)
    for trip in figures.trips.closed:
        sums["before costs"] += float(trip.pnl + trip.fees - trip.funding)
        sums["fees"] -= float(trip.fees)
        sums["funding"] += float(trip.funding)
        sums["net"] += float(trip.pnl)
    return _figure(plot, "What closed round trips came to", plot.Bar(x=list(sums), y=list(sums.values())), height=280)


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>{script}
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1100px; color: #1c2024; }}
table {{ border-collapse: collapse; }} th {{ text-align: left; font-weight: 500; padding: 2px 24px 2px 0; }}
td {{ text-align: right; font-variant-numeric: tabular-nums; padding: 2px 48px 2px 0; }}
</style></head>
<body><h1>{title}</h1><table>{rows}</table>
{charts}
</body></html>
"""
