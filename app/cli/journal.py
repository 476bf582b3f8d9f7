"""Makes the tables of a journal again from its records, while no bot runs."""

import json

from app.cli.failures import NotDone, UsageRefused
from app.cli.progress import covering
from app.ports.exit_codes import ExitCode
from app.settings import load_settings
from app.state import journal_place, state_folder
from app.storage import StorageError, rebuild_projections


def rebuild(profile: str | None, overrides: list[str], *, as_json: bool) -> int:
    """Rebuild, and say from how many records.

    Raises:
        UsageRefused: The profile keeps no journal.
        NotDone: There is none yet, a bot holds it, or it cannot be read or written; nothing was changed.
    """
    settings = load_settings(profile, overrides).settings
    folder = state_folder(settings)
    if folder is None:
        raise UsageRefused(f"profile {settings.profile} keeps no state: it has no journal to rebuild from")
    place = journal_place(settings, folder)
    try:
        with covering("rebuild", quiet=as_json) as progress:
            task = progress.add_task("", total=1.0)
            records = rebuild_projections(
                place,
                busy_timeout_s=settings.storage.busy_timeout_s,
                profile=f"{settings.profile} (journal rebuild)",
                on_part=lambda part: progress.update(task, completed=part),
            )
    except StorageError as error:
        raise NotDone(f"nothing was rebuilt: {error}") from error
    if as_json:
        print(json.dumps({"journal": str(place), "records": records}))
    else:
        print(f"the tables of the journal {place} are made anew, from all its {records} records")
    return ExitCode.CLEAN
