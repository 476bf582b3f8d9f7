"""What is done with the data folder."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from app.cli.ending import end_with
from app.cli.options import Folder, Json, Overrides, Profile

app = typer.Typer(help="Market data for backtests.", no_args_is_help=True)


@app.command("import")
def data_import(
    file: Annotated[str, typer.Argument(help="CSV or Parquet.")],
    symbol: Annotated[str, typer.Option("--symbol", help="As BTC/USDT:USDT.")],
    kind: Annotated[str, typer.Option("--kind", help="candles, mark, trades or funding.")] = "candles",
    folder: Folder = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Check a file and add its rows to what is there; what is there already is not added twice."""
    from app.cli.data import import_file  # noqa: PLC0415

    end_with(lambda: import_file(Path(file), symbol, kind, None if folder is None else Path(folder), as_json=as_json))


@app.command("download")
def data_download(
    venue: Annotated[str, typer.Option("--venue", help="As exchange.ccxt.venue: binanceusdm, bybit, ...")],
    symbol: Annotated[str, typer.Option("--symbol", help="As BTC/USDT:USDT.")],
    begin: Annotated[str, typer.Option("--from", help="First moment, ISO 8601, UTC.")],
    end: Annotated[Optional[str], typer.Option("--to", help="Moment at which to end; now.")] = None,  # noqa: UP045
    kind: Annotated[str, typer.Option("--kind", help="candles, mark or funding.")] = "candles",
    profile: Profile = None,
    overrides: Overrides = None,
    folder: Folder = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Fetch minutes or settlements that are not there yet; an interrupted download goes on with the same command."""
    from app.cli.download import download  # noqa: PLC0415

    place = None if folder is None else Path(folder)
    end_with(lambda: download(venue, symbol, kind, (begin, end), profile, overrides or [], place, as_json=as_json))


@app.command("check")
def data_check(folder: Folder = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Say of every file whether it can be used, and where its gaps are."""
    from app.cli.data import check_files  # noqa: PLC0415

    end_with(lambda: check_files(None if folder is None else Path(folder), as_json=as_json))


@app.command("list")
def data_list(folder: Folder = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Check all files, and say what is in them."""
    from app.cli.data import list_files  # noqa: PLC0415

    end_with(lambda: list_files(None if folder is None else Path(folder), as_json=as_json))
