"""Models, migrations and the list of revisions agree."""

import subprocess
import sys
import time

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.storage.engine import reader_engine, writer_engine
from app.storage.schema import HEAD, MIGRATIONS, REVISIONS, bring_to_head, create, migrate
from app.storage.tables import metadata
from tests.storage.inside import store_of


@pytest.fixture
def place(folder):
    """A file: what a server can do wrong is elsewhere."""
    return folder


@pytest.fixture
def connection(tmp_path):
    with writer_engine(tmp_path / "x y%20?#.sqlite", 1).connect() as connected:
        yield connected


def scripts():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config)


def test_the_list_of_revisions_is_that_of_the_files():
    assert tuple(script.revision for script in scripts().walk_revisions())[::-1] == REVISIONS
    assert scripts().get_current_head() == HEAD


def test_migrations_from_empty_give_the_models(connection):
    with connection.begin():
        migrate(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, metadata) == []


def test_names_of_keys_and_indexes_are_those_of_the_models(connection):
    """What autogenerate does not compare on SQLite: primary keys and the text of the tables."""
    with connection.begin():
        migrate(connection)
        made = sa.MetaData()
        made.reflect(connection)
    for table in metadata.sorted_tables:
        assert [c.name for c in made.tables[table.name].primary_key] == [c.name for c in table.primary_key]
        assert {i.name for i in made.tables[table.name].indexes} == {i.name for i in table.indexes}


def test_a_new_database_is_what_the_migrations_give(tmp_path):
    """But for the order of columns, which nothing goes by."""
    assert shape_of(tmp_path / "made.sqlite", create) == shape_of(tmp_path / "migrated.sqlite", migrate)


def shape_of(path, make):
    with writer_engine(path, 1).connect() as connection, connection.begin():
        make(connection)
        found, revision = sa.inspect(connection), connection.exec_driver_sql("SELECT * FROM alembic_version").all()
        return revision, {
            name: (
                sorted(repr(column) for column in found.get_columns(name)),
                found.get_pk_constraint(name),
                found.get_indexes(name),
                found.get_unique_constraints(name),
                found.get_check_constraints(name),
                found.get_foreign_keys(name),
            )
            for name in found.get_table_names()
        }


def test_a_migration_that_fails_leaves_nothing_behind(connection):
    transaction = connection.begin()
    migrate(connection)
    transaction.rollback()
    assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar() == 0


def test_the_first_schema_is_not_undone():
    with pytest.raises(NotImplementedError, match="backup"):
        scripts().get_revision("0001").module.downgrade()


def test_a_reader_cannot_write(tmp_path):
    with writer_engine(tmp_path / "j.sqlite", 1).connect() as writer:
        bring_to_head(writer, tmp_path)
    with (
        reader_engine(tmp_path / "j.sqlite", 1).connect() as reader,
        pytest.raises(sa.exc.OperationalError, match="readonly"),
    ):
        reader.exec_driver_sql("DELETE FROM meta")


def test_a_start_with_nothing_to_migrate_imports_no_alembic(tmp_path, opened, folder):
    opened().close()
    code = (
        "import sys, pathlib; from app.storage import open_journal;"
        "open_journal(pathlib.Path(sys.argv[1]), 'main', threaded=False, busy_timeout_s=1).close();"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(folder)], check=False).returncode == 0


def test_opening_an_existing_journal_is_quick(opened):
    """Measured: 12 ms. The bound is wide, since a busy machine must not fail it."""
    opened().close()
    started = time.perf_counter()
    opened().close()
    assert time.perf_counter() - started < 0.5


def test_the_disk_is_really_synced(opened):
    """WAL and FULL, with foreign keys: what the promises rest on."""
    connection = store_of(opened())._connection
    read = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}
    assert read == {"journal_mode": "wal", "synchronous": 2}
    assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
