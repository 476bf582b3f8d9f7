"""Runs the migrations in the transaction of the connection it is given. Alembic executes this file."""

import sqlalchemy as sa
from alembic import context

from app.storage.tables import metadata


def run(connection: sa.Connection) -> None:
    """Run what is due."""
    # The connection's transaction began IMMEDIATE and holds the DDL too, so alembic is to begin none of its own.
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    context.run_migrations()


run(context.config.attributes["connection"])
