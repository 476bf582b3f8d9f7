"""What differs on a server: how it can fail, and what it must be told to keep the journal's promises."""

import sys
from decimal import Decimal

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr

from app.domain.events import OrderRejected
from app.domain.position import Position
from app.domain.records import PositionChanged
from app.ports.journal import JournalFailed
from app.storage import (
    ConnectionLost,
    DatabaseMissing,
    DriverMissing,
    JournalLocked,
    JournalMissing,
    JournalTooNew,
    JournalTooOld,
    JournalUnreadable,
    JournalUnwritable,
    ServerRefused,
    ServerUnreachable,
    StorageError,
    open_journal,
    read_summary,
    rebuild_projections,
)
from app.storage.schema import HEAD, bring_to_head, create, migrate
from app.storage.server import connect_server
from app.storage.tables import metadata
from tests.postgres_server import GUARDED, PASSWORD
from tests.storage.records import BTC, intended

WRONG = "wr0ng-s3cr3t"


@pytest.fixture
def place(server_place):
    """A server."""
    return server_place


def at(place, url):
    return msgspec.structs.replace(place, url=SecretStr(url))


def open_at(place):
    open_journal(place, "main", threaded=False, busy_timeout_s=0.2).close()


@pytest.fixture
def connection(server, place):
    """The writer's, in a schema that is empty yet."""
    server.execute(f"CREATE SCHEMA {place.schema}")
    with connect_server(place, 1) as connected:
        yield connected


# -- opening fails -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nohost.invalid", "127.0.0.1:1,127.0.0.1:2", "/x?host=/nowhere"])
def test_nobody_answers(place, address):
    there = at(place, f"postgresql://bot:{WRONG}@{address}")
    for do in (open_at, read_summary):
        with pytest.raises(ServerUnreachable, match=r"cannot be reached \(.+\): start it, or set storage\.url") as told:
            do(there)
        assert WRONG not in str(told.value)


def test_a_server_that_starts_yet_is_to_be_waited_for(place):
    """It answers, but there is nothing to correct in the URL."""
    import psycopg

    from app.storage.server_diagnosis import diagnose_connecting

    error = psycopg.OperationalError("connection failed: FATAL:  the database system is starting up")
    assert isinstance(diagnose_connecting(error, place), ServerUnreachable)


@pytest.mark.parametrize(
    ("password", "why"), [(f":{WRONG}", 'password authentication failed for user "guarded"'), ("", "no password")]
)
def test_a_wrong_password(server, place, password, why):
    url = server.url(user=f"{GUARDED}{password}")
    with pytest.raises(ServerRefused, match=f"{why}.*: correct user and password in storage.url") as told:
        open_at(at(place, url))
    assert WRONG not in str(told.value)
    assert WRONG not in repr(told.value.place)


def test_a_user_who_may_not_make_a_schema(server, place):
    with pytest.raises(JournalUnwritable, match=r"permission denied: permission denied for database perps"):
        open_at(at(place, server.url(user=f"{GUARDED}:{PASSWORD}")))


def test_no_such_database(server, place):
    with pytest.raises(DatabaseMissing, match=r'"other" does not exist\): create it with createdb'):
        open_at(at(place, server.url(database="other")))


def test_a_url_that_libpq_cannot_read_is_not_repeated(server, place):
    with pytest.raises(ServerRefused, match="libpq cannot read the URL") as told:
        open_at(at(place, f"{server.url()}&pasword={WRONG}"))
    assert told.value.__cause__ is None
    assert WRONG not in str(told.value)


def test_the_driver_is_an_extra(place, mocker):
    mocker.patch.dict(sys.modules, {"psycopg": None})
    mocker.patch.dict(sys.modules)
    sys.modules.pop("app.storage.server_session", None)
    with pytest.raises(DriverMissing, match=r"needs a driver that is not installed.*pip install '.\[postgres\]'"):
        open_at(place)


def test_a_schema_newer_than_this_code(server, place):
    open_at(place)
    server.execute("UPDATE alembic_version SET version_num = '9999'", schema=place.schema)
    for do in (open_at, read_summary):
        with pytest.raises(JournalTooNew, match=r"schema 9999, this version knows up to .*set storage\.url to another"):
            do(place)


