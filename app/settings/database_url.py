"""The URL of a database, of which everything but the password may be said aloud."""

import re
from urllib.parse import parse_qs

_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^:,@/?#\[\]]*)(?::\d*)?"
_URL = re.compile(
    r"postgres(?:ql)?://"
    r"(?:(?P<user>[^:@/?#]*)(?::[^@/?#]*)?@)?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)"
    r"(?:/(?P<database>[^@/?#]*))?"
    r"(?:\?(?P<query>[^@#]*))?"
)
_HALF_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def refusal_of(url: str) -> str | None:
    """Return what to do about a ``url`` that cannot be used; None when it can.

    Stricter than libpq: where a password holds ``@`` or ``/`` unescaped, libpq takes a part of it for the host or the
    database, and its messages then print that part.

    >>> refusal_of("postgresql://bot:secret@localhost:5432/perps")
    >>> refusal_of("postgresql://bot:sec/ret@localhost/perps")
    'write it as postgresql://user:password@host:5432/database, and @ / ? # % in the password as %40 %2F %3F %23 %25'
    """
    if _URL.fullmatch(url) and not _HALF_ESCAPE.search(url):
        return None
    return (
        "write it as postgresql://user:password@host:5432/database, "
        "and @ / ? # % in the password as %40 %2F %3F %23 %25"
    )


def without_password(url: str) -> str:
    """Return what may be said of ``url``: user, host, port and database. Nothing of a URL that is refused.

    >>> without_password("postgresql://bot:secret@localhost:5432/perps?sslmode=require")
    'postgresql://bot@localhost:5432/perps'
    >>> without_password("postgresql:///perps?host=/run/postgresql")
    'postgresql:///perps?host=/run/postgresql'
    """
    found = None if refusal_of(url) else _URL.fullmatch(url)
    if found is None:
        return "postgresql://"
    user = f"{found['user']}@" if found["user"] else ""
    folder = "".join(f"?host={host}" for host in parse_qs(found["query"] or "").get("host", [])[:1])
    return f"postgresql://{user}{found['hosts']}/{found['database'] or ''}{folder}"
