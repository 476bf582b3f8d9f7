"""Money knows its currency; times are UTC."""

from decimal import Decimal

import pytest

from app.domain.errors import CurrencyMismatch, UnknownInstrument
from app.domain.money import Money, plain, to_ledger
from app.domain.times import iso, parse_iso


def test_money_of_one_currency_adds_up():
    five, two = Money(Decimal(5), "USDT"), Money(Decimal("2.50"), "USDT")
    assert five + two == Money(Decimal("7.5"), "USDT")
    assert five - two == Money(Decimal("2.5"), "USDT")
    assert -two == Money(Decimal("-2.5"), "USDT")
    assert str(two) == "2.5 USDT"


@pytest.mark.parametrize("combine", [Money.__add__, Money.__sub__])
def test_mixed_currencies_are_refused(combine):
    with pytest.raises(CurrencyMismatch, match="cannot combine USDT with BTC") as caught:
        combine(Money(Decimal(1), "USDT"), Money(Decimal(1), "BTC"))
    assert (caught.value.left, caught.value.right) == ("USDT", "BTC")


@pytest.mark.parametrize(
    ("amount", "text"), [("1E+3", "1000"), ("100", "100"), ("0.10", "0.1"), ("-0.00", "0"), ("-1.50", "-1.5")]
)
def test_plain_text_has_no_exponent_and_no_idle_zeros(amount, text):
    assert plain(Decimal(amount)) == text


def test_ledger_amounts_are_rounded_half_even():
    assert to_ledger(Decimal("0.000000005")) == 0
    assert to_ledger(Decimal("0.000000015")) == Decimal("0.00000002")
    assert to_ledger(Decimal("-0.000000015")) == Decimal("-0.00000002")


def test_an_unknown_symbol_is_told_what_may_have_been_meant():
    near = UnknownInstrument("BTC/USDT", ["BTC/USDT:USDT", "ETH/USDT:USDT"])
    assert str(near) == "the exchange lists no symbol BTC/USDT: did you mean BTC/USDT:USDT?"
    far = UnknownInstrument("XXX", ["BTC/USDT:USDT"])
    assert str(far) == "the exchange lists no symbol XXX: see the exchange's list of symbols"


def test_times_are_told_to_the_second_or_to_the_millisecond():
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert iso(1_250_000_000) == "1970-01-01T00:00:01.250Z"


def test_a_time_without_an_offset_is_utc():
    assert parse_iso("1970-01-02") == 86_400 * 10**9
    assert parse_iso("1970-01-01T01:00:00+01:00") == 0
    assert parse_iso("1970-01-01T00:00:00.000001Z") == 1000
