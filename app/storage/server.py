"""Connections to PostgreSQL, as SQLAlchemy takes them."""

import sqlalchemy as sa

from app.storage.errors import DriverMissing
from app.storage.place import ServerPlace


def connect_server(place: ServerPlace, busy_timeout_s: float, *, read_only: bool = False) -> sa.Connection:
    """Return a connection in the place's schema; one that only reads sees one moment in each transaction.

    Raises:
        DriverMissing: psycopg does not import.
        StorageError: The server cannot be reached, or refuses; the message says what to do.
    """
    try:
        from app.storage.server_session import connect  # noqa: PLC0415 - it needs an optional dependency
    except ImportError as error:
        raise DriverMissing(place, str(error).partition("\n")[0]) from error
    engine = sa.create_engine(
        # The address is known to the driver alone: SQLAlchemy's own copy could be printed.
        "postgresql+psycopg://",
        creator=lambda: connect(place, busy_timeout_s, read_only=read_only),
        poolclass=sa.pool.NullPool,
        use_native_hstore=False,  # or each connection begins with a search for it
    )
    return engine.connect()
