"""Begins a run: counts the start, and reads what the runs before it left."""

from collections.abc import Callable

import msgspec
import sqlalchemy as sa

from app.ports.journal import Recovered
from app.storage import tables
from app.storage.fold import recovered_from
from app.storage.projections import Projections
from app.storage.statements import statements_of

EPOCH = "epoch"
Fence = Callable[[sa.Connection], None]
"""Proves, in the transaction that it begins, that nobody else may write; raises when somebody may."""


class Begun(msgspec.Struct, frozen=True):
    """What a run begins with."""

    projections: Projections
    recovered: Recovered
    states: dict[str, bytes]
    last_seq: int


def begin_run(connection: sa.Connection, account_id: str, fence: Fence, *, is_start: bool = True) -> Begun:
    """Count this start, durably, and return what is on record. What is no start of a bot is not counted."""
    statements = statements_of(connection)
    with connection.begin():
        fence(connection)
        epoch = read_epoch(connection, account_id)
        if is_start:
            epoch += 1
            connection.exec_driver_sql(
                statements.put_meta, {"account_id": account_id, "name": EPOCH, "value": str(epoch)}
            )
        projections = Projections(account_id, statements)
        projections.load(connection)
        recovered = recovered_from(projections.fold, epoch, last_time_ns(connection, account_id))
        return Begun(projections, recovered, projections.states(connection), last_seq(connection))


def read_epoch(connection: sa.Connection, account_id: str) -> int:
    """Return how often the account's bot was started; 0 for never."""
    found = connection.execute(
        sa.select(tables.meta.c.value).where(tables.meta.c.account_id == account_id, tables.meta.c.name == EPOCH)
    ).scalar()
    return 0 if found is None else int(found)


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
