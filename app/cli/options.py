"""Options that several commands take, each written once."""

from typing import Annotated, Optional

import typer

Profile = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it
    typer.Option("--profile", "-p", help="Name of a profile, or path of a TOML file. [env: APP_PROFILE]"),
]
Overrides = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads it
    typer.Option("--set", "-s", metavar="SECTION.KEY=VALUE", help="Set one value; may be repeated."),
]
Wait = Annotated[str, typer.Option("--wait", help="How long to wait for the exchange: 2s, 1m; at most 5m.")]
Confirm = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it
    typer.Option("--confirm", metavar="TOKEN", help="What the first call said."),
]
Symbol = Annotated[Optional[str], typer.Option("--symbol", help="This one only.")]  # noqa: UP045 - typer reads it
Candles = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads it
    typer.Option("--candles", metavar="[SYMBOL=]FILE", help="Parquet or CSV; repeated, one file for each symbol."),
]
Mark = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads it
    typer.Option("--mark", metavar="[SYMBOL=]FILE", help="Mark-price candles."),
]
Funding = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads it
    typer.Option("--funding", metavar="[SYMBOL=]FILE", help="Settled funding rates."),
]
StrategyName = Annotated[Optional[str], typer.Option("--strategy", help="Built-in name, or dotted path.")]  # noqa: UP045
Folder = Annotated[Optional[str], typer.Option("--folder", help="Instead of the user's data folder.")]  # noqa: UP045
Scheduler = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it
    typer.Option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster, to run there instead: tcp://HOST:8786."),
]
Begin = Annotated[Optional[str], typer.Option("--from", help="First moment, ISO 8601, UTC.")]  # noqa: UP045 - typer reads it
End = Annotated[Optional[str], typer.Option("--to", help="Moment at which to end.")]  # noqa: UP045 - typer reads it
Report = Annotated[Optional[str], typer.Option("--report", help="Write a page with pictures here.")]  # noqa: UP045 - typer reads it
Workers = Annotated[Optional[int], typer.Option("--workers", help="Processes; one for each core.")]  # noqa: UP045 - typer reads it
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def files_of(candles: list[str] | None, mark: list[str] | None, funding: list[str] | None) -> dict[str, list[str]]:
    """Return the files that were given, by their kinds."""
    return {"candles": candles or [], "mark": mark or [], "funding": funding or []}
