"""A page with a table and pictures that works offline: the script that draws them is in it."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from app.backtest.extras import require
from app.backtest.whole_file import whole_file


def plotting() -> Any:  # noqa: ANN401 - plotly has no types
    """Return plotly's graph objects.

    Raises:
        ExtraMissing: plotly is not installed.
    """
    require("a report", "plotly", "plotly")
    from plotly import graph_objects  # noqa: PLC0415 - an optional dependency, and a slow one

    return graph_objects


def figure(plot: Any, title: str, *traces: Any, height: int = 380) -> Any:  # noqa: ANN401 - as above
    """Return a chart in the style of all of them."""
    drawn = plot.Figure(traces)
    drawn.update_layout(
        title=title,
        template="plotly_white",
        height=height,
        # The same place for every plot, so that those over time lie one below the other.
        margin={"l": 64, "r": 20, "t": 60, "b": 40},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
    )
    drawn.update_yaxes(automargin=False)
    return drawn


def write_page(path: Path, title: str, table: Mapping[str, str], charts: Sequence[Any]) -> None:
    """Write the page; one that is there is replaced once the new one is complete.

    Args:
        path: Of the HTML file.
        title: Of the page.
        table: Names and values, as they are to be shown.
        charts: Figures of plotly.

    Raises:
        OSError: The file cannot be written.
    """
    from plotly import offline  # noqa: PLC0415 - as above; whoever has charts has it

    script = f"<script>{offline.get_plotlyjs()}</script>"
    shown = {"full_html": False, "include_plotlyjs": False, "config": {"responsive": True, "displaylogo": False}}
    parts = [chart.to_html(**shown) for chart in charts]
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in table.items())
    page = PAGE.format(title=escape(title), script=script, rows=rows, charts="\n".join(parts))
    with whole_file(path) as draft:
        draft.write_text(page, "utf-8")


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>{script}
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 1100px; color: #1c2024; }}
table {{ border-collapse: collapse; }}
th {{ text-align: left; font-weight: 500; white-space: nowrap; padding: 2px 24px 2px 0; }}
th, td {{ vertical-align: top; }}
td {{ font-variant-numeric: tabular-nums; padding: 2px 0; overflow-wrap: anywhere; }}
</style></head>
<body><h1>{title}</h1><table>{rows}</table>
{charts}
</body></html>
"""
