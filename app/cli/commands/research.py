"""What is done with recorded data, seeds and recorded runs: nothing of it trades."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from app.cli.ending import end_with
from app.cli.options import (
    Begin,
    Candles,
    End,
    Funding,
    Json,
    Mark,
    Overrides,
    Profile,
    Report,
    Scheduler,
    StrategyName,
    Workers,
    files_of,
)

app = typer.Typer()
analyze = typer.Typer(help="How far a backtest can be believed.", no_args_is_help=True)


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
    from app.cli.backtest import backtest as run_backtest  # noqa: PLC0415

    files = files_of(candles, mark, funding)
    page = None if report is None else Path(report)
    end_with(
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
        files=files_of(candles, mark, funding),
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
    end_with(lambda: run_search(wish))


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

    end_with(
        lambda: run_simulation(
            profile, overrides or [], seeds, first, seed, workers, scheduler, trace=trace, as_json=as_json
        )
    )


@app.command()
def replay(file: Annotated[Path, typer.Argument(help="What telemetry.record_stream has taken down.")]) -> None:
    """Feed a recorded run to a fresh bot, and say whether it decides and ends the same, byte for byte."""
    from app.cli.replay import replay as run_replay  # noqa: PLC0415

    end_with(lambda: run_replay(file))


@analyze.command("montecarlo")
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

    files = files_of(candles, mark, funding)
    end_with(lambda: monte_carlo(profile, overrides or [], files, strategy, draws, seed, as_json=as_json))


@analyze.command("lookahead")
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

    files = files_of(candles, mark, funding)
    end_with(lambda: lookahead(profile, overrides or [], files, strategy, cuts, as_json=as_json))


@analyze.command("warmup")
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

    files = files_of(candles, mark, funding)
    end_with(lambda: warm_up(profile, overrides or [], files, strategy, as_json=as_json))
