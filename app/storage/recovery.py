"""Begins a run: counts the start, and reads what the runs before it left."""

import msgspec
import sqlalchemy as sa

from app.ports.journal import Recovered
from app.storage import tables
from app.storage.fold import recovered_from
from app.storage.holding import Held
from app.storage.projections import Projections
from app.storage.statements import statements_of

EPOCH = "epoch"
INSTANCE = "instance"
INSTANCE_SINCE = "instance_since"


class Begun(msgspec.Struct, frozen=True):
    """What a run begins with."""

    projections: Projections
    recovered: Recovered
    states: dict[str, bytes]
    last_seq: int


def begin_run(held: Held, account_id: str, *, is_start: bool = True, new_instance: str = "") -> Begun:
    """Count this start, durably, and return what is on record. What is no start of a bot is not counted.

    Args:
        held: The journal, whose database is at head.
        account_id: Whose records they are.
        is_start: Whether a bot starts.
        new_instance: What a start is to call the journal in ids from now on, if it has no such name yet; nothing, to
            let it have none.
    """
    connection = held.connection
    statements = statements_of(connection)

    def put(name: str, value: str) -> None:
        connection.exec_driver_sql(statements.put_meta, {"account_id": account_id, "name": name, "value": value})

    with held.transaction():
        epoch = read_epoch(connection, account_id)
        if is_start:
            epoch += 1
        # A journal without any count was never opened to its end: see ``check_whole``.
        put(EPOCH, str(epoch))
        if is_start and new_instance and _read(connection, account_id, INSTANCE) is None:
            put(INSTANCE, new_instance)
            put(INSTANCE_SINCE, str(epoch))
        instance = _read(connection, account_id, INSTANCE) or ""
        instance_since = int(_read(connection, account_id, INSTANCE_SINCE) or 1)
        projections = Projections(account_id, statements)
        projections.load(connection)
        time_ns = last_time_ns(connection, account_id)
        recovered = recovered_from(projections.fold, epoch, time_ns, instance, instance_since)
        return Begun(projections, recovered, projections.states(connection), last_seq(connection))


def read_epoch(connection: sa.Connection, account_id: str) -> int:
    """Return how often the account's bot was started; 0 for never."""
    return int(_read(connection, account_id, EPOCH) or 0)


def _read(connection: sa.Connection, account_id: str, name: str) -> str | None:
    return connection.execute(
        sa.select(tables.meta.c.value).where(tables.meta.c.account_id == account_id, tables.meta.c.name == name)
    ).scalar()


def last_time_ns(connection: sa.Connection, account_id: str) -> int | None:
    """Return the time of the account's last record; None when it has none."""
    return connection.execute(
        sa.select(tables.journal.c.time_ns)
        .where(tables.journal.c.account_id == account_id)
        .order_by(tables.journal.c.seq.desc())
        .limit(1)
    ).scalar()


def last_seq(connection: sa.Connection) -> int:
    """Return the place of the last record of all accounts; 0 for an empty journal."""
    return connection.execute(sa.select(sa.func.max(tables.journal.c.seq))).scalar() or 0
