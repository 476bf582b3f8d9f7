"""What ``--set`` makes of the words after the equals sign."""

import pytest

from app.settings import SettingsRefused, load_settings
from app.settings.secrets import secret_keys

ADDRESS = "0x" + "1" * 40


def ccxt(*overrides):
    return load_settings("simulated", overrides).settings.exchange.ccxt


def symbols(words):
    return load_settings("simulated", [f"strategies.trend.symbols={words}"]).settings.strategies["trend"].symbols


def refusal(*overrides):
    with pytest.raises(SettingsRefused) as refused:
        load_settings("simulated", overrides)
    return str(refused.value)


def test_text_is_taken_as_it_is():
    """A hex address and a key of digits are numbers to TOML, and text to a venue."""
    taken = ccxt(f"exchange.ccxt.wallet_address={ADDRESS}", "exchange.ccxt.secret=0123")
    assert taken.wallet_address == ADDRESS
    assert taken.secret.get_secret_value() == "0123"


def test_text_may_be_quoted():
    assert ccxt(f'exchange.ccxt.wallet_address="{ADDRESS}"').wallet_address == ADDRESS


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("XRP/USDT:USDT", ("XRP/USDT:USDT",)),
        ("XRP/USDT:USDT, LTC/USDT:USDT", ("XRP/USDT:USDT", "LTC/USDT:USDT")),
        ('["XRP/USDT:USDT"]', ("XRP/USDT:USDT",)),
    ],
)
def test_a_list_of_text_is_written_with_commas_or_as_toml(words, meant):
    assert symbols(words) == meant


def test_names_are_a_list_too():
    assert ccxt("exchange.ccxt.accept_unknown=withdrawals,address").accept_unknown == ("withdrawals", "address")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("strategies.trend.symbols=XRP", "a symbol is written base/quote:settle, as in BTC/USDT:USDT"),
        ("strategies.trend.symbols=3", 'it is a list: write ["…", "…"]'),
        ("exchange.ccxt.wallet_address=0xabc", "it is 0x and 40 hexadecimal digits"),
        ("exchange.ccxt.private_key=zz", "it is 64 hexadecimal digits, with 0x before them or without"),
    ],
)
def test_a_value_of_the_wrong_form_is_told_the_right_one(words, why):
    told = refusal(words)
    assert told.endswith(f"from the command line is refused: {why}")


@pytest.mark.parametrize("key", ["exchange.ccxt.private_key", "storage.url"])
def test_a_secret_of_the_wrong_form_is_not_shown(key):
    assert "hunter2" not in refusal(f"{key}=hunter2", "storage.backend=postgres")


@pytest.mark.parametrize("section", sorted({key.rpartition(".")[0] for key in secret_keys()}))
def test_a_secret_in_the_place_of_its_section_is_not_shown(section):
    """As in APP__STORAGE=postgresql://..."""
    assert "hunter2" not in refusal(f"{section}=hunter2")


def test_an_address_of_the_wrong_form_is_shown():
    """It is called url, and is no secret."""
    assert "exchange.ccxt.url = 'venue.example' from the command line" in refusal("exchange.ccxt.url=venue.example")
