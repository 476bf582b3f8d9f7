"""What is done with the journal of a bot that does not run."""

import typer

from app.cli.ending import end_with
from app.cli.options import Json, Overrides, Profile

app = typer.Typer(help="The journal of a stopped bot.", no_args_is_help=True)


@app.command("rebuild")
def journal_rebuild(profile: Profile = None, overrides: Overrides = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Make orders, fills, positions and ledger anew from the journal's records. No bot may run meanwhile."""
    from app.cli.journal import rebuild  # noqa: PLC0415

    end_with(lambda: rebuild(profile, overrides or [], as_json=as_json))