def test_a_reader_migrates_nothing(server, place):
    open_at(place)
    server.execute("DELETE FROM alembic_version", schema=place.schema)
    with pytest.raises(JournalTooOld, match="start the bot once"):
        read_summary(place)


def test_a_schema_of_something_else(server, place):
    server.execute(f"CREATE SCHEMA {place.schema}")
    server.execute("CREATE TABLE recipes (name text)", schema=place.schema)
    with pytest.raises(JournalUnreadable, match="another program"):
        open_at(place)
    assert server.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", place.schema) == [("recipes",)]


def test_nothing_to_read(place):
    with pytest.raises(
        JournalMissing, match=r"no journal at .*, schema perps_main: start the bot once, or set storage\.url"
    ):
        read_summary(place)
    with pytest.raises(JournalMissing):
        rebuild_projections(place, busy_timeout_s=1)


def test_somebody_else_opens_it_and_does_not_finish(server, place):
    with connect_server(place, 1) as other, other.begin():
        other.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended('perps_main', 0))")
        with pytest.raises(JournalLocked, match=r"locked by another program for 0\.2 s"):
            open_at(place)


# -- the bot runs, and the server fails ----------------------------------------------------------------------------


def fails_with(server, place, sqlstate, *, deferred=False):
    """Let the server fail with a code of its own as soon as a record comes, or when that is committed."""
    what = (
        "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10)"
        if sqlstate is None
        else f"RAISE EXCEPTION 'the server says why' USING ERRCODE = '{sqlstate}'"
    )
    server.execute(
        f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {what.replace(chr(39), chr(39) * 2)}; END'",
        schema=place.schema,
    )
    when = "DEFERRABLE INITIALLY DEFERRED" if deferred else ""
    server.execute(
        f"CREATE CONSTRAINT TRIGGER t AFTER INSERT ON journal {when} FOR EACH ROW EXECUTE FUNCTION fail()",
        schema=place.schema,
    )


@pytest.mark.parametrize(
    ("sqlstate", "says"),
    [
        ("53100", "cannot be written (the server's disk is full: the server says why): make room"),
        ("53200", "the server is out of memory"),
        ("53400", "the server is out of resources"),
        ("58030", "the server's disk reported an error"),
        ("25006", "the server takes no writes"),
        ("42501", "permission denied"),
        ("XX001", "cannot be read (the server says why)"),
        ("57014", "was locked by another program for 0.2 s"),
        ("57P01", "was lost (the server says why), and whether its last commit was carried out is not known"),
        ("08006", "was lost (the server says why)"),
        ("P0001", "RaiseException: the server says why"),
    ],
)
def test_a_store_that_fails_says_why_and_takes_no_more(opened, server, place, rows, sqlstate, says):
    journal = opened()
    journal.append(intended("main-1-000001"))
    fails_with(server, place, sqlstate)
    with pytest.raises(JournalFailed) as told:
        journal.append(intended("main-1-000002"))
    assert says in str(told.value)
    assert says in str(journal.failure)
    with pytest.raises(JournalFailed):
        journal.append(intended("main-1-000003"))
    journal.close()
    assert rows("SELECT client_order_id FROM orders") == [("main-1-000001",)]
    server.execute("DROP TRIGGER t ON journal", schema=place.schema)
    assert opened().recovered().epoch == 2


def test_a_connection_lost_during_the_commit_leaves_its_outcome_open(opened, server, place):
    journal = opened()
    fails_with(server, place, None, deferred=True)
    with pytest.raises(JournalFailed, match=r"was lost .*whether its last commit was carried out is not known"):
        journal.append(intended())
    with pytest.raises(JournalFailed, match="was lost"):
        journal.append(intended())
    journal.close()


def test_a_server_that_goes_away(opened, server):
    """In the middle of a run; and it is there again for the next, who waits until the lease has run out."""
    journal = opened()
    journal.append(intended("main-1-000001"))
    server.stop()
    server.start()
    with pytest.raises(JournalFailed, match=r"the connection to the journal .* was lost"):
        journal.append(intended("main-1-000002"))
    journal.close()
    server.execute("UPDATE lease SET expires_at = clock_timestamp()", schema="perps_main")
    working = opened().recovered().working_orders
    assert [order.order.client_order_id for order in working] == ["main-1-000001"]


