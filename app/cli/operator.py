"""The operator's commands: asked of the bot that runs, or put on record for its next start."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from app.cli.durations import parse_duration
from app.cli.failures import NotDone, UsageRefused
from app.control import NoAnswer, NobodyListens, ask
from app.domain.confirmation import REFUSED, is_confirmed, offer, token_of, words_of
from app.domain.events import HaltCommand, ReasonCleared, ReasonRaised, ResumeCommand, Severity
from app.domain.reasons import HALT, OPERATOR
from app.domain.trading_state import TradingState
from app.ports.control import REASON_LENGTH_MAX, WAIT_S_MAX, Reply, Request
from app.ports.exit_codes import ExitCode
from app.ports.journal import JournalFailed
from app.settings import LoadedSettings, Settings, load_settings
from app.state import journal_place, state_folder
from app.storage import (
    JournalInUse,
    JournalMissing,
    JournalTooOld,
    Place,
    StateFolderInUse,
    StateFolderLock,
    StorageError,
    open_stopped,
    read_summary,
)

REACH_S = 10.0
"""How long a bot may hold its folder and not listen: it starts, or stops."""
RETRY_S = 0.1


def halt(profile: str | None, overrides: list[str], reason: str, wait: str) -> int:
    """Halt the bot that runs; without one, its next start."""
    if len(reason) > REASON_LENGTH_MAX:
        raise UsageRefused(f"the reason has {len(reason)} characters: at most {REASON_LENGTH_MAX} go on record")
    loaded, folder = _state_of(profile, overrides)
    request = Request("halt", reason=reason, wait_s=_wait_s(wait))
    return _tell(_reach(loaded, folder, request, lambda: _halt_stopped(loaded, folder, reason)))


def resume(profile: str | None, overrides: list[str], token: str | None) -> int:
    """Say what would be lifted, and lift it once that is confirmed."""
    loaded, folder = _state_of(profile, overrides)

    def reach(token: str | None) -> Reply:
        request = Request("resume", token=token)
        return _reach(loaded, folder, request, lambda: _resume_stopped(loaded.settings, folder, token))

    reply = reach(token)
    if reply.token is None:
        return _tell(reply)
    _tell(reply)
    if not sys.stdin.isatty():
        print(f"to confirm, within a minute: {loaded.command('resume')} --confirm {reply.token}")
        return reply.code
    if not _says_yes():
        print("nothing was resumed")
        return reply.code
    return _tell(reach(reply.token))


def flatten(profile: str | None, overrides: list[str], symbol: str | None, wait: str) -> int:
    """Have the bot that runs close positions."""
    loaded, folder = _state_of(profile, overrides)
    request = Request("flatten", symbol=symbol, wait_s=_wait_s(wait))
    return _tell(_reach(loaded, folder, request, lambda: _nobody(folder)))


def _says_yes() -> bool:
    try:
        return input("resume? yes or no: ").strip().lower() == "yes"
    except EOFError:
        return False


def _state_of(profile: str | None, overrides: list[str]) -> tuple[LoadedSettings, Path]:
    loaded = load_settings(profile, overrides)
    settings = loaded.settings
    folder = state_folder(settings)
    if folder is None:
        raise UsageRefused(
            f"profile {settings.profile} keeps no state: its bot cannot be reached, and is stopped with Ctrl-C"
        )
    return loaded, folder


def _wait_s(text: str) -> float:
    wait_s = parse_duration(text)
    if wait_s > WAIT_S_MAX:
        raise UsageRefused(f"--wait {text} is too long: at most {WAIT_S_MAX / 60:g}m; the bot goes on by itself")
    return wait_s


def _tell(reply: Reply) -> int:
    """Print a reply; return the exit code."""
    if reply.code in {ExitCode.USAGE, ExitCode.BUG}:
        print(f"error: {'; '.join(reply.lines)}", file=sys.stderr)
    else:
        print("\n".join(reply.lines))
    return reply.code


def _reach(loaded: LoadedSettings, folder: Path, request: Request, without_bot: Callable[[], Reply]) -> Reply:
    """Return the reply of the bot that runs; without one, what ``without_bot`` says, which takes the folder's lock.

    Raises:
        NotDone: A bot holds the folder, and cannot be reached.
    """
    ends = time.monotonic() + REACH_S
    while True:
        try:
            return ask(folder, request)
        except NobodyListens:
            pass
        except NoAnswer as error:
            raise NotDone(
                f"the bot took the request and did not answer ({error}): look at {loaded.command('status')}, "
                f"and end its process if it hangs; a halt then holds its next start"
            ) from error
        try:
            return without_bot()
        except StateFolderInUse as error:
            if time.monotonic() >= ends:
                raise NotDone(
                    f"{error.holder} holds {folder} and does not listen: try again, or end its process"
                ) from error
        except JournalInUse as error:
            raise NotDone(
                f"{error.holder} writes the journal, and does not listen in {folder}: ask where it runs, or end it"
            ) from error
        except (StorageError, JournalFailed) as error:
            raise NotDone(str(error)) from error
        time.sleep(RETRY_S)


# -- no bot runs ------------------------------------------------------------------------------------------------


def _halt_stopped(loaded: LoadedSettings, folder: Path, reason: str) -> Reply:
    settings = loaded.settings
    place = _place_of(settings, folder)
    with open_stopped(
        place, settings.account.id, busy_timeout_s=settings.storage.busy_timeout_s, profile=settings.profile
    ) as journal:
        recovered = journal.recovered()
        # The journal's own time: the next start takes it for the time up to which it knows the account.
        at_ns = recovered.last_time_ns or 0
        detail = f"{reason}, while no bot ran, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        raised = ReasonRaised(
            time_ns=at_ns, owner=OPERATOR, code=HALT, severity=Severity.HALTED, detail=detail, latched=True
        )
        journal.append(HaltCommand(at_ns, reason), raised)
        journal.flush()
        state = TradingState(recovered.reasons).after(raised)
    return Reply(
        ExitCode.CLEAN,
        (
            f"no bot runs: the next start on {place} comes up halted, until {loaded.command('resume')}",
            *(words_of(held) for held in state.latched),
        ),
    )


def _resume_stopped(settings: Settings, folder: Path, token: str | None) -> Reply:
    nothing = Reply(ExitCode.CLEAN, ("no bot runs, and nothing is latched: there is nothing to resume",))
    place = _place_of(settings, folder)
    try:
        read_summary(place, settings.account.id)
    except JournalMissing:
        return nothing
    with open_stopped(
        place, settings.account.id, busy_timeout_s=settings.storage.busy_timeout_s, profile=settings.profile
    ) as journal:
        recovered, now_s = journal.recovered(), int(time.time())
        latched, at_ns = TradingState(recovered.reasons).latched, recovered.last_time_ns or 0
        if not latched:
            return nothing
        if token is None:
            return Reply(ExitCode.UNCLEAN_STOP, ("no bot runs", *offer(latched)), token_of(latched, now_s))
        if not is_confirmed(token, latched, now_s):
            return Reply(ExitCode.UNCLEAN_STOP, (REFUSED,))
        command = ResumeCommand(at_ns, tuple((reason.owner, reason.code) for reason in latched))
        cleared = [ReasonCleared(time_ns=at_ns, owner=reason.owner, code=reason.code) for reason in latched]
        journal.append(command, *cleared)
        journal.flush()
    lifted = tuple(f"lifted: {words_of(reason)}" for reason in latched)
    return Reply(ExitCode.CLEAN, (*lifted, "no bot runs: a guard whose limit is still passed halts the next start"))


def _place_of(settings: Settings, folder: Path) -> Place:
    """Return where the journal lies.

    Raises:
        NotDone: It is of another account: what is put on record there would bind nobody.
    """
    place = journal_place(settings, folder)
    try:
        ours, latest = read_summary(place, settings.account.id), read_summary(place)
    except (JournalMissing, JournalTooOld):
        # Older code's journal is brought up to date by whoever opens it: a halt must not wait for a start to do so.
        return place
    if not ours.epoch and latest.epoch:
        raise NotDone(
            f"{place} has never been the journal of account {settings.account.id}, but of {latest.account_id}: "
            f"say --set account.id={latest.account_id}, as the bot was started with"
        )
    return place


def _nobody(folder: Path) -> Reply:
    if folder.is_dir():
        lock = StateFolderLock(folder)
        lock.acquire()
        lock.release()
    raise NotDone(f"no bot runs on {folder}, so nobody is connected to the exchange: start it, then flatten")
