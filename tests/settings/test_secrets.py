"""What leaves for another machine holds no key and no password."""

import pickle

from app.research.event_path import EventPath
from app.settings import load_settings

SENTINEL = "5e17" * 16
"""Of the form of a private key."""


def test_what_goes_to_a_cluster_holds_no_secret(monkeypatch):
    names = ("API_KEY", "SECRET", "PASSWORD", "PRIVATE_KEY")
    for name in names:
        monkeypatch.setenv(f"APP__EXCHANGE__CCXT__{name}", SENTINEL)
    monkeypatch.setenv("APP__STORAGE__URL", f"postgresql://bot:{SENTINEL}@db.example/perps")
    loaded = load_settings("backtest")
    assert SENTINEL.encode() in pickle.dumps(loaded)
    sent = pickle.dumps(EventPath(loaded.without_secrets(), "trend"))
    assert SENTINEL.encode() not in sent
    assert loaded.settings.exchange.ccxt.secret is not None
