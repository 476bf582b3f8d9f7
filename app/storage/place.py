"""Where a journal lies: in a file of a state folder, or on a database server."""

from pathlib import Path

import msgspec
from pydantic import SecretStr

from app.settings.database_url import without_password

SCHEMA_PREFIX = "perps_"


def schema_of(account_id: str) -> str:
    """Return the PostgreSQL schema that holds an account's journal."""
    return f"{SCHEMA_PREFIX}{account_id}"


class ServerPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A journal on a PostgreSQL server. Printed without the password."""

    url: SecretStr
    """What libpq takes; what it does not say (a password, a certificate), libpq looks for where it always does."""
    schema: str
    """One for each account: its tables, its migrations, its lease."""
    lease_s: float = 15.0
    """How long a lease is good without a renewal."""
    renew_every_s: float = 4.0
    """Between renewals."""
    wait_s: float = 20.0
    """How long opening waits for somebody else's lease."""

    def __str__(self) -> str:
        return f"{without_password(self.url.get_secret_value())}, schema {self.schema}"


Place = Path | ServerPlace
"""For a file its path; a state folder, where the file is not the point."""