def test_a_table_that_somebody_has_locked(opened, server, place):
    journal = opened()
    with connect_server(place, 1) as other, other.begin():
        other.exec_driver_sql("LOCK TABLE journal")
        with pytest.raises(JournalFailed, match=r"locked by another program for 0\.2 s"):
            journal.append(intended())


@pytest.mark.parametrize("kind", ["ValueError", "InterfaceError"])
def test_an_unforeseen_error_is_named(place, kind):
    import psycopg

    from app.storage.diagnosis import diagnose

    raised = psycopg.InterfaceError("strange") if kind == "InterfaceError" else ValueError("strange")
    error = diagnose(raised, place, 1)
    assert isinstance(error, JournalUnwritable)
    assert f"{kind}: strange" in str(error)
    assert diagnose(error, place, 1) is error


# -- schema and session --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [create, migrate])
def test_a_new_database_and_the_migrations_are_the_models(connection, make):
    with connection.begin():
        make(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, metadata) == []


def test_places_in_the_journal_have_64_bits(connection, place):
    """A busy bot writes more than 2^31 records in some months."""
    bring_to_head(connection, place)
    found = connection.exec_driver_sql(
        "SELECT DISTINCT data_type FROM information_schema.columns WHERE column_name = 'seq'"
    )
    assert found.scalars().all() == ["bigint"]


def test_a_migration_that_fails_leaves_nothing_behind(connection):
    transaction = connection.begin()
    migrate(connection)
    transaction.rollback()
    assert sa.inspect(connection).get_table_names() == []


def test_an_older_schema_is_brought_up_by_the_holder_of_its_lease(connection, place, opened):
    with connection.begin():
        migrate(connection, "0001")
    assert opened().recovered().epoch == 1


def test_a_reader_cannot_write_and_sees_one_moment(opened, place):
    journal = opened()
    with connect_server(place, 1, read_only=True) as reader:
        with reader.begin():
            assert reader.exec_driver_sql("SELECT count(*) FROM journal").scalar() == 0
            journal.append(intended())
            assert reader.exec_driver_sql("SELECT count(*) FROM journal").scalar() == 0
        with pytest.raises(sa.exc.DBAPIError, match="read-only"):
            reader.exec_driver_sql("DELETE FROM meta")


@pytest.mark.parametrize(("at_server", "in_session"), [("off", "on"), ("on", "on"), ("remote_apply", "remote_apply")])
def test_a_commit_is_flushed_whatever_the_server_is_set_to(server, place, at_server, in_session):
    with_option = at(place, f"{server.url()}&options=-csynchronous_commit%3D{at_server}")
    with connect_server(with_option, 1) as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == in_session


def test_text_with_a_zero_byte_does_not_end_the_journal(opened):
    """An exchange may say anything; PostgreSQL has no text with a zero byte."""
    journal = opened()
    journal.append(intended(), OrderRejected("main-1-000001", BTC, 2, "no\0money"))
    journal.flush()
    assert journal.failure is None


def test_positions_come_in_the_order_of_a_file(server, place, opened):
    """Not in that of the database's language, where upper and lower case mix."""
    journal = opened()
    for symbol in ("b/USDT:USDT", "B/USDT:USDT", "a/USDT:USDT", "A/USDT:USDT"):
        journal.append(PositionChanged(Position(symbol, Decimal(1), Decimal(1)), 1))
    journal.close()
    expected = ["A/USDT:USDT", "B/USDT:USDT", "a/USDT:USDT", "b/USDT:USDT"]
    assert [position.symbol for position in opened().recovered().positions] == expected
    assert [position.symbol for position in read_summary(place).positions] == expected


def test_the_password_is_nowhere(server, place):
    there = at(place, server.url(user=f"{GUARDED}:{PASSWORD}"))
    with connect_server(there, 1) as connection:
        shown = f"{there} {there!r} {connection.engine!r} {connection.engine.url!r} {vars(connection.engine)}"
    assert PASSWORD not in shown
    assert f"postgresql://{GUARDED}@/perps" in shown


@pytest.mark.parametrize("error", [ConnectionLost, DatabaseMissing, DriverMissing, ServerRefused, ServerUnreachable])
def test_all_are_storage_errors(error):
    assert issubclass(error, StorageError)
