"""The command line. Nothing heavy is imported before a command needs it: ``--help`` must not pay for a bot."""

import sys
from pathlib import Path

import typer

from app.cli import garbage
from app.cli.commands import bot, data, journal, research, setup
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
for merged in (bot.app, research.app):
    app.add_typer(merged)
app.add_typer(setup.settings, name="settings")
app.add_typer(setup.strategy, name="strategy")
app.add_typer(research.analyze, name="analyze")
app.add_typer(data.app, name="data")
app.add_typer(journal.app, name="journal")


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """A perpetual-futures trading bot. Without a command it runs."""
    if context.invoked_subcommand is None:
        bot.run()


def main() -> None:
    """Run the command line. A strategy in the current folder is found, whichever way it was started."""
    garbage.put_off()
    if not {"", str(Path.cwd())} & set(sys.path):
        # An installed script's first place is its own folder. Last: nothing here takes the place of a package.
        sys.path.append(str(Path.cwd()))
    try:
        app()
    except SystemExit as ended:
        if is_closed_pipe(ended):
            sys.exit(report_failure(ended))
        raise
