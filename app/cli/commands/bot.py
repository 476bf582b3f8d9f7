"""What is done with a bot: run it, look at it, halt it."""

from typing import Annotated, Optional

import typer

from app.cli.ending import end_with
from app.cli.options import Confirm, Json, Overrides, Profile, Symbol, Wait

app = typer.Typer()


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

    end_with(lambda: run_bot(profile, overrides or [], for_, for_virtual, plain=plain, as_json=as_json))


@app.command()
def graph(
    profile: Profile = None,
    overrides: Overrides = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As a Mermaid diagram.")] = False,  # noqa: FBT002
) -> None:
    """Print what the bot is made of and the order in which it starts. Nothing is started."""
    from app.cli.graph import print_graph  # noqa: PLC0415

    end_with(lambda: print_graph(profile, overrides or [], mermaid=mermaid))


@app.command()
def status(profile: Profile = None, overrides: Overrides = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Print what a bot does now, or what a stopped one left in its journal."""
    from app.cli.status import print_status  # noqa: PLC0415

    end_with(lambda: print_status(profile, overrides or [], as_json=as_json))


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

    end_with(lambda: examine(profile, overrides or [], accept or [], as_json=as_json))


@app.command()
def halt(
    profile: Profile = None,
    overrides: Overrides = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the journal.")] = "halted by hand",
    wait: Wait = "2s",
) -> None:
    """The kill switch: nothing grows any more until resume, in a bot that runs or in its next start."""
    from app.cli.operator import halt  # noqa: PLC0415

    end_with(lambda: halt(profile, overrides or [], reason, wait))


@app.command()
def resume(
    profile: Profile = None,
    overrides: Overrides = None,
    confirm: Confirm = None,
) -> None:
    """Lift what is latched: a halt, a guard that only the operator takes back. Asks for a second confirmation."""
    from app.cli.operator import resume  # noqa: PLC0415

    end_with(lambda: resume(profile, overrides or [], confirm))


@app.command()
def flatten(
    profile: Profile = None,
    overrides: Overrides = None,
    symbol: Symbol = None,
    wait: Wait = "10s",
) -> None:
    """Close positions, reduce-only, and say what is left. Halt first to stay flat."""
    from app.cli.operator import flatten  # noqa: PLC0415

    end_with(lambda: flatten(profile, overrides or [], symbol, wait))
