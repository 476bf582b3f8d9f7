"""A URL is refused where libpq would take a part of the password for something that it prints."""

import pytest

from app.settings.database_url import refusal_of, without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://bot:secret@db.example:5433/perps", "postgresql://bot@db.example:5433/perps"),
        ("postgres://bot@db/perps?sslmode=verify-full&password=secret", "postgresql://bot@db/perps"),
        ("postgresql://bot:sec%40ret@[2001:db8::1]:5432/perps", "postgresql://bot@[2001:db8::1]:5432/perps"),
        ("postgresql://bot:s:ecret@one,two:5433/perps", "postgresql://bot@one,two:5433/perps"),
        ("postgresql:///perps?host=/run/postgresql", "postgresql:///perps?host=/run/postgresql"),
        ("postgresql://", "postgresql:///"),
    ],
)
def test_a_url_is_shown_without_its_password(url, shown):
    assert refusal_of(url) is None
    assert without_password(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bot:sec@ret@db/perps",
        "postgresql://bot:sec/ret@db/perps",
        "postgresql://bot:sec?ret@db/perps",
        "postgresql://bot:sec#ret@db/perps",
        "postgresql://bot:sec%ret@db/perps",
        "postgresql://bot:secret",
        "postgresql+psycopg://bot:secret@db/perps",
        "host=db password=secret",
        "sqlite:///secret",
        "",
    ],
)
def test_a_url_that_could_betray_its_password_is_refused(url):
    assert "write it as" in refusal_of(url)
    assert without_password(url) == "postgresql://"
