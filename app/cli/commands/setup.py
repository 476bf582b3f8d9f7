"""What is done before a bot runs: its settings, and a strategy of your own."""

from typing import Annotated

import typer

from app.cli.ending import end_with
from app.cli.options import Json, Overrides, Profile

settings = typer.Typer(help="Show, check or describe the settings.", no_args_is_help=True)
strategy = typer.Typer(help="Write your own strategy.", no_args_is_help=True)


@settings.command("show")
def settings_show(profile: Profile = None, overrides: Overrides = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Print every setting and where its value came from."""
    from app.cli.settings import show  # noqa: PLC0415

    end_with(lambda: show(profile, overrides or [], as_json=as_json))


@settings.command("check")
def settings_check(profile: Profile = None, overrides: Overrides = None) -> None:
    """Check the settings, the strategies and their parameters; start nothing."""
    from app.cli.settings import check  # noqa: PLC0415

    end_with(lambda: check(profile, overrides or []))


@settings.command("schema")
def settings_schema() -> None:
    """Print the JSON schema of the settings."""
    from app.cli.settings import schema  # noqa: PLC0415

    end_with(schema)


@strategy.command("new")
def strategy_new(name: Annotated[str, typer.Argument(help="Name in snake_case: my_idea.")]) -> None:
    """Write a strategy into NAME.py here, ready to run."""
    from app.cli.strategy import new  # noqa: PLC0415

    end_with(lambda: new(name))
