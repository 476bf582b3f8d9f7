"""Looks into a journal's database, past all that the bot has of its own."""

import sqlite3
from contextlib import closing
from pathlib import Path

from app.storage.engine import JOURNAL_FILE


def look(place, query):
    """Return the rows that ``query`` finds, in the file of a state folder or in the schema on a server."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place / JOURNAL_FILE)) as connection:
            return connection.execute(query).fetchall()
    import psycopg

    with psycopg.connect(place.url.get_secret_value(), autocommit=True) as connection:
        connection.execute(f'SET search_path = "{place.schema}"')
        return connection.execute(query).fetchall()


def let_lease_expire(place):
    """Make the lease of a holder who says nothing any more as old as if a test had waited for it."""
    assert look(place, "UPDATE lease SET expires_at = clock_timestamp() RETURNING true") == [(True,)]
