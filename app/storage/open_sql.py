"""Opens the journal in a database, step by step, and undoes the steps when one fails."""

from contextlib import ExitStack, suppress
from functools import partial
from threading import Event

from app.storage.commit_now import CommitNow
from app.storage.commit_threaded import CommitThreaded
from app.storage.errors import StorageError
from app.storage.holding import Held, hold
from app.storage.leased_store import LeasedStore
from app.storage.place import Place
from app.storage.projections import Projections
from app.storage.recovery import begin_run
from app.storage.sql_journal import Commit, SqlJournal
from app.storage.store import JournalStore


def open_sql_journal(
    place: Place,
    account_id: str,
    *,
    threaded: bool,
    busy_timeout_s: float,
    profile: str,
    is_start: bool,
    new_instance: str = "",
    given_up: Event | None = None,
) -> SqlJournal:
    """Hold the place, bring its database up to date, count the start if it is one."""
    with ExitStack() as opened:
        held = opened.enter_context(hold(place, account_id, busy_timeout_s, profile, given_up))
        begun = begin_run(held, account_id, is_start=is_start, new_instance=new_instance)
        store = _store(held, begun.projections, busy_timeout_s)
        commit: Commit = (
            CommitThreaded(store, begun.last_seq, busy_timeout_s) if threaded else CommitNow(store, begun.last_seq)
        )
        store.start()
        release = partial(_release, store, opened.pop_all())
        return SqlJournal(commit, begun.recovered, begun.states, begun.last_seq, release)


def _release(store: JournalStore, opened: ExitStack) -> None:
    if store.stop():
        with suppress(StorageError):  # a connection that is lost cannot be closed properly, and need not
            opened.close()


def _store(held: Held, projections: Projections, busy_timeout_s: float) -> JournalStore:
    if held.lease is None:
        return JournalStore(held.connection, held.place, projections, busy_timeout_s)
    return LeasedStore(held.connection, held.lease, projections, busy_timeout_s)
