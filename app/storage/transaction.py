"""Transactions that give a cursor: the driver's own for the write path, SQLAlchemy's for all else.

SQLAlchemy's cost as much as the writing of an order itself: their events and states are touched only once in a while,
and are in no cache of the processor by then.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from app.storage.engine import BEGIN_TO_WRITE


@contextmanager
def transaction(connection: sa.Connection) -> Iterator[DBAPICursor]:
    """Give a cursor whose work is committed when the block ends; nothing of it is, if the block or the commit fails.

    Whatever the driver raises comes through as it is. SQLAlchemy must not be asked anything on the same connection
    within the block: it would begin a transaction of its own.
    """
    driver = connection.connection
    cursor = driver.cursor()
    try:
        if connection.dialect.name == "sqlite":
            cursor.execute(BEGIN_TO_WRITE)  # psycopg begins by itself
        yield cursor
        driver.commit()
    except BaseException:
        with suppress(Exception):  # what went wrong before says more
            driver.rollback()
        raise


@contextmanager
def core_transaction(connection: sa.Connection) -> Iterator[DBAPICursor]:
    """Do the same for a block that asks SQLAlchemy, too."""
    with connection.begin():
        yield connection.connection.cursor()
