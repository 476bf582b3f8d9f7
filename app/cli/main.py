"""The command line. Nothing heavy is imported before a command needs it: ``--help`` must not pay for a bot."""

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn, Optional

import typer

from app.cli.failures import is_closed_pipe, report_failure

app = typer.Typer(
    name="perps-bot",
    help="A perpetual-futures trading bot. Without a command it runs.",
    epilog="Exit codes: 0 clean, 1 a bug, 2 usage, 3 settings refused, 4 start failed, "
    "5 a critical part failed, 6 stopped but not cleanly, or a command not fully done, 130 aborted by a second signal, "
    "141 nobody reads the output any more.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
settings_app = typer.Typer(help="Show, check or describe the settings.", no_args_is_help=True)
strategy_app = typer.Typer(help="Write your own strategy.", no_args_is_help=True)
app.add_typer(settings_app, name="settings")
app.add_typer(strategy_app, name="strategy")
analyze_app = typer.Typer(help="How far a backtest can be believed.", no_args_is_help=True)
app.add_typer(analyze_app, name="analyze")

data_app = typer.Typer(help="Market data for backtests.", no_args_is_help=True)
app.add_typer(data_app, name="data")

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


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """A perpetual-futures trading bot. Without a command it runs."""
    if context.invoked_subcommand is None:
        run()


@app.command()
def run(
    profile: Profile = None,
    overrides: Overrides = None,
    for_: Annotated[Optional[str], typer.Option("--for", help="Stop after this wall time: 30s, 10m, 2h, 1d.")] = None,  # noqa: UP045
    for_virtual: Annotated[Optional[str], typer.Option("--for-virtual", help="Stop after this market time.")] = None,  # noqa: UP045
    plain: Annotated[bool, typer.Option("--plain", help="Log lines instead of the live view.")] = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Run the bot until Ctrl-C, the end of the data, or the time given."""
    from app.cli.run import run_bot  # noqa: PLC0415

    _exit(lambda: run_bot(profile, overrides or [], for_, for_virtual, plain=plain, as_json=as_json))


@app.command()
def graph(
    profile: Profile = None,
    overrides: Overrides = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As a Mermaid diagram.")] = False,  # noqa: FBT002
) -> None:
    """Print what the bot is made of and the order in which it starts. Nothing is started."""
    from app.cli.graph import print_graph  # noqa: PLC0415

    _exit(lambda: print_graph(profile, overrides or [], mermaid=mermaid))


@app.command()
def status(profile: Profile = None, overrides: Overrides = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Print what a bot does now, or what a stopped one left in its journal."""
    from app.cli.status import print_status  # noqa: PLC0415

    _exit(lambda: print_status(profile, overrides or [], as_json=as_json))


@app.command()
def doctor(
    profile: Profile = None,
    overrides: Overrides = None,
    accept: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it
        typer.Option("--accept", metavar="NAME", help="What cannot be told, and you have seen to; may be repeated."),
    ] = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Examine settings, keys, account, disk and journal before a run. Nothing is changed, nothing is sent."""
    from app.cli.doctor import doctor as examine  # noqa: PLC0415

    _exit(lambda: examine(profile, overrides or [], accept or [], as_json=as_json))


@app.command()
def halt(
    profile: Profile = None,
    overrides: Overrides = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the journal.")] = "halted by hand",
    wait: Wait = "2s",
) -> None:
    """The kill switch: nothing grows any more until resume, in a bot that runs or in its next start."""
    from app.cli.operator import halt  # noqa: PLC0415

    _exit(lambda: halt(profile, overrides or [], reason, wait))


@app.command()
def resume(
    profile: Profile = None,
    overrides: Overrides = None,
    confirm: Confirm = None,
) -> None:
    """Lift what is latched: a halt, a guard that only the operator takes back. Asks for a second confirmation."""
    from app.cli.operator import resume  # noqa: PLC0415

    _exit(lambda: resume(profile, overrides or [], confirm))


@app.command()
def flatten(
    profile: Profile = None,
    overrides: Overrides = None,
    symbol: Symbol = None,
    wait: Wait = "10s",
) -> None:
    """Close positions, reduce-only, and say what is left. Halt first to stay flat."""
    from app.cli.operator import flatten  # noqa: PLC0415

    _exit(lambda: flatten(profile, overrides or [], symbol, wait))


@app.command()
def backtest(
    candles: Candles = None,
    mark: Mark = None,
    funding: Funding = None,
    strategy: StrategyName = None,
    profile: Profile = None,
    overrides: Overrides = None,
    begin: Begin = None,
    end: End = None,
    report: Report = None,
    engine: Annotated[str, typer.Option("--engine", help="event: the bot itself. compiled: the same, fast.")] = "event",
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Run the bot on recorded candles, and say what that came to."""
    from pathlib import Path  # noqa: PLC0415

    from app.cli.backtest import backtest as run_backtest  # noqa: PLC0415

    files = _files(candles, mark, funding)
    page = None if report is None else Path(report)
    _exit(
        lambda: run_backtest(
            profile, overrides or [], files, strategy, (begin, end), page, engine=engine, as_json=as_json
        )
    )


@app.command()
def optimize(
    candles: Candles = None,
    mark: Mark = None,
    funding: Funding = None,
    strategy: StrategyName = None,
    profile: Profile = None,
    overrides: Overrides = None,
    begin: Begin = None,
    end: End = None,
    trials: Annotated[int, typer.Option("--trials", help="Sets of parameters to try; in each window.")] = 100,
    engine: Annotated[
        str, typer.Option("--engine", help="auto, event or compiled: the figures are the same.")
    ] = "auto",
    sampler: Annotated[str, typer.Option("--sampler", help="random, qmc or tpe.")] = "tpe",
    objective: Annotated[str, typer.Option("--objective", help="sharpe, sortino, calmar or return.")] = "sharpe",
    seed: Annotated[int, typer.Option("--seed", help="Of the sampler.")] = 1,
    prune: Annotated[bool, typer.Option("--prune", help="Give up what does badly in the first quarter.")] = False,  # noqa: FBT002
    walk: Annotated[Optional[str], typer.Option("--walk-forward", metavar="TRAIN:TEST", help="As in 30d:10d.")] = None,  # noqa: UP045
    workers: Workers = None,
    scheduler: Scheduler = None,
    study: Annotated[Optional[str], typer.Option("--study", help="Keep results here; go on with them.")] = None,  # noqa: UP045
    report: Report = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Search the parameters of a strategy, and say how much of the best is luck."""
    from app.cli.optimize import Wish  # noqa: PLC0415
    from app.cli.optimize import optimize as run_search  # noqa: PLC0415

    wish = Wish(
        profile=profile,
        overrides=overrides or [],
        files=_files(candles, mark, funding),
        strategy=strategy,
        period=(begin, end),
        trials=trials,
        engine=engine,
        sampler=sampler,
        objective=objective,
        seed=seed,
        prune=prune,
        walk=walk,
        workers=workers,
        scheduler=scheduler,
        study=None if study is None else Path(study),
        report=None if report is None else Path(report),
        as_json=as_json,
    )
    _exit(lambda: run_search(wish))


@app.command()
def simulate(
    profile: Profile = None,
    overrides: Overrides = None,
    seeds: Annotated[int, typer.Option("--seeds", help="How many.")] = 100,
    first: Annotated[int, typer.Option("--from", help="The first of them.")] = 1,
    seed: Annotated[Optional[int], typer.Option("--seed", help="One seed instead.")] = None,  # noqa: UP045
    workers: Workers = None,
    scheduler: Scheduler = None,
    trace: Annotated[bool, typer.Option("--trace", help="Print everything that happens in the one seed.")] = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Run the real bot under seeded faults for a virtual hour each, and say which seeds break a rule."""
    from app.cli.simulate import simulate as run_simulation  # noqa: PLC0415

    _exit(
        lambda: run_simulation(
            profile, overrides or [], seeds, first, seed, workers, scheduler, trace=trace, as_json=as_json
        )
    )


@app.command()
def replay(file: Annotated[Path, typer.Argument(help="What telemetry.record_stream has taken down.")]) -> None:
    """Feed a recorded run to a fresh bot, and say whether it decides and ends the same, byte for byte."""
    from app.cli.replay import replay as run_replay  # noqa: PLC0415

    _exit(lambda: run_replay(file))


@analyze_app.command("montecarlo")
def analyze_montecarlo(
    candles: Candles = None,
    mark: Mark = None,
    funding: Funding = None,
    strategy: StrategyName = None,
    profile: Profile = None,
    overrides: Overrides = None,
    draws: Annotated[int, typer.Option("--draws", help="How often to draw.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Of the draws.")] = 1,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Draw the round trips of a backtest again, and say how final equity and drawdown spread."""
    from app.cli.analyze import monte_carlo  # noqa: PLC0415

    files = _files(candles, mark, funding)
    _exit(lambda: monte_carlo(profile, overrides or [], files, strategy, draws, seed, as_json=as_json))


@analyze_app.command("lookahead")
def analyze_lookahead(
    candles: Candles = None,
    mark: Mark = None,
    funding: Funding = None,
    strategy: StrategyName = None,
    profile: Profile = None,
    overrides: Overrides = None,
    cuts: Annotated[int, typer.Option("--cuts", help="At how many places the data is cut off.")] = 5,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Find out whether a strategy decides otherwise when the future is not in its data."""
    from app.cli.analyze import lookahead  # noqa: PLC0415

    files = _files(candles, mark, funding)
    _exit(lambda: lookahead(profile, overrides or [], files, strategy, cuts, as_json=as_json))


@analyze_app.command("warmup")
def analyze_warmup(
    candles: Candles = None,
    mark: Mark = None,
    funding: Funding = None,
    strategy: StrategyName = None,
    profile: Profile = None,
    overrides: Overrides = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Find out whether what a strategy decides depends on how much history it was given."""
    from app.cli.analyze import warm_up  # noqa: PLC0415

    files = _files(candles, mark, funding)
    _exit(lambda: warm_up(profile, overrides or [], files, strategy, as_json=as_json))


@data_app.command("import")
def data_import(
    file: Annotated[str, typer.Argument(help="CSV or Parquet.")],
    symbol: Annotated[str, typer.Option("--symbol", help="As BTC/USDT:USDT.")],
    kind: Annotated[str, typer.Option("--kind", help="candles, mark, trades or funding.")] = "candles",
    folder: Folder = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Check a file and add its rows to what is there; what is there already is not added twice."""
    from app.cli.data import import_file  # noqa: PLC0415

    _exit(lambda: import_file(Path(file), symbol, kind, None if folder is None else Path(folder), as_json=as_json))


@data_app.command("download")
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
    _exit(lambda: download(venue, symbol, kind, (begin, end), profile, overrides or [], place, as_json=as_json))


@data_app.command("check")
def data_check(folder: Folder = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Say of every file whether it can be used, and where its gaps are."""
    from app.cli.data import check_files  # noqa: PLC0415

    _exit(lambda: check_files(None if folder is None else Path(folder), as_json=as_json))


@data_app.command("list")
def data_list(folder: Folder = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Check all files, and say what is in them."""
    from app.cli.data import list_files  # noqa: PLC0415

    _exit(lambda: list_files(None if folder is None else Path(folder), as_json=as_json))


@settings_app.command("show")
def settings_show(profile: Profile = None, overrides: Overrides = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Print every setting and where its value came from."""
    from app.cli.settings import show  # noqa: PLC0415

    _exit(lambda: show(profile, overrides or [], as_json=as_json))


@settings_app.command("check")
def settings_check(profile: Profile = None, overrides: Overrides = None) -> None:
    """Check the settings, the strategies and their parameters; start nothing."""
    from app.cli.settings import check  # noqa: PLC0415

    _exit(lambda: check(profile, overrides or []))


@settings_app.command("schema")
def settings_schema() -> None:
    """Print the JSON schema of the settings."""
    from app.cli.settings import schema  # noqa: PLC0415

    _exit(schema)


@strategy_app.command("new")
def strategy_new(name: Annotated[str, typer.Argument(help="Name in snake_case: my_idea.")]) -> None:
    """Write a strategy into NAME.py here, ready to run."""
    from app.cli.strategy import new  # noqa: PLC0415

    _exit(lambda: new(name))


def _files(candles: list[str] | None, mark: list[str] | None, funding: list[str] | None) -> dict[str, list[str]]:
    return {"candles": candles or [], "mark": mark or [], "funding": funding or []}


def _exit(command: Callable[[], int]) -> NoReturn:
    # What was imported stays for as long as the process: garbage is looked for among what comes now.
    gc.freeze()
    gc.enable()
    try:
        code = command()
        if sys.stdout is not None:
            sys.stdout.flush()
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - the last place where an error can become a sentence and an exit code
        code = report_failure(error)
    sys.exit(code)


def main() -> None:
    """Run the command line. A strategy in the current folder is found, whichever way it was started."""
    # Imports make much, and none of it is garbage: to look for some would take a tenth of a start.
    gc.disable()
    if not {"", str(Path.cwd())} & set(sys.path):
        # An installed script's first place is its own folder. Last: nothing here takes the place of a package.
        sys.path.append(str(Path.cwd()))
    try:
        app()
    except SystemExit as ended:
        if is_closed_pipe(ended):
            sys.exit(report_failure(ended))
        raise
