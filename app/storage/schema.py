"""Brings the schema of a database up to what this code knows."""

from pathlib import Path
from types import MappingProxyType

import sqlalchemy as sa

from app.storage.errors import JournalTooNew, JournalTooOld, JournalUnreadable
from app.storage.place import Place
from app.storage.tables import metadata

REVISIONS = ("0001", "0002")
"""All migrations, oldest first; a test keeps them equal to the files in ``migrations/versions``."""
HEAD = REVISIONS[-1]
MIGRATIONS = Path(__file__).parent / "migrations"
TABLE_NAMES = MappingProxyType(
    {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
        "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
    }
)


def bring_to_head(connection: sa.Connection, place: Place) -> None:
    """Create the tables in an empty database; migrate one that is not at head.

    Raises:
        JournalTooNew: A newer version wrote it.
        JournalUnreadable: It is the database of something else.
    """
    with connection.begin():
        migrate_if_due(connection, place)


def check_whole(connection: sa.Connection, path: Path) -> None:
    """Refuse a file without a log beside it that was copied without it: the kill switch would be lost with it.

    The tables of a new file are in the file itself; how often it was started is in its log, until SQLite moves it all
    into the file. The log goes when the journal is closed, and stays after a kill. So a file with tables, nothing in
    them and no log was copied while its first bot ran. A later copy is behind, and not empty: what it lacks is found
    when it is compared with the exchange.

    Raises:
        JournalUnreadable: It has.
    """
    with connection.begin():
        if not {"meta", "journal"} <= table_names(connection):
            return
        written = "SELECT EXISTS (SELECT 1 FROM meta) OR EXISTS (SELECT 1 FROM journal)"
        if not connection.exec_driver_sql(written).scalar():
            raise JournalUnreadable(path, f"its log {path.name}-wal is missing: it was copied without it")


def migrate_if_due(connection: sa.Connection, place: Place) -> None:
    """Do what ``bring_to_head`` does, in the connection's transaction.

    Raises:
        JournalTooNew: A newer version wrote it.
        JournalUnreadable: It is the database of something else.
    """
    if not table_names(connection):
        create(connection)
    elif _revision(connection, place) != HEAD:
        migrate(connection)


def check_at_head(connection: sa.Connection, place: Place) -> None:
    """Refuse a database that this code cannot read as it is.

    Raises:
        JournalTooNew: A newer version wrote it.
        JournalTooOld: An older version wrote it, and a reader migrates nothing.
        JournalUnreadable: It is the database of something else.
    """
    found = _revision(connection, place)
    if found != HEAD:
        raise JournalTooOld(place, found or "none", HEAD)


def create(connection: sa.Connection) -> None:
    """Make an empty database what all migrations would make it, in the connection's transaction.

    To import alembic takes longer than anything else of a first start.
    """
    metadata.create_all(connection)
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.execute(sa.text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def migrate(connection: sa.Connection, revision: str = "head") -> None:
    """Run the migrations up to ``revision`` in the connection's transaction: all of them, or none."""
    from alembic import command  # noqa: PLC0415 - 0.1 s that only a migration should take
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def table_names(connection: sa.Connection) -> set[str]:
    """Return which tables there are; on a server in our schema, none when that is missing."""
    return set(connection.exec_driver_sql(TABLE_NAMES[connection.dialect.name]).scalars())


def _revision(connection: sa.Connection, place: Place) -> str | None:
    """Return the revision the database is at; None when it is empty."""
    names = table_names(connection)
    if not names:
        return None
    if "alembic_version" not in names:
        raise JournalUnreadable(place, "it is the database of another program")
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if found is not None and found not in REVISIONS:
        raise JournalTooNew(place, str(found), HEAD)
    return found
