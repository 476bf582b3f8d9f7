"""What is secret is what its type says: it is not shown, and does not leave for another machine."""

import pickle
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from app.container import recordable
from app.research.event_path import EventPath
from app.settings import load_settings
from app.settings.secrets import may_show_secret, secret_keys, without_secrets

SENTINEL = "5e17" * 16
"""Of the form of a private key."""


class Token(BaseModel):
    token: Annotated[SecretStr, Field(min_length=1)] | None = None
    plain: str = "shown"


class Nested(BaseModel):
    one: Token = Token()
    named: dict[str, Token] = {}
    listed: tuple[Token, ...] = ()
    secret: SecretStr | None = None


def all_set(monkeypatch):
    """Settings whose every secret is the sentinel, or holds it."""
    for key in secret_keys():
        value = f"postgresql://bot:{SENTINEL}@db.example/perps" if key == "storage.url" else SENTINEL
        monkeypatch.setenv(f"APP__{key.upper().replace('.', '__')}", value)
    return load_settings("backtest")


def test_a_secret_is_found_wherever_its_model_stands():
    assert list(secret_keys(Nested)) == ["one.token", "named", "listed", "secret"]
    assert {"exchange.ccxt.api_key", "exchange.ccxt.private_key", "storage.url"} <= set(secret_keys())


def test_what_stands_around_a_secret_or_in_it_may_show_it():
    shown = {
        key
        for key in ("one", "one.token", "one.token.0", "one.plain", "named.x.plain")
        if not may_show_secret(key, Nested)
    }
    assert shown == {"one.plain"}


def test_blanked_is_what_is_secret_and_nothing_else():
    settings = Nested(one=Token(token=SecretStr("x"), plain="kept"), secret=SecretStr("y"))
    blanked = without_secrets(settings)
    assert (blanked.one, blanked.secret) == (Token(plain="kept"), None)
    assert settings.secret is not None


def test_what_goes_to_a_cluster_holds_no_secret(monkeypatch):
    loaded = all_set(monkeypatch)
    assert SENTINEL.encode() in pickle.dumps(loaded)
    sent = pickle.dumps(EventPath(loaded.without_secrets(), "trend"))
    assert SENTINEL.encode() not in sent
    assert loaded.settings.exchange.ccxt.secret is not None


def test_a_record_of_a_run_holds_no_secret_and_can_be_loaded(monkeypatch):
    settings = all_set(monkeypatch).settings
    document = recordable(settings)
    assert SENTINEL not in str(document)
    assert type(settings).model_validate(document).exchange.ccxt.private_key is None
